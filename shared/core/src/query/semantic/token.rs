//! From text to tokens that keep their place in it.

use unicode_segmentation::UnicodeSegmentation;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// ASCII digits and how many of them: `06` is a month where `2006` is a year.
    Number(u32, usize),
    /// A word of a script that separates words.
    Word,
    /// One character of a script that does not.
    Han(char),
    /// Anything else that is seen.
    Mark(char),
}

/// A piece of the text.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// A word in lower case, without a possessive `'s`.
    pub(super) lower: String,
    /// In bytes.
    pub(super) start: usize,
    /// In bytes, exclusive.
    pub(super) end: usize,
}

/// Full-width forms become ASCII, so that they are understood alike.
pub(super) fn narrow(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            '\u{3000}' => ' ',
            c => c,
        })
        .collect()
}

/// Whether the character belongs to a script without blanks between words.
fn is_han(c: char) -> bool {
    matches!(c,
        '\u{3005}' | '\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Splits by Unicode's word boundaries; blanks are dropped.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (start, segment) in text.split_word_bound_indices() {
        let Some(first) = segment.chars().next() else { continue };
        if first.is_whitespace() || first.is_control() {
            continue;
        }
        if is_han(first) || !first.is_alphanumeric() {
            for (offset, c) in segment.char_indices() {
                let kind = if is_han(c) { Kind::Han(c) } else { Kind::Mark(c) };
                let start = start + offset;
                tokens.push(Token { kind, lower: String::new(), start, end: start + c.len_utf8() });
            }
        } else if segment.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',')) {
            numbers(segment, start, &mut tokens);
        } else {
            tokens.push(word(segment, start));
        }
    }
    tokens
}

/// `2023.06.05` is one word to Unicode, and three numbers here.
fn numbers(segment: &str, start: usize, tokens: &mut Vec<Token>) {
    let mut at = start;
    for part in segment.split_inclusive(['.', ',']) {
        let digits = part.trim_end_matches(['.', ',']);
        let end = at + digits.len();
        if !digits.is_empty() {
            // A number that no date has is a word like others.
            let (kind, lower) = match digits.parse::<u32>() {
                Ok(value) if digits.len() < 10 => (Kind::Number(value, digits.len()), String::new()),
                _ => (Kind::Word, digits.to_owned()),
            };
            tokens.push(Token { kind, lower, start: at, end });
        }
        for (offset, c) in part.char_indices().skip(digits.len()) {
            tokens.push(Token {
                kind: Kind::Mark(c),
                lower: String::new(),
                start: at + offset,
                end: at + offset + 1,
            });
        }
        at += part.len();
    }
}

fn word(segment: &str, start: usize) -> Token {
    let mut lower = segment.to_lowercase();
    for suffix in ["'s", "\u{2019}s"] {
        let Some(stem) = lower.strip_suffix(suffix) else { continue };
        lower = stem.to_owned();
        break;
    }
    Token { kind: Kind::Word, lower, start, end: start + segment.len() }
}
