//! The name of an ICC profile: its `desc` tag.

use crate::bytes::{be16, be32};
use crate::text;

/// Bytes of a profile that are looked at: those with long tables keep the name in front.
pub(crate) const MAX_PROFILE: usize = 128 * 1024;
const MAX_NAME: usize = 256;

/// The name, in English where there are several.
pub(crate) fn name(profile: &[u8]) -> Option<String> {
    let count = be32(profile, 128)?.min(128) as usize;
    let entry = (0..count).find_map(|i| {
        let e = profile.get(132 + i * 12..)?.get(..12)?;
        (e.get(..4)? == b"desc").then(|| Some((be32(e, 4)? as usize, be32(e, 8)? as usize)))
    })??;
    let end = entry.0.checked_add(entry.1)?.min(profile.len());
    let tag = profile.get(entry.0..end)?;
    let found = match tag.get(..4)? {
        b"desc" => {
            let len = be32(tag, 8)? as usize;
            let ascii = tag.get(12..)?;
            text::decode(text::until_nul(ascii.get(..len.min(ascii.len()))?))
        }
        b"mluc" => {
            let count = be32(tag, 8)?.min(256) as usize;
            let records = || (0..count).filter_map(|i| tag.get(16 + i * 12..)?.get(..12));
            let record = records().find(|r| r.starts_with(b"en")).or_else(|| records().next())?;
            let (len, at) = (be32(record, 4)? as usize, be32(record, 8)? as usize);
            let raw = tag.get(at..)?;
            text::utf16(raw.get(..len.min(raw.len()))?, true)
        }
        _ => return None,
    };
    text::clean(&found, MAX_NAME)
}

/// A part of a profile in a segment of JPEG: its number and its bytes.
pub(crate) fn jpeg_part(segment: &[u8]) -> Option<(u8, &[u8])> {
    let b = segment.strip_prefix(b"ICC_PROFILE\0")?;
    be16(b, 0)?;
    Some((*b.first()?, b.get(2..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(tag: &[u8]) -> Vec<u8> {
        let mut p = vec![0; 128];
        p.extend(2u32.to_be_bytes());
        p.extend(b"cprt\0\0\0\0\0\0\0\0desc");
        p.extend(156u32.to_be_bytes());
        p.extend((tag.len() as u32).to_be_bytes());
        p.extend(tag);
        p
    }

    #[test]
    fn names_of_profiles() {
        let plain = [&b"desc\0\0\0\0\0\0\0\x05sRGB\0"[..], &[0; 20]].concat();
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        let record =
            |language: &[u8], len: u32, at: u32| [language, &len.to_be_bytes(), &at.to_be_bytes()].concat();
        let head = &b"mluc\0\0\0\0\0\0\0\x02\0\0\0\x0c"[..];
        let several =
            [head, &record(b"deDE", 4, 40), &record(b"enUS", 4, 44), &wide("AB"), &wide("P3")].concat();
        let table = [
            (plain, Some("sRGB")),
            (several, Some("P3")),
            (b"text\0\0\0\0x".to_vec(), None),
            (Vec::new(), None),
        ];
        for (tag, want) in table {
            let p = profile(&tag);
            assert_eq!(name(&p).as_deref(), want);
            for cut in 0..p.len() {
                let _ = name(&p[..cut]);
            }
        }
        let mut huge = profile(b"desc");
        huge[152..156].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(name(&huge), None);
    }
}
