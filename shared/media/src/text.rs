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

/// UTF-8 where it is valid, else GB18030 where no Latin text has such bytes, else
/// Windows-1252.
pub(crate) fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) if is_chinese(bytes) => encoding_rs::GB18030.decode_without_bom_handling(bytes).0.into_owned(),
        // Cut inside a character at the end: still UTF-8, where other characters prove it.
        Err(e) if e.error_len().is_none() => match bytes.split_at_checked(e.valid_up_to()) {
            Some((text, _)) if !text.is_ascii() => String::from_utf8_lossy(text).into_owned(),
            _ => latin1(bytes),
        },
        Err(_) => latin1(bytes),
    }
}

/// Whether all bytes above ASCII are pairs of GB 2312, two at least, most of them common
/// letters: accents of Latin text stand alone.
fn is_chinese(bytes: &[u8]) -> bool {
    let (mut pairs, mut common, mut rest) = (0usize, 0usize, bytes);
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first < 0x80 {
            continue;
        }
        let Some((second, tail)) = tail.split_first() else { break };
        if !(0xa1..=0xf7).contains(first) || !(0xa1..=0xfe).contains(second) {
            return false;
        }
        rest = tail;
        pairs += 1;
        common += usize::from((0xb0..=0xd7).contains(first));
    }
    pairs >= 2 && common * 2 > pairs
}

/// JIS X 0208: two bytes a letter, or with the escape sequences of ISO-2022-JP; and what
/// writers put there besides.
pub(crate) fn jis(bytes: &[u8]) -> String {
    if bytes.contains(&0x1b) {
        return encoding_rs::ISO_2022_JP.decode_without_bom_handling(bytes).0.into_owned();
    }
    if bytes.len().is_multiple_of(2) && bytes.iter().all(|b| (0x21..=0x7e).contains(b)) {
        let raised: Vec<u8> = bytes.iter().map(|b| b | 0x80).collect();
        let (text, _, failed) = encoding_rs::EUC_JP.decode(&raised);
        if !failed {
            return text.into_owned();
        }
    }
    if std::str::from_utf8(bytes).is_err() {
        let (text, _, failed) = encoding_rs::SHIFT_JIS.decode(bytes);
        if !failed {
            return text.into_owned();
        }
    }
    decode(bytes)
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

/// The letters of the Macintosh before Unicode.
pub(crate) fn mac_roman(bytes: &[u8]) -> String {
    encoding_rs::MACINTOSH.decode_without_bom_handling(bytes).0.into_owned()
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
    fn letters_of_the_east() {
        let gbk = encoding_rs::GBK.encode("杭州西湖").0.into_owned();
        assert_eq!(decode(&gbk), "杭州西湖");
        assert_eq!(decode(b"sm\xf6rg\xe5s \xe4\xf6 \xd6\xc4"), "smörgås äö ÖÄ");
        assert_eq!(jis(b"9A$N<L??"), "港の写真");
        assert_eq!(jis(b"\x1b$B<L??\x1b(B 1"), "写真 1");
        assert_eq!(jis(&encoding_rs::SHIFT_JIS.encode("写真").0), "写真");
    }

    #[test]
    fn text_is_cleaned_and_bounded() {
        assert_eq!(clean(" a\0b \0", 10).as_deref(), Some("ab"));
        assert_eq!(clean("\0 ", 10), None);
        assert_eq!(clean("ééé", 5).as_deref(), Some("éé"));
        assert_eq!(decode(b"caf\xe9 x"), "café x");
        assert_eq!(decode("éé".as_bytes().get(..3).unwrap()), "é");
        assert_eq!(decode(b"caf\xe9"), "café");
        assert_eq!(utf16(&[0x41, 0, 0x42, 0, 0, 0, 0x43, 0], false), "AB");
        assert_eq!(unescape_xml("a &amp; b &#233; &#x41; &bogus; &"), "a & b é A &bogus; &");
    }
}
