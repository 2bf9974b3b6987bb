//! Text out of bytes: decoding, cleaning, bounding.

/// Trims blanks and NULs, drops control characters, bounds the length in bytes.
/// None where nothing is left.
pub(crate) fn clean(text: &str, max: usize) -> Option<String> {
    let mut out = String::with_capacity(text.len().min(max));
    for c in text.trim_matches(|c: char| c.is_whitespace() || c == '\0' || c == '\u{feff}').chars() {
        if out.len() + c.len_utf8() > max {
            break;
        }
        if c.is_control() && c != '\n' && c != '\t' {
            if c == '\r' {
                out.push('\n');
            }
            continue;
        }
        out.push(c);
    }
    let trimmed = out.trim_end().len();
    out.truncate(trimmed);
    if out.is_empty() { None } else { Some(out) }
}

/// UTF-8 where it is valid, else Windows-1252.
pub(crate) fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        // Cut inside a character at the end: still UTF-8, where other characters prove it.
        Err(e) if e.error_len().is_none() => match bytes.split_at_checked(e.valid_up_to()) {
            Some((text, _)) if !text.is_ascii() => String::from_utf8_lossy(text).into_owned(),
            _ => latin1(bytes),
        },
        Err(_) => latin1(bytes),
    }
}

/// Windows-1252, of which Latin-1 is the printable part.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    bytes
        .iter()
        .map(|b| match b {
            0x80..=0x9f => HIGH.get(usize::from(*b - 0x80)).copied().unwrap_or('\u{fffd}'),
            _ => char::from(*b),
        })
        .collect()
}

/// A text that a reader took for Latin-1, by its bytes: UTF-8 where it is that.
pub(crate) fn reread(text: &str) -> String {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    bytes.map_or_else(|| text.to_owned(), |b| decode(&b))
}

/// UTF-16 of the given order, up to the first NUL.
pub(crate) fn utf16(bytes: &[u8], big: bool) -> String {
    let units = bytes.chunks_exact(2).map(|p| match *p {
        [a, b] if big => u16::from_be_bytes([a, b]),
        [a, b] => u16::from_le_bytes([a, b]),
        _ => 0,
    });
    char::decode_utf16(units.take_while(|u| *u != 0)).map(|c| c.unwrap_or('\u{fffd}')).collect()
}

/// Text with a byte order mark, or without one as [`decode`] reads it.
pub(crate) fn decode_bom(bytes: &[u8]) -> String {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, false),
        [0xfe, 0xff, rest @ ..] => utf16(rest, true),
        [0xef, 0xbb, 0xbf, rest @ ..] => decode(rest),
        _ => decode(bytes),
    }
}

/// The bytes before the first NUL.
pub(crate) fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default()
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(bytes.len() * 2);
    for b in bytes {
        let _ = write!(out, "{b:02x}");
    }
    out
}

/// The five XML entities and numeric references; anything else stays as written.
pub(crate) fn unescape_xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        let end = tail.char_indices().take(12).find(|(_, c)| *c == ';').map(|(i, _)| i);
        let c = end.and_then(|end| tail.get(1..end)).and_then(|name| match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            "nbsp" => Some(' '),
            "copy" => Some('©'),
            "mdash" => Some('—'),
            "ndash" => Some('–'),
            _ => {
                let n = name.strip_prefix('#')?;
                let n = match n.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => n.parse().ok()?,
                };
                char::from_u32(n)
            }
        });
        match (c, end) {
            (Some(c), Some(end)) => {
                out.push(c);
                rest = tail.get(end + 1..).unwrap_or_default();
            }
            _ => {
                out.push('&');
                rest = tail.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cleaned_and_bounded() {
        assert_eq!(clean(" a\0b \0", 10).as_deref(), Some("ab"));
        assert_eq!(clean("\0 ", 10), None);
        assert_eq!(clean("ééé", 5).as_deref(), Some("éé"));
        assert_eq!(decode(b"caf\xe9 x"), "café x");
        assert_eq!(decode("éé".as_bytes().get(..3).unwrap()), "é");
        assert_eq!(decode(b"caf\xe9"), "café");
        assert_eq!(reread("rÃ¤ksmÃ¶rgÃ¥s"), "räksmörgås");
        assert_eq!(reread("räksmörgås"), "räksmörgås");
        assert_eq!(reread("日"), "日");
        assert_eq!(utf16(&[0x41, 0, 0x42, 0, 0, 0, 0x43, 0], false), "AB");
        assert_eq!(unescape_xml("a &amp; b &#233; &#x41; &bogus; &"), "a & b é A &bogus; &");
    }
}
