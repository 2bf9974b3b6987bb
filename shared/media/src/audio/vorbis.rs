//! Vorbis comments: the tags of Ogg and FLAC.

use crate::audio::tags::{self, Field, Texts};
use crate::bytes::{be32, le32};
use crate::ctx::Ctx;
use crate::extraction::ProblemKind;
use crate::metadata::Image;
use crate::text;

/// Longest value read of the fields beyond the common ones.
const MAX_VALUE: usize = 64 * 1024;
/// Most comments of a block.
const MAX_FIELDS: u32 = 4096;

/// Reads a comment block (behind any codec's own mark).
pub(crate) fn comments(ctx: &mut Ctx<'_>, b: &[u8]) {
    let Some(vendor) = le32(b, 0) else { return };
    let mut at = 4 + vendor as usize;
    let count = le32(b, at).unwrap_or(0);
    if count > MAX_FIELDS && b.len() / 5 > MAX_FIELDS as usize {
        tags::long(ctx, "comments");
    }
    let count = count.min(MAX_FIELDS);
    at += 4;
    let mut texts = Texts::default();
    for _ in 0..count {
        let Some(len) = le32(b, at) else { break };
        at += 4;
        let end = at.saturating_add(len as usize);
        if end > b.len() {
            ctx.problem(ProblemKind::Malformed, "comments", "the last one is cut");
        }
        let end = end.min(b.len());
        let Some(raw) = b.get(at..end) else { break };
        at = end;
        let Some(eq) = raw.iter().take(64).position(|c| *c == b'=') else { continue };
        let (key, value) = raw.split_at(eq);
        let value = value.get(1..).unwrap_or_default();
        let key = String::from_utf8_lossy(key).to_ascii_uppercase();
        if key == "METADATA_BLOCK_PICTURE" {
            tags::add_cover(ctx, base64_picture(value));
            continue;
        }
        let field = match key.as_str() {
            "TITLE" => Field::Title,
            "ARTIST" => Field::Artist,
            "ALBUM" => Field::Album,
            "ALBUMARTIST" | "ALBUM ARTIST" => Field::AlbumArtist,
            "COMPOSER" => Field::Composer,
            "PERFORMER" => Field::Performer,
            "LANGUAGE" => Field::Language,
            "COPYRIGHT" => Field::Copyright,
            "DESCRIPTION" | "COMMENT" => Field::Comment,
            name => {
                if value.len() <= MAX_VALUE {
                    texts.more.named(name, &text::decode(value));
                } else if matches!(name, "LYRICS" | "UNSYNCEDLYRICS") {
                    texts.more.named(name, &text::decode(value.get(..MAX_VALUE).unwrap_or_default()));
                }
                continue;
            }
        };
        let value = text::decode(value);
        if !value.trim().is_empty() {
            texts.add(field, &value);
        }
    }
    texts.write(ctx);
}

/// FLAC's picture block: its own fields carry the size.
pub(crate) fn picture(b: &[u8]) -> Option<Image> {
    let mime = be32(b, 4)? as usize;
    let description = be32(b, 8usize.checked_add(mime)?)? as usize;
    let at = 12usize.checked_add(mime)?.checked_add(description)?;
    let (w, h) = (be32(b, at)?, be32(b, at + 4)?);
    if w > 0 && h > 0 && w < 65_536 && h < 65_536 {
        return Some(Image { image_width: Some(w), image_height: Some(h), exif: None });
    }
    crate::audio::cover(b.get(at + 20..)?)
}

/// The head of a picture block in base64.
fn base64_picture(text: &[u8]) -> Option<Image> {
    let mut out = Vec::new();
    let (mut bits, mut n) = (0u32, 0);
    for c in text.iter().take(16 * 1024) {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        n += 6;
        if n >= 8 {
            n -= 8;
            out.push((bits >> n) as u8);
            bits &= (1 << n) - 1;
        }
    }
    picture(&out)
}
