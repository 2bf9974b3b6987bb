//! Maps from the codes of a font to text, as `ToUnicode` streams give them.

use std::collections::HashMap;

use mediadex_media::pdf::{Lexer, Object};

use crate::out::{Out, Read};

/// Most entries that are kept of one map.
const MAX_ENTRIES: usize = 150_000;

#[derive(Default)]
pub(crate) struct CMap {
    /// Lengths in bytes of codes, with their first and last.
    spaces: Vec<(usize, u32, u32)>,
    single: HashMap<u32, String>,
    /// First and last code, and the text of the first one; sorted by the first code.
    ranges: Vec<(u32, u32, String)>,
}

fn code(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |n, b| n << 8 | u32::from(*b))
}

fn text(bytes: &[u8]) -> String {
    match bytes {
        [one] => char::from(*one).to_string(),
        _ => {
            let units = bytes.as_chunks::<2>().0.iter().take(16).map(|p| u16::from_be_bytes(*p));
            char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect()
        }
    }
}

impl CMap {
    pub(crate) fn parse(bytes: &[u8], out: &mut Out) -> Read<CMap> {
        let mut map = CMap::default();
        let mut lexer = Lexer::new(bytes);
        let mut held: Vec<Object> = Vec::new();
        loop {
            out.tick()?;
            lexer.skip_space();
            let Some(byte) = bytes.get(lexer.at) else { break };
            if byte.is_ascii_alphabetic() {
                match lexer.word() {
                    b"endcodespacerange" => {
                        for pair in held.as_chunks::<2>().0 {
                            if let [Object::Text(low), Object::Text(high)] = pair
                                && map.spaces.len() < 256
                            {
                                map.spaces.push((low.len().clamp(1, 4), code(low), code(high)));
                            }
                        }
                    }
                    b"endbfchar" => {
                        for pair in held.as_chunks::<2>().0 {
                            if let [Object::Text(from), Object::Text(to)] = pair {
                                map.single.insert(code(from), text(to));
                            }
                        }
                    }
                    b"endbfrange" => {
                        for three in held.as_chunks::<3>().0 {
                            map.range(three);
                        }
                    }
                    _ => {}
                }
                held.clear();
                if map.single.len() + map.ranges.len() > MAX_ENTRIES {
                    break;
                }
                continue;
            }
            let start = lexer.at;
            // Each object may have as many parts as one can have.
            let mut one = Lexer::new(bytes.get(start..).unwrap_or_default());
            match one.object() {
                Ok(object) if held.len() < MAX_ENTRIES => held.push(object),
                Ok(_) => {}
                Err(_) if start + one.at >= bytes.len() => break,
                Err(_) => {}
            }
            lexer.at = start + one.at.max(1);
        }
        map.ranges.sort_by_key(|(low, ..)| *low);
        Ok(map)
    }

    fn range(&mut self, three: &[Object; 3]) {
        match three {
            [Object::Text(low), Object::Text(high), Object::Text(to)] => {
                self.ranges.push((code(low), code(high), text(to)));
            }
            [Object::Text(low), Object::Text(_), Object::Array(all)] => {
                for (i, to) in (0u32..).zip(all) {
                    if let Object::Text(to) = to {
                        self.single.insert(code(low).saturating_add(i), text(to));
                    }
                }
            }
            _ => {}
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.single.is_empty() && self.ranges.is_empty()
    }

    /// What it takes of memory, in entries.
    pub(crate) fn len(&self) -> usize {
        self.single.len() + self.ranges.len()
    }

    /// The length of the code that the bytes begin with, where the map says it.
    pub(crate) fn code_length(&self, bytes: &[u8]) -> Option<usize> {
        self.spaces
            .iter()
            .find(|(len, low, high)| bytes.get(..*len).is_some_and(|b| (*low..=*high).contains(&code(b))))
            .map(|(len, ..)| *len)
    }

    pub(crate) fn get(&self, code: u32, to: &mut String) -> bool {
        if let Some(text) = self.single.get(&code) {
            to.push_str(text);
            return true;
        }
        let at = self.ranges.partition_point(|(low, ..)| *low <= code);
        let Some((low, high, first)) = at.checked_sub(1).and_then(|at| self.ranges.get(at)) else {
            return false;
        };
        if code > *high {
            return false;
        }
        // The last letter of the text counts on.
        let mut letters = first.chars();
        let last = letters.next_back().map_or(0, u32::from);
        to.push_str(letters.as_str());
        to.push(char::from_u32(last.saturating_add(code - low)).unwrap_or('\u{fffd}'));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn maps() {
        let text = b"1 begincodespacerange <00> <7f> <8000> <ffff> endcodespacerange \
            2 beginbfchar <01> <0041> <8001> <D83DDE00> endbfchar \
            2 beginbfrange <10> <12> <0061> <20> <21> [<0066006C> <0078>] endbfrange";
        let map = CMap::parse(text, &mut Out::new(&Limits::default())).unwrap();
        let get = |code| {
            let mut to = String::new();
            map.get(code, &mut to).then_some(to)
        };
        assert_eq!(get(1).as_deref(), Some("A"));
        assert_eq!(get(0x8001).as_deref(), Some("😀"));
        assert_eq!(get(0x12).as_deref(), Some("c"));
        assert_eq!(get(0x13), None);
        assert_eq!(get(0x20).as_deref(), Some("fl"));
        assert_eq!(map.code_length(&[0x80, 1]), Some(2));
        assert_eq!(map.code_length(&[0x10]), Some(1));
    }
}
