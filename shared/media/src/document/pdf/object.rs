//! PDF objects: a lenient parser of bounded depth.

/// A PDF object.
#[derive(Debug, Clone, PartialEq)]
pub enum Object {
    /// No value.
    Null,
    /// A number, or true or false as 1 or 0.
    Number(f64),
    /// A string's bytes.
    Text(Vec<u8>),
    /// A name without its slash.
    Name(Vec<u8>),
    /// An array.
    Array(Vec<Object>),
    /// Keys and values in the order of the file.
    Dict(Vec<(Vec<u8>, Object)>),
    /// The number of another object.
    Reference(u32),
}

impl Object {
    /// The value of a dictionary's key.
    pub fn get(&self, key: &[u8]) -> Option<&Object> {
        match self {
            Object::Dict(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The name that a dictionary's key has.
    pub fn name(&self, key: &[u8]) -> Option<&[u8]> {
        match self.get(key) {
            Some(Object::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// The bytes of a string.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number; 1 and 0 for true and false.
    pub fn number(&self) -> Option<f64> {
        match self {
            Object::Number(n) => Some(*n),
            _ => None,
        }
    }

    /// A non-negative whole number.
    pub fn index(&self) -> Option<u64> {
        self.number().filter(|n| (0.0..1e15).contains(n)).map(|n| n as u64)
    }

    /// The non-negative whole numbers of an array.
    pub fn numbers(&self) -> Vec<u64> {
        match self {
            Object::Array(items) => items.iter().filter_map(Object::index).collect(),
            _ => Vec::new(),
        }
    }
}

/// Deepest nesting and most elements of one object.
const MAX_DEPTH: u32 = 32;
const MAX_NODES: usize = 100_000;

/// Why parsing ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The bytes end inside the object.
    Short,
    /// Not an object.
    Bad,
}

/// A cursor over bytes.
pub struct Lexer<'a> {
    /// All bytes.
    pub bytes: &'a [u8],
    /// Where the cursor stands.
    pub at: usize,
    nodes: usize,
}

fn is_space(b: u8) -> bool {
    matches!(b, 0 | 9 | 10 | 12 | 13 | 32)
}

fn is_delimiter(b: u8) -> bool {
    matches!(b, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

impl<'a> Lexer<'a> {
    /// A cursor that stands at the beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Lexer { bytes, at: 0, nodes: 0 }
    }

    fn peek(&self, ahead: usize) -> Result<u8, Fault> {
        self.bytes.get(self.at + ahead).copied().ok_or(Fault::Short)
    }

    /// Goes on behind blanks and comments.
    pub fn skip_space(&mut self) {
        while let Ok(b) = self.peek(0) {
            if b == b'%' {
                while self.peek(0).is_ok_and(|b| b != b'\n' && b != b'\r') {
                    self.at += 1;
                }
            } else if is_space(b) {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    /// A run of regular characters.
    pub fn word(&mut self) -> &'a [u8] {
        self.skip_space();
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|b| is_space(*b) || is_delimiter(*b)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }

    /// Goes on behind the word, if it is the next one.
    pub fn eat(&mut self, word: &[u8]) -> bool {
        self.skip_space();
        let found = self.bytes.get(self.at..).is_some_and(|b| b.starts_with(word));
        if found {
            self.at += word.len();
        }
        found
    }

    /// The next word as a whole number.
    pub fn integer(&mut self) -> Option<u64> {
        std::str::from_utf8(self.word()).ok()?.parse().ok()
    }

    /// The next object. Nesting and the number of its parts are bounded.
    pub fn object(&mut self) -> Result<Object, Fault> {
        self.nested(0)
    }

    fn nested(&mut self, depth: u32) -> Result<Object, Fault> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(Fault::Bad);
        }
        self.skip_space();
        match self.peek(0)? {
            b'<' if self.peek(1)? == b'<' => self.dict(depth),
            b'<' => self.hex(),
            b'(' => self.literal(),
            b'/' => {
                self.at += 1;
                Ok(Object::Name(self.name()))
            }
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                loop {
                    self.skip_space();
                    if self.peek(0)? == b']' {
                        self.at += 1;
                        return Ok(Object::Array(items));
                    }
                    items.push(self.nested(depth + 1)?);
                }
            }
            b'+' | b'-' | b'.' | b'0'..=b'9' => self.number_or_reference(),
            b => {
                let start = self.at;
                let word = self.word();
                if word.is_empty() {
                    self.at = start;
                    return Err(Fault::Bad);
                }
                match (word, b) {
                    (b"true", _) => Ok(Object::Number(1.0)),
                    (b"false", _) => Ok(Object::Number(0.0)),
                    (b"null", _) => Ok(Object::Null),
                    _ if self.at == self.bytes.len() => Err(Fault::Short),
                    _ => Err(Fault::Bad),
                }
            }
        }
    }

    fn dict(&mut self, depth: u32) -> Result<Object, Fault> {
        self.at += 2;
        let mut entries = Vec::new();
        loop {
            self.skip_space();
            match self.peek(0)? {
                b'>' => {
                    self.at += if self.peek(1).is_ok_and(|b| b == b'>') { 2 } else { 1 };
                    return Ok(Object::Dict(entries));
                }
                b'/' => {
                    self.at += 1;
                    let key = self.name();
                    match self.nested(depth + 1) {
                        Ok(value) => entries.push((key, value)),
                        // A bad value costs its key; the next key goes on.
                        Err(Fault::Bad) if self.at < self.bytes.len() => self.at += 1,
                        Err(fault) => return Err(fault),
                    }
                }
                // A dictionary that is not closed ends where the object does.
                b'e' if self.bytes.get(self.at..).is_some_and(|b| b.starts_with(b"endobj")) => {
                    return Ok(Object::Dict(entries));
                }
                _ => self.at += 1,
            }
        }
    }

    fn name(&mut self) -> Vec<u8> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|b| is_space(*b) || is_delimiter(*b)).unwrap_or(rest.len());
        self.at += len;
        let raw = rest.get(..len.min(256)).unwrap_or_default();
        let mut out = Vec::with_capacity(raw.len());
        let mut at = 0;
        while let Some(b) = raw.get(at) {
            let code = raw
                .get(at + 1..at + 3)
                .and_then(|h| u8::from_str_radix(std::str::from_utf8(h).ok()?, 16).ok());
            match (b, code) {
                (b'#', Some(code)) => {
                    out.push(code);
                    at += 3;
                }
                _ => {
                    out.push(*b);
                    at += 1;
                }
            }
        }
        out
    }

    fn number_or_reference(&mut self) -> Result<Object, Fault> {
        let word = self.word();
        if self.at == self.bytes.len() {
            return Err(Fault::Short);
        }
        let text = std::str::from_utf8(word).map_err(|_| Fault::Bad)?;
        let back = self.at;
        if let Ok(id) = text.parse::<u32>() {
            let generation = self.word();
            let digits = !generation.is_empty() && generation.iter().all(u8::is_ascii_digit);
            let mark = if digits { self.word() } else { b"" };
            if mark == b"R" {
                return Ok(Object::Reference(id));
            }
            if digits && mark.is_empty() && self.at >= self.bytes.len() {
                return Err(Fault::Short);
            }
            self.at = back;
        }
        let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
        // Writers' slips such as `--1` count as zero, as viewers take them.
        Ok(Object::Number(number.unwrap_or(0.0)))
    }

    fn hex(&mut self) -> Result<Object, Fault> {
        self.at += 1;
        let mut out = Vec::new();
        let mut half = None;
        loop {
            let b = self.peek(0)?;
            self.at += 1;
            let digit = match b {
                b'>' => break,
                _ => char::from(b).to_digit(16).map(|d| d as u8),
            };
            if let Some(d) = digit {
                match half.take() {
                    Some(high) => out.push(high << 4 | d),
                    None => half = Some(d),
                }
            }
        }
        out.extend(half.map(|h| h << 4));
        Ok(Object::Text(out))
    }

    fn literal(&mut self) -> Result<Object, Fault> {
        self.at += 1;
        let mut out = Vec::new();
        let mut open = 0;
        loop {
            let b = self.peek(0)?;
            self.at += 1;
            match b {
                b')' if open == 0 => return Ok(Object::Text(out)),
                b')' => open -= 1,
                b'(' => open += 1,
                b'\\' => {
                    let e = self.peek(0)?;
                    self.at += 1;
                    match e {
                        b'n' => out.push(b'\n'),
                        b'r' => out.push(b'\r'),
                        b't' => out.push(b'\t'),
                        b'b' | b'f' => {}
                        b'\r' => {
                            if self.peek(0)? == b'\n' {
                                self.at += 1;
                            }
                        }
                        b'\n' => {}
                        b'0'..=b'7' => {
                            let mut code = u32::from(e - b'0');
                            for _ in 0..2 {
                                match self.peek(0)? {
                                    d @ b'0'..=b'7' => {
                                        code = code * 8 + u32::from(d - b'0');
                                        self.at += 1;
                                    }
                                    _ => break,
                                }
                            }
                            out.push(code as u8);
                        }
                        other => out.push(other),
                    }
                    continue;
                }
                _ => {}
            }
            out.push(b);
        }
    }
}

/// Text string: UTF-16 or UTF-8 by mark, else PDFDocEncoding.
pub(super) fn text(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, rest @ ..] => crate::text::utf16(rest, true),
        [0xff, 0xfe, rest @ ..] => crate::text::utf16(rest, false),
        [0xef, 0xbb, 0xbf, rest @ ..] => crate::text::decode(rest),
        _ => doc_encoding(bytes),
    }
}

/// PDFDocEncoding differs from Latin-1 between 0x18 and 0x1f and 0x80 and 0xa0.
fn doc_encoding(bytes: &[u8]) -> String {
    const LOW: [char; 8] = ['˘', 'ˇ', 'ˆ', '˙', '˝', '˛', '˚', '˜'];
    const HIGH: [char; 33] = [
        '•', '†', '‡', '…', '—', '–', 'ƒ', '⁄', '‹', '›', '−', '‰', '„', '“', '”', '‘', '’', '‚', '™', 'ﬁ',
        'ﬂ', 'Ł', 'Œ', 'Š', 'Ÿ', 'Ž', 'ı', 'ł', 'œ', 'š', 'ž', '\u{fffd}', '€',
    ];
    bytes
        .iter()
        .map(|b| match b {
            0x18..=0x1f => LOW.get(usize::from(b - 0x18)).copied().unwrap_or(' '),
            // Bytes without a meaning there.
            0x7f | 0xad => '\u{fffd}',
            0x80..=0xa0 => HIGH.get(usize::from(b - 0x80)).copied().unwrap_or(' '),
            _ => char::from(*b),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_without_a_meaning_are_told() {
        assert_eq!(doc_encoding(b"a\x85\xad\x7f\x9f\xe9"), "a–\u{fffd}\u{fffd}\u{fffd}é");
    }

    fn check(input: &[u8], want: Result<Object, Fault>) {
        assert_eq!(Lexer::new(input).object(), want, "{}", String::from_utf8_lossy(input));
    }

    #[test]
    fn objects() {
        check(b"12 0 R ", Ok(Object::Reference(12)));
        check(b"12 0 obj", Ok(Object::Number(12.0)));
        check(b"-1.5 ", Ok(Object::Number(-1.5)));
        check(b"(a\\(b\\051(c)\\n)", Ok(Object::Text(b"a(b)(c)\n".to_vec())));
        check(b"<4a4B4>", Ok(Object::Text(b"JK@".to_vec())));
        check(b"/A#42 ", Ok(Object::Name(b"AB".to_vec())));
        check(b"[1 2", Err(Fault::Short));
        check(b"(abc", Err(Fault::Short));
        check(b"<< /A 1 /B << /C [2 3] >> >>", {
            let inner = Object::Dict(vec![(
                b"C".to_vec(),
                Object::Array(vec![Object::Number(2.0), Object::Number(3.0)]),
            )]);
            Ok(Object::Dict(vec![(b"A".to_vec(), Object::Number(1.0)), (b"B".to_vec(), inner)]))
        });
        check(&b"[".repeat(1000), Err(Fault::Bad));
    }
}
