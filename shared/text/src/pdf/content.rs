//! The operators of a page that show text. Where lines and words end is said by where the
//! next text begins.

use std::collections::HashMap;
use std::rc::Rc;

use mediadex_media::pdf::{Fault, Lexer, Object};

use super::Page;
use super::file::File;
use super::font::Font;
use crate::bytes::find;
use crate::out::{Out, Read};

/// Forms in forms that are read, and forms of a whole document.
const MAX_FORM_DEPTH: u32 = 8;
const MAX_FORMS: u32 = 50_000;
/// Saved states; deeper ones share the last.
const MAX_STATES: usize = 256;
const MAX_OPERANDS: usize = 64;
/// Entries of all fonts that are kept; more are read again when they are needed again.
const MAX_FONT_ENTRIES: usize = 400_000;

/// Fonts that were read, by the number of their object.
#[derive(Default)]
pub(crate) struct Fonts {
    known: HashMap<u32, Rc<Font>>,
    entries: usize,
    forms: u32,
}

type Matrix = [f64; 6];
const SAME: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

fn times(a: &Matrix, b: &Matrix) -> Matrix {
    [
        a[0] * b[0] + a[1] * b[2],
        a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2],
        a[2] * b[1] + a[3] * b[3],
        a[4] * b[0] + a[5] * b[2] + b[4],
        a[4] * b[1] + a[5] * b[3] + b[5],
    ]
}

#[derive(Clone)]
struct State {
    matrix: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    letter_space: f64,
    word_space: f64,
    scale: f64,
    leading: f64,
    rise: f64,
}

struct Reader<'f, 'a, 'o> {
    file: &'f mut File<'a>,
    fonts: &'f mut Fonts,
    out: &'o mut Out,
    state: State,
    states: Vec<State>,
    text: Matrix,
    line: Matrix,
    /// Where the last text ended.
    end: Option<(f64, f64)>,
    depth: u32,
    unknown: usize,
    codes: usize,
}

/// Reads the text of one page.
pub(crate) fn page(file: &mut File<'_>, page: &Page, fonts: &mut Fonts, out: &mut Out) -> Read {
    let resources = file.resolve(&page.resources, out)?;
    let streams = match &page.contents {
        Object::Reference(_) => match file.resolve(&page.contents, out)? {
            Object::Array(all) => all,
            _ => vec![page.contents.clone()],
        },
        Object::Array(all) => all.clone(),
        _ => Vec::new(),
    };
    let state = State {
        matrix: SAME,
        font: None,
        size: 1.0,
        letter_space: 0.0,
        word_space: 0.0,
        scale: 1.0,
        leading: 0.0,
        rise: 0.0,
    };
    let mut reader = Reader {
        file,
        fonts,
        out,
        state,
        states: Vec::new(),
        text: SAME,
        line: SAME,
        end: None,
        depth: 0,
        unknown: 0,
        codes: 0,
    };
    for stream in streams {
        if let Some((_, bytes)) = reader.file.stream(&stream, reader.out)? {
            reader.run(&bytes, &resources)?;
        }
    }
    if reader.unknown * 2 > reader.codes {
        reader.out.note("fonts do not say which letters they show");
    }
    Ok(())
}

impl Reader<'_, '_, '_> {
    fn run(&mut self, bytes: &[u8], resources: &Object) -> Read {
        let mut operands: Vec<Object> = Vec::new();
        let mut at = 0;
        loop {
            self.out.tick()?;
            let mut lexer = Lexer::new(bytes.get(at..).unwrap_or_default());
            lexer.skip_space();
            let start = at + lexer.at;
            let Some(byte) = bytes.get(start).copied() else { return Ok(()) };
            if byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.') {
                let word = lexer.word();
                at += lexer.at.max(1);
                let number = std::str::from_utf8(word).ok().and_then(|w| w.parse::<f64>().ok());
                push(&mut operands, Object::Number(number.filter(|n| n.is_finite()).unwrap_or(0.0)));
                continue;
            }
            if matches!(byte, b'(' | b'<' | b'[' | b'/') {
                match lexer.object() {
                    Ok(object) => push(&mut operands, object),
                    // What does not end before the stream does is not shown.
                    Err(Fault::Short) => return Ok(()),
                    Err(Fault::Bad) => {}
                }
                at += lexer.at.max(1);
                continue;
            }
            let word = lexer.word();
            if word.is_empty() {
                at = start + 1;
                continue;
            }
            at += lexer.at;
            if word == b"ID" {
                // The bytes of a picture in the page.
                let rest = bytes.get(at..).unwrap_or_default();
                at += image_end(rest);
            } else {
                self.operator(word, &operands, resources)?;
            }
            operands.clear();
        }
    }

    fn operator(&mut self, name: &[u8], operands: &[Object], resources: &Object) -> Read {
        let number = |i: usize| operands.get(i).and_then(Object::number).unwrap_or(0.0);
        match name {
            b"q" if self.states.len() < MAX_STATES => self.states.push(self.state.clone()),
            b"Q" => self.state = self.states.pop().unwrap_or_else(|| self.state.clone()),
            b"cm" => self.state.matrix = times(&matrix(operands), &self.state.matrix),
            b"BT" => (self.text, self.line) = (SAME, SAME),
            b"Tf" => {
                self.state.size = number(1);
                if let Some(Object::Name(name)) = operands.first() {
                    self.state.font = Some(self.font(name, resources)?);
                }
            }
            b"Tc" => self.state.letter_space = number(0),
            b"Tw" => self.state.word_space = number(0),
            b"Tz" => self.state.scale = number(0) / 100.0,
            b"TL" => self.state.leading = number(0),
            b"Ts" => self.state.rise = number(0),
            b"Td" => self.next_line(number(0), number(1)),
            b"TD" => {
                self.state.leading = -number(1);
                self.next_line(number(0), number(1));
            }
            b"T*" => self.next_line(0.0, -self.state.leading),
            b"Tm" => {
                self.line = matrix(operands);
                self.text = self.line;
            }
            b"Tj" => self.show(operands.first())?,
            b"'" => {
                self.next_line(0.0, -self.state.leading);
                self.show(operands.first())?;
            }
            b"\"" => {
                self.state.word_space = number(0);
                self.state.letter_space = number(1);
                self.next_line(0.0, -self.state.leading);
                self.show(operands.get(2))?;
            }
            b"TJ" => {
                if let Some(Object::Array(items)) = operands.first() {
                    for item in items {
                        match item {
                            Object::Number(n) => {
                                self.advance(-n / 1000.0 * self.state.size * self.state.scale)
                            }
                            item => self.show(Some(item))?,
                        }
                    }
                }
            }
            b"Do" => {
                if let Some(Object::Name(name)) = operands.first() {
                    self.form(name, resources)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn next_line(&mut self, x: f64, y: f64) {
        self.line = times(&[1.0, 0.0, 0.0, 1.0, x, y], &self.line);
        self.text = self.line;
    }

    fn advance(&mut self, by: f64) {
        self.text = times(&[1.0, 0.0, 0.0, 1.0, by, 0.0], &self.text);
    }

    fn show(&mut self, operand: Option<&Object>) -> Read {
        let Some(bytes) = operand.and_then(Object::text) else { return Ok(()) };
        let font = match &self.state.font {
            Some(font) => Rc::clone(font),
            None => Rc::new(Font::unknown()),
        };
        let shown = font.show(bytes, self.out)?;
        self.codes += shown.codes;
        self.unknown += shown.unknown;
        let placed =
            times(&[1.0, 0.0, 0.0, 1.0, 0.0, self.state.rise], &times(&self.text, &self.state.matrix));
        self.separate(&placed, font.guessed)?;
        for c in shown.text.chars() {
            self.letter(c)?;
        }
        let spaces =
            shown.codes as f64 * self.state.letter_space + shown.spaces as f64 * self.state.word_space;
        self.advance((shown.width * self.state.size + spaces) * self.state.scale);
        if shown.codes > 0 {
            let placed = times(&self.text, &self.state.matrix);
            self.end = Some((placed[4], placed[5]));
        }
        Ok(())
    }

    /// A letter; ligatures as the letters that they are made of, as readers search for them.
    fn letter(&mut self, c: char) -> Read {
        let letters = match c {
            '\u{fb00}' => "ff",
            '\u{fb01}' => "fi",
            '\u{fb02}' => "fl",
            '\u{fb03}' => "ffi",
            '\u{fb04}' => "ffl",
            '\u{fb05}' | '\u{fb06}' => "st",
            // Codes without a meaning that maps give.
            '\u{fffd}' | '\0' => return Ok(()),
            ' ' | '\u{a0}' | '\t' | '\n' | '\r' => {
                self.out.blank();
                return Ok(());
            }
            c => return self.out.char(c),
        };
        self.out.flowing(letters)
    }

    /// Ends the word or the line where the next text begins elsewhere.
    fn separate(&mut self, placed: &Matrix, guessed: bool) -> Read {
        let Some((x, y)) = self.end else { return Ok(()) };
        let length = placed[0].hypot(placed[1]);
        let height = placed[2].hypot(placed[3]) * self.state.size.abs();
        if !(length.is_finite() && length > 0.0 && height.is_finite()) {
            return Ok(());
        }
        let (dx, dy) = (placed[4] - x, placed[5] - y);
        let along = (dx * placed[0] + dy * placed[1]) / length;
        let across = (dy * placed[0] - dx * placed[1]) / length;
        let em = length * self.state.size.abs();
        let word = if guessed { 0.25 } else { 0.13 };
        if across.abs() > 0.6 * height.max(em) || along < -2.0 * em {
            self.out.line()?;
        } else if along > word * em || along < -0.8 * em {
            self.out.blank();
        }
        Ok(())
    }

    fn font(&mut self, name: &[u8], resources: &Object) -> Read<Rc<Font>> {
        let fonts = self.file.get(resources, b"Font", self.out)?;
        let Some(entry) = fonts.get(name).cloned() else { return Ok(Rc::new(Font::unknown())) };
        let id = match entry {
            Object::Reference(id) => Some(id),
            _ => None,
        };
        if let Some(known) = id.and_then(|id| self.fonts.known.get(&id)) {
            return Ok(Rc::clone(known));
        }
        let dict = self.file.resolve(&entry, self.out)?;
        let font = Rc::new(Font::read(self.file, &dict, self.out)?);
        if let Some(id) = id {
            self.fonts.entries += font.size();
            if self.fonts.entries > MAX_FONT_ENTRIES {
                self.fonts.known.clear();
                self.fonts.entries = font.size();
            }
            self.fonts.known.insert(id, Rc::clone(&font));
        }
        Ok(font)
    }

    /// A page in a page.
    fn form(&mut self, name: &[u8], resources: &Object) -> Read {
        if self.depth >= MAX_FORM_DEPTH || self.fonts.forms >= MAX_FORMS {
            return Ok(());
        }
        let objects = self.file.get(resources, b"XObject", self.out)?;
        let Some(entry) = objects.get(name).cloned() else { return Ok(()) };
        // Pictures are not unpacked.
        let head = self.file.resolve(&entry, self.out)?;
        if head.name(b"Subtype") != Some(b"Form") {
            return Ok(());
        }
        self.fonts.forms += 1;
        let Some((dict, bytes)) = self.file.stream(&entry, self.out)? else { return Ok(()) };
        let own = self.file.get(&dict, b"Resources", self.out)?;
        let placed = match self.file.get(&dict, b"Matrix", self.out)? {
            Object::Array(items) if items.len() == 6 => matrix(&items),
            _ => SAME,
        };
        let saved = (self.state.clone(), self.text, self.line, std::mem::take(&mut self.states));
        self.state.matrix = times(&placed, &self.state.matrix);
        self.depth += 1;
        let resources = if own == Object::Null { resources } else { &own };
        let done = self.run(&bytes, resources);
        self.depth -= 1;
        (self.state, self.text, self.line, self.states) = saved;
        done
    }
}

fn push(operands: &mut Vec<Object>, object: Object) {
    if operands.len() < MAX_OPERANDS {
        operands.push(object);
    }
}

fn matrix(operands: &[Object]) -> Matrix {
    std::array::from_fn(|i| operands.get(i).and_then(Object::number).unwrap_or(0.0))
}

/// Length of a picture's bytes up to behind its `EI`.
fn image_end(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = rest.get(at..).and_then(|b| find(b, b"EI")) {
        at += found + 2;
        let before = at.checked_sub(3).and_then(|i| rest.get(i)).is_none_or(u8::is_ascii_whitespace);
        let after = rest.get(at).is_none_or(u8::is_ascii_whitespace);
        if before && after {
            return at;
        }
    }
    rest.len()
}
