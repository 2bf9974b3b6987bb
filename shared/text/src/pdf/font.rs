//! What a font makes of codes: text and widths.

use std::collections::HashMap;

use encoding_rs::Encoding;
use mediadex_media::pdf::Object;

use super::cmap::CMap;
use super::encoding::{self, Table};
use super::file::File;
use crate::out::{Out, Read};

/// Most widths that are kept of one font.
const MAX_WIDTHS: usize = 70_000;

/// How codes without a map of their own are read.
enum Codes {
    /// One byte each.
    Bytes(Table),
    /// Two bytes each, which only the map gives a meaning.
    Pairs,
    /// A charset of several bytes; `Utf16` is one of them.
    Charset(&'static Encoding),
    Utf16,
}

pub(crate) struct Font {
    to_unicode: Option<CMap>,
    codes: Codes,
    widths: HashMap<u32, f32>,
    default_width: f32,
    /// Widths are guessed.
    pub(crate) guessed: bool,
    /// Size of a unit of widths.
    unit: f32,
}

/// The text of a string and how far it moves, with nothing scaled.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) text: String,
    /// In units of the font's size.
    pub(crate) width: f64,
    pub(crate) codes: usize,
    pub(crate) spaces: usize,
    /// Codes that nothing gives a meaning.
    pub(crate) unknown: usize,
}

impl Font {
    pub(crate) fn unknown() -> Font {
        Font {
            to_unicode: None,
            codes: Codes::Bytes(encoding::of(encoding_rs::WINDOWS_1252)),
            widths: HashMap::new(),
            default_width: 500.0,
            guessed: true,
            unit: 0.001,
        }
    }

    pub(crate) fn read(file: &mut File<'_>, dict: &Object, out: &mut Out) -> Read<Font> {
        let mut font = Font::unknown();
        if let Some(map) = dict.get(b"ToUnicode").cloned()
            && let Some((_, bytes)) = file.stream(&map, out)?
        {
            font.to_unicode = Some(CMap::parse(&bytes, out)?).filter(|map| !map.is_empty());
        }
        let encoding = file.get(dict, b"Encoding", out)?;
        match dict.name(b"Subtype") {
            Some(b"Type0") => {
                font.codes = match &encoding {
                    Object::Name(name) => composite(name),
                    _ => Codes::Pairs,
                };
                let descendants = file.get(dict, b"DescendantFonts", out)?;
                if let Object::Array(all) = descendants
                    && let Some(first) = all.first()
                {
                    let first = file.resolve(first, out)?;
                    font.wide_widths(file, &first, out)?;
                }
            }
            kind => {
                font.codes = Codes::Bytes(simple(file, dict, kind, &encoding, out)?);
                font.simple_widths(file, dict, kind, out)?;
            }
        }
        Ok(font)
    }

    /// What it takes of memory, in entries.
    pub(crate) fn size(&self) -> usize {
        self.widths.len() + self.to_unicode.as_ref().map_or(0, CMap::len) + 64
    }

    fn simple_widths(
        &mut self,
        file: &mut File<'_>,
        dict: &Object,
        kind: Option<&[u8]>,
        out: &mut Out,
    ) -> Read {
        let first = file.get(dict, b"FirstChar", out)?.index().unwrap_or(0) as u32;
        if let Object::Array(widths) = file.get(dict, b"Widths", out)? {
            for (code, width) in (first..).zip(widths.iter().take(256)) {
                let width = file.resolve(width, out)?;
                self.widths.extend(width.number().map(|w| (code, w as f32)));
            }
            self.guessed = self.widths.is_empty();
        }
        if kind == Some(b"Type3")
            && let Object::Array(matrix) = file.get(dict, b"FontMatrix", out)?
            && let Some(scale) = matrix.first().and_then(Object::number).filter(|s| *s > 0.0)
        {
            self.unit = scale as f32;
        }
        if dict.name(b"BaseFont").is_some_and(|name| name.starts_with(b"Courier")) {
            self.default_width = 600.0;
        }
        Ok(())
    }

    fn wide_widths(&mut self, file: &mut File<'_>, dict: &Object, out: &mut Out) -> Read {
        self.default_width = file.get(dict, b"DW", out)?.number().unwrap_or(1000.0) as f32;
        self.guessed = false;
        let Object::Array(items) = file.get(dict, b"W", out)? else { return Ok(()) };
        let mut items = items.into_iter();
        while let (Some(first), Some(second)) = (items.next(), items.next()) {
            out.tick()?;
            let (Some(first), second) = (first.index(), file.resolve(&second, out)?) else { break };
            let first = first as u32;
            match second {
                Object::Array(widths) => {
                    for (code, width) in (first..).zip(&widths) {
                        self.widths.extend(width.number().map(|w| (code, w as f32)));
                    }
                }
                last => {
                    let last = last.index().unwrap_or(0).min(0xffff) as u32;
                    let Some(width) = items.next().and_then(|w| w.number()) else { break };
                    for code in first..=last {
                        self.widths.insert(code, width as f32);
                    }
                }
            }
            if self.widths.len() > MAX_WIDTHS {
                break;
            }
        }
        Ok(())
    }

    /// The text of a string that is shown.
    pub(crate) fn show(&self, bytes: &[u8], out: &mut Out) -> Read<Shown> {
        let mut shown = Shown::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            out.tick()?;
            let len = self.code_length(rest).clamp(1, rest.len());
            let (code_bytes, tail) = rest.split_at(len);
            rest = tail;
            let code = code_bytes.iter().fold(0u32, |n, b| n << 8 | u32::from(*b));
            let before = shown.text.len();
            let known = self.to_unicode.as_ref().is_some_and(|map| map.get(code, &mut shown.text))
                || self.own(code, code_bytes, &mut shown.text);
            shown.unknown += usize::from(!known);
            shown.codes += 1;
            shown.spaces += usize::from(len == 1 && code == 32);
            let width = match self.widths.get(&code) {
                Some(width) => *width,
                None if self.guessed => {
                    guess(shown.text.get(before..).and_then(|t| t.chars().next()), self.default_width)
                }
                None => self.default_width,
            };
            shown.width += f64::from(width * self.unit);
        }
        Ok(shown)
    }

    fn code_length(&self, rest: &[u8]) -> usize {
        match &self.codes {
            Codes::Bytes(_) => 1,
            Codes::Pairs => self.to_unicode.as_ref().and_then(|map| map.code_length(rest)).unwrap_or(2),
            Codes::Utf16 => match rest {
                [0xd8..=0xdb, ..] => 4,
                _ => 2,
            },
            Codes::Charset(charset) => match rest {
                [0..=0x80, ..] => 1,
                // Half-width kana.
                [0xa0..=0xdf, ..] if *charset == encoding_rs::SHIFT_JIS => 1,
                [0x81..=0xff, 0x30..=0x39, ..] if *charset == encoding_rs::GB18030 => 4,
                _ => 2,
            },
        }
    }

    /// Without a map: by the encoding.
    fn own(&self, code: u32, bytes: &[u8], to: &mut String) -> bool {
        match &self.codes {
            Codes::Bytes(table) => match table.get(code as usize) {
                Some(c) if *c != '\0' => {
                    to.push(*c);
                    true
                }
                _ => false,
            },
            Codes::Pairs => false,
            Codes::Utf16 => {
                to.push_str(&encoding_rs::UTF_16BE.decode_without_bom_handling(bytes).0);
                true
            }
            Codes::Charset(charset) => {
                to.push_str(&charset.decode_without_bom_handling(bytes).0);
                true
            }
        }
    }
}

/// A width of a letter that the file does not give, in thousandths: the fonts that every
/// reader has are not described.
fn guess(letter: Option<char>, default: f32) -> f32 {
    if default == 600.0 {
        return default;
    }
    match letter {
        Some(
            'i' | 'j' | 'l' | 'I' | '.' | ',' | ';' | ':' | '\'' | '|' | '!' | 'f' | 't' | '(' | ')' | ' '
            | '/',
        ) => 270.0,
        Some('m' | 'w' | 'M' | 'W' | '@' | '%') => 830.0,
        Some('r' | '-' | '"') => 330.0,
        Some(c) if c.is_ascii_uppercase() => 680.0,
        _ => 530.0,
    }
}

/// What the name of a composite font's encoding says of its codes.
fn composite(name: &[u8]) -> Codes {
    let name = String::from_utf8_lossy(name);
    let starts = |with: &[&str]| with.iter().any(|w| name.starts_with(w));
    if name.starts_with("Uni") {
        Codes::Utf16
    } else if starts(&["GB-", "GBK", "GBpc", "GBT"]) {
        Codes::Charset(encoding_rs::GB18030)
    } else if starts(&["B5", "ETen", "HKscs", "ETHK"]) {
        Codes::Charset(encoding_rs::BIG5)
    } else if starts(&["90ms", "90pv", "83pv", "Add-RKSJ", "Ext-RKSJ"]) {
        Codes::Charset(encoding_rs::SHIFT_JIS)
    } else if starts(&["KSC"]) {
        Codes::Charset(encoding_rs::EUC_KR)
    } else if name == "EUC-H" || name == "EUC-V" {
        Codes::Charset(encoding_rs::EUC_JP)
    } else {
        Codes::Pairs
    }
}

/// The encoding of a font of one byte a letter.
fn simple(
    file: &mut File<'_>,
    dict: &Object,
    kind: Option<&[u8]>,
    encoding: &Object,
    out: &mut Out,
) -> Read<Table> {
    let base = match encoding {
        Object::Name(name) => encoding::named(name),
        other => other.name(b"BaseEncoding").and_then(encoding::named),
    };
    let is_symbol = dict.name(b"BaseFont").is_some_and(|name| name.ends_with(b"Symbol"));
    let mut table = base.unwrap_or_else(|| match kind {
        _ if is_symbol => encoding::symbol(),
        Some(b"TrueType") => encoding::of(encoding_rs::WINDOWS_1252),
        _ => encoding::standard(),
    });
    if let Object::Array(changes) = file.get(encoding, b"Differences", out)? {
        let mut code = 0usize;
        for change in changes {
            match change {
                Object::Number(n) => code = n.clamp(0.0, 255.0) as usize,
                Object::Name(glyph) => {
                    encoding::set(&mut table, code, &glyph);
                    code += 1;
                }
                _ => {}
            }
        }
    }
    Ok(table)
}
