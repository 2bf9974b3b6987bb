//! Bytes of a text file into text: byte order marks, what the file or its content type
//! says, and, where nothing does, what its bytes look like.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Bytes that are looked at to find the charset.
const SAMPLE: usize = 256 * 1024;

/// The text of `bytes`, of which no more than about `max` bytes are wanted.
pub(crate) fn decode<'a>(bytes: &'a [u8], named: Option<&str>, max: usize) -> Cow<'a, str> {
    let (encoding, skip) = encoding(bytes, named);
    let body = bytes.get(skip..).unwrap_or_default();
    // A character takes two bytes in UTF-16 and at least one in the text that is made of it.
    let body = body.get(..max.saturating_mul(2).saturating_add(64)).unwrap_or(body);
    if encoding == UTF_8 {
        let cut = body.get(..max.saturating_add(4)).unwrap_or(body);
        return String::from_utf8_lossy(cut);
    }
    encoding.decode_without_bom_handling(body).0
}

/// The encoding, and the length of the mark in front.
fn encoding(bytes: &[u8], named: Option<&str>) -> (&'static Encoding, usize) {
    if let Some(found) = Encoding::for_bom(bytes) {
        return found;
    }
    let sample = bytes.get(..SAMPLE).unwrap_or(bytes);
    if let Some(wide) = unmarked_utf16(sample) {
        return (wide, 0);
    }
    let is_utf8 = match std::str::from_utf8(sample) {
        Ok(_) => true,
        // The sample may end inside of a character.
        Err(e) => e.error_len().is_none() && sample.len() < bytes.len(),
    };
    // Many a file is UTF-8 by now and still names what it was before; valid UTF-8 that is
    // not plain ASCII is hardly ever anything else. ISO-2022-JP is ASCII to the eye.
    let named = named.and_then(|name| Encoding::for_label(name.trim().as_bytes()));
    let escapes = sample.windows(2).any(|w| w == b"\x1b$" || w == b"\x1b(");
    if is_utf8 && (!escapes || named == Some(UTF_8)) {
        return (UTF_8, 0);
    }
    if let Some(named) = named.filter(|e| *e != UTF_8 && *e != UTF_16LE && *e != UTF_16BE) {
        return (named, 0);
    }
    if mostly_utf8(sample) {
        return (UTF_8, 0);
    }
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Allow);
    detector.feed(sample, true);
    (detector.guess(None, chardetng::Utf8Detection::Allow), 0)
}

/// UTF-8 with a few damaged places: most of its bytes over ASCII are part of characters.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += chunk.invalid().len();
    }
    good > bad * 8
}

/// UTF-16 without a mark: nearly every other byte of Latin text is zero.
fn unmarked_utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let bytes = bytes.get(..4096).unwrap_or(bytes);
    let pairs = bytes.len() / 2;
    if pairs < 2 {
        return None;
    }
    let (mut even, mut odd) = (0, 0);
    for pair in bytes.chunks_exact(2) {
        match *pair {
            [0, b] if b != 0 => even += 1,
            [b, 0] if b != 0 => odd += 1,
            _ => {}
        }
    }
    if even * 10 > pairs * 6 && odd * 20 < pairs {
        Some(UTF_16BE)
    } else if odd * 10 > pairs * 6 && even * 20 < pairs {
        Some(UTF_16LE)
    } else {
        None
    }
}

/// The charset that an XML declaration or a `meta` element names in the first bytes.
pub(crate) fn declared(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..2048).unwrap_or(bytes).to_ascii_lowercase();
    let head = String::from_utf8_lossy(&head);
    let after = |mark: &str| {
        let rest = head.split_once(mark)?.1.trim_start().strip_prefix('=')?.trim_start();
        let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c)))?;
        rest.get(..end).map(str::to_owned)
    };
    if head.trim_start().starts_with("<?xml")
        && let Some(name) = after("encoding")
    {
        return Some(name);
    }
    after("charset")
}

/// The `charset` of a content type.
pub(crate) fn parameter(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

/// The encoding of a Windows code page, as RTF and Office number them.
pub(crate) fn code_page(number: u32) -> &'static Encoding {
    let label: &str = match number {
        65001 => "utf-8",
        1200 => "utf-16le",
        1201 => "utf-16be",
        932 => "shift_jis",
        936 | 1386 => "gbk",
        54936 => "gb18030",
        949 | 1361 => "euc-kr",
        950 => "big5",
        866 => "ibm866",
        874 => "windows-874",
        1250 => "windows-1250",
        1251 => "windows-1251",
        1253 => "windows-1253",
        1254 => "windows-1254",
        1255 => "windows-1255",
        1256 => "windows-1256",
        1257 => "windows-1257",
        1258 => "windows-1258",
        10000 => "macintosh",
        10007 => "x-mac-cyrillic",
        20866 => "koi8-r",
        21866 => "koi8-u",
        28592 => "iso-8859-2",
        28595 => "iso-8859-5",
        51932 => "euc-jp",
        _ => "windows-1252",
    };
    Encoding::for_label(label.as_bytes()).unwrap_or(encoding_rs::WINDOWS_1252)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], named: Option<&str>, want: &str) {
        assert_eq!(decode(bytes, named, 1 << 20), want, "{bytes:?}");
    }

    #[test]
    fn charsets() {
        let gbk = encoding_rs::GBK.encode("杭州西湖的风景很美,我们明天去看看吧").0.into_owned();
        check(&gbk, None, "杭州西湖的风景很美,我们明天去看看吧");
        check(&gbk, Some("gb2312"), "杭州西湖的风景很美,我们明天去看看吧");
        let jis = encoding_rs::SHIFT_JIS.encode("これは日本語の文章です。").0.into_owned();
        check(&jis, None, "これは日本語の文章です。");
        let iso = encoding_rs::ISO_2022_JP.encode("これは日本語です。").0.into_owned();
        check(&iso, None, "これは日本語です。");
        let russian = encoding_rs::WINDOWS_1251.encode("Быстрая лиса прыгает через собаку").0.into_owned();
        check(&russian, None, "Быстрая лиса прыгает через собаку");
        check(b"caf\xe9 cr\xe8me", None, "café crème");
        check("Ünïcode".as_bytes(), Some("latin1"), "Ünïcode");
        check(b"\xef\xbb\xbfmark", None, "mark");
        check(b"\xff\xfeA\0B\0", None, "AB");
        check(b"\xfe\xff\0A\0B", None, "AB");
        check(b"A\0B\0C\0\xe9\0", None, "ABCé");
        check(b"\0A\0B\0C\0\xe9", None, "ABCé");
        check("éééééééééé\u{fffd}é".as_bytes(), None, "éééééééééé\u{fffd}é");
        check(b"", None, "");
    }

    #[test]
    fn names_of_charsets() {
        for (head, want) in [
            ("<?xml version='1.0' encoding='ISO-8859-5'?>", Some("iso-8859-5")),
            ("<meta charset=\"gbk\">", Some("gbk")),
            ("<meta http-equiv=Content-Type content=\"text/html; charset=Big5\">", Some("big5")),
            ("<p>nothing</p>", None),
        ] {
            assert_eq!(declared(head.as_bytes()).as_deref(), want, "{head}");
        }
        assert_eq!(parameter("text/plain; Charset=\"koi8-r\""), Some("koi8-r"));
        assert_eq!(parameter("text/plain"), None);
    }
}
