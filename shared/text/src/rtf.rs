//! RTF: groups are kept on a list, not on the stack, and no more than a bounded number of them.

use std::collections::HashMap;

use encoding_rs::Encoding;

use crate::Error;
use crate::charset::code_page;
use crate::out::{Out, Read};

/// Groups in groups whose state is kept; deeper ones share the last state.
const MAX_DEPTH: usize = 1_000;
const MAX_FONTS: usize = 4_096;
/// Bytes in hex that are gathered before they are decoded.
const MAX_PENDING: usize = 4_096;

/// Destinations that are no text of the document.
const SKIPPED: &[&str] = &[
    "annotation",
    "atnauthor",
    "atnid",
    "bkmkend",
    "bkmkstart",
    "colortbl",
    "datafield",
    "datastore",
    "filetbl",
    "fldinst",
    "generator",
    "info",
    "listoverridetable",
    "listtable",
    "nonshppict",
    "objclass",
    "objdata",
    "panose",
    "pict",
    "pnseclvl",
    "revtbl",
    "rsidtbl",
    "stylesheet",
    "tc",
    "themedata",
    "xe",
];
/// Destinations marked as optional that hold text all the same.
const TEXTS: &[&str] = &["shpinst", "shptxt"];

#[derive(Clone)]
struct State {
    skip: bool,
    fonts: bool,
    /// Bytes that stand behind `\u` for readers that do not know it.
    fallback: usize,
    encoding: &'static Encoding,
    hidden: bool,
    deleted: bool,
}

struct Reader<'a, 'o> {
    bytes: &'a [u8],
    at: usize,
    out: &'o mut Out,
    state: State,
    groups: Vec<State>,
    deeper: usize,
    base: &'static Encoding,
    font_encodings: HashMap<i32, &'static Encoding>,
    font: i32,
    pending: Vec<u8>,
    /// Bytes that are still left out behind a `\u`.
    ignore: usize,
    high: Option<u16>,
}

pub(crate) fn read(content: &[u8], out: &mut Out) -> Read {
    let start = content.get(..1024).unwrap_or(content);
    let Some(at) = crate::bytes::find(start, b"{\\rtf") else {
        return Err(Error::Damaged("it does not begin as RTF does".to_owned()).into());
    };
    let base = code_page(1252);
    let state =
        State { skip: false, fonts: false, fallback: 1, encoding: base, hidden: false, deleted: false };
    let mut reader = Reader {
        bytes: content.get(at..).unwrap_or_default(),
        at: 0,
        out,
        state,
        groups: Vec::new(),
        deeper: 0,
        base,
        font_encodings: HashMap::new(),
        font: 0,
        pending: Vec::new(),
        ignore: 0,
        high: None,
    };
    let done = reader.run();
    reader.flush()?;
    done
}

impl Reader<'_, '_> {
    fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn run(&mut self) -> Read {
        while let Some(byte) = self.next() {
            self.out.tick()?;
            match byte {
                b'{' => {
                    self.flush()?;
                    self.ignore = 0;
                    if self.groups.len() < MAX_DEPTH {
                        self.groups.push(self.state.clone());
                    } else {
                        self.deeper += 1;
                    }
                }
                b'}' => {
                    self.flush()?;
                    self.ignore = 0;
                    if self.deeper > 0 {
                        self.deeper -= 1;
                    } else if let Some(state) = self.groups.pop() {
                        self.state = state;
                        if self.groups.is_empty() {
                            return Ok(());
                        }
                    }
                }
                b'\\' => self.control()?,
                b'\r' | b'\n' | 0 => {}
                b'\t' => {
                    self.flush()?;
                    self.symbol('\t')?;
                }
                byte => self.byte(byte)?,
            }
        }
        Ok(())
    }

    fn shown(&self) -> bool {
        !(self.state.skip || self.state.fonts || self.state.hidden || self.state.deleted)
    }

    fn byte(&mut self, byte: u8) -> Read {
        if self.ignore > 0 {
            self.ignore -= 1;
            return Ok(());
        }
        if !self.shown() {
            return Ok(());
        }
        self.pending.push(byte);
        if self.pending.len() >= MAX_PENDING && byte.is_ascii_whitespace()
            || self.pending.len() >= 2 * MAX_PENDING
        {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Read {
        if self.high.take().is_some() {
            self.symbol('\u{fffd}')?;
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        let text = self.state.encoding.decode_without_bom_handling(&self.pending).0.into_owned();
        self.pending.clear();
        self.out.verbatim(&text)
    }

    fn symbol(&mut self, c: char) -> Read {
        if self.shown() { self.out.char(c) } else { Ok(()) }
    }

    fn control(&mut self) -> Read {
        let Some(first) = self.next() else { return Ok(()) };
        if !first.is_ascii_alphabetic() {
            return self.control_symbol(first);
        }
        let start = self.at - 1;
        while self.peek().is_some_and(|b| b.is_ascii_alphabetic()) && self.at - start < 32 {
            self.at += 1;
        }
        let name = self.bytes.get(start..self.at).unwrap_or_default();
        let digits = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        while self.peek().is_some_and(|b| b.is_ascii_digit()) && self.at - digits < 11 {
            self.at += 1;
        }
        let number =
            self.bytes.get(digits..self.at).and_then(|d| std::str::from_utf8(d).ok()?.parse::<i64>().ok());
        if self.peek() == Some(b' ') {
            self.at += 1;
        }
        let name = std::str::from_utf8(name).unwrap_or_default();
        self.word(name, number)
    }

    fn control_symbol(&mut self, symbol: u8) -> Read {
        match symbol {
            b'\'' => {
                let code = self.bytes.get(self.at..self.at + 2);
                let code = code.and_then(|h| u8::from_str_radix(std::str::from_utf8(h).ok()?, 16).ok());
                if let Some(code) = code {
                    self.at += 2;
                    self.byte(code)?;
                }
                Ok(())
            }
            b'*' => {
                // An optional destination that is not known is left out with all in it.
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                let name = rest.strip_prefix(b"\\").unwrap_or_default();
                let len = name.iter().take(32).take_while(|b| b.is_ascii_alphabetic()).count();
                let name = name.get(..len).unwrap_or_default();
                if !TEXTS.iter().any(|t| t.as_bytes() == name) {
                    self.state.skip = true;
                }
                Ok(())
            }
            b'{' | b'}' | b'\\' => self.byte(symbol),
            _ => {
                self.flush()?;
                match symbol {
                    b'~' => self.symbol('\u{a0}'),
                    b'_' => self.symbol('-'),
                    b'\r' | b'\n' if self.shown() => self.out.line(),
                    _ => Ok(()),
                }
            }
        }
    }

    fn word(&mut self, name: &str, number: Option<i64>) -> Read {
        let on = number != Some(0);
        if name == "u" {
            let unit = number.unwrap_or(0).rem_euclid(65_536) as u16;
            return self.unicode(unit);
        }
        if name == "bin" {
            self.at = self.at.saturating_add(usize::try_from(number.unwrap_or(0)).unwrap_or(0));
            return Ok(());
        }
        self.flush()?;
        if SKIPPED.contains(&name) {
            self.state.skip = true;
            return Ok(());
        }
        match name {
            "par" | "sect" | "page" | "row" | "nestrow" if self.shown() => self.out.line()?,
            "line" | "column" if self.shown() => self.out.line_break()?,
            "cell" | "nestcell" if self.shown() => self.out.cell()?,
            "tab" => self.symbol('\t')?,
            "emdash" => self.symbol('—')?,
            "endash" => self.symbol('–')?,
            "lquote" => self.symbol('‘')?,
            "rquote" => self.symbol('’')?,
            "ldblquote" => self.symbol('“')?,
            "rdblquote" => self.symbol('”')?,
            "bullet" => self.symbol('•')?,
            "emspace" | "enspace" | "qmspace" => self.symbol(' ')?,
            "footnote" if self.shown() => self.out.blank(),
            "uc" => self.state.fallback = number.and_then(|n| usize::try_from(n).ok()).unwrap_or(1).min(16),
            "ansicpg" => {
                self.base = code_page(number.and_then(|n| u32::try_from(n).ok()).unwrap_or(1252));
                self.state.encoding = self.base;
            }
            "mac" => {
                self.base = code_page(10_000);
                self.state.encoding = self.base;
            }
            "fonttbl" => self.state.fonts = true,
            "f" => {
                self.font = number.and_then(|n| i32::try_from(n).ok()).unwrap_or(0);
                if !self.state.fonts {
                    self.state.encoding = self.font_encodings.get(&self.font).copied().unwrap_or(self.base);
                }
            }
            "fcharset" if self.state.fonts => {
                if let Some(page) = charset(number.unwrap_or(0))
                    && self.font_encodings.len() < MAX_FONTS
                {
                    self.font_encodings.insert(self.font, code_page(page));
                }
            }
            "cpg" if self.state.fonts && self.font_encodings.len() < MAX_FONTS => {
                let page = number.and_then(|n| u32::try_from(n).ok()).unwrap_or(1252);
                self.font_encodings.insert(self.font, code_page(page));
            }
            "plain" => {
                self.state.hidden = false;
                self.state.deleted = false;
            }
            "v" => self.state.hidden = on,
            "deleted" => self.state.deleted = on,
            _ => {}
        }
        Ok(())
    }

    fn unicode(&mut self, unit: u16) -> Read {
        self.ignore = 0;
        let high = self.high.take();
        if !self.pending.is_empty() {
            self.flush()?;
        }
        self.ignore = self.state.fallback;
        match (high, unit) {
            (_, 0xd800..=0xdbff) => {
                self.high = Some(unit);
                Ok(())
            }
            (Some(high), 0xdc00..=0xdfff) => {
                let code = 0x10000 + ((u32::from(high) - 0xd800) << 10) + (u32::from(unit) - 0xdc00);
                self.symbol(char::from_u32(code).unwrap_or('\u{fffd}'))
            }
            _ => {
                // Symbol fonts lie in the private area, their letters where ASCII has them.
                let unit = if (0xf020..=0xf0ff).contains(&unit) { unit - 0xf000 } else { unit };
                self.symbol(char::from_u32(u32::from(unit)).unwrap_or('\u{fffd}'))
            }
        }
    }
}

/// The code page of a font's character set; None for the document's own.
fn charset(number: i64) -> Option<u32> {
    Some(match number {
        0 => 1252,
        77 => 10_000,
        128 => 932,
        129 => 949,
        130 => 1361,
        134 => 936,
        136 => 950,
        161 => 1253,
        162 => 1254,
        163 => 1258,
        177 => 1255,
        178 => 1256,
        186 => 1257,
        204 => 1251,
        222 => 874,
        238 => 1250,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::{Limits, extract};

    #[test]
    fn documents() {
        for (rtf, want) in [
            (r"{\rtf1\ansi Hello\par World}", "Hello\nWorld"),
            (r"{\rtf1\ansi\ansicpg1251 \'cf\'f0\'e8\'e2\'e5\'f2}", "Привет"),
            (
                r"{\rtf1\ansi{\fonttbl{\f0\fcharset134 x;}{\f1\fcharset0 y;}}\f0 \'ba\'bc\'d6\'dd\f1 caf\'e9}",
                "杭州café",
            ),
            (r"{\rtf1\uc1 \u26477?\u24030?x}", "杭州x"),
            (r"{\rtf1\uc2 \u233\'a1\'a2 y{\uc0 \u8364 z}}", "é y€z"),
            (r"{\rtf1\uc1\u-10179?\u-8704?!}", "😀!"),
            (r"{\rtf1{\*\unknown no}{\info{\title no}}{\pict 00ff}yes}", "yes"),
            (r"{\rtf1 a\{b\}c\\d\~e}", "a{b}c\\d\u{a0}e"),
            (r"{\rtf1\trowd a\cell b\cell\row c\cell d\cell\row}", "a\tb\nc\td"),
            (r"{\rtf1{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}}", "link"),
            (r"{\rtf1 a{\v hidden}{\deleted gone}b\line c\tab d}", "ab\nc\td"),
            ("{\\rtf1 a\\bin3 }}}b}", "ab"),
        ] {
            let text = extract(rtf.as_bytes(), "application/rtf", &Limits::default()).map(|t| t.text);
            assert_eq!(text.as_deref().ok(), Some(want), "{rtf}");
        }
    }
}
