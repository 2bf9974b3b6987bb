//! APE tags (version 1 and 2): items behind the sound, in some files in front of it.

use crate::audio::tags::{Field, Texts};
use crate::bytes::{le32, rfind};
use crate::ctx::Ctx;
use crate::source::{Parse, Source};
use crate::text;

/// Longest tag read; covers in it may be longer, of which the start is enough.
const MAX_TAG: u64 = 1024 * 1024;
/// Header and footer.
const FRAME: u64 = 32;

/// Length of a tag that begins here, its header with it.
pub(crate) fn tag_len(head: &[u8]) -> Option<u64> {
    let b = head.strip_prefix(b"APETAGEX")?;
    Some(FRAME + u64::from(le32(b, 4)?))
}

/// Reads the tag whose footer stands at `footer`.
pub(crate) fn read_at_footer(ctx: &mut Ctx<'_>, src: &Source, footer: u64) -> Parse<Texts> {
    let len = le32(src.get(footer, FRAME)?, 12).map_or(0, u64::from);
    // The length takes in the footer and not the header.
    let items = len.saturating_sub(FRAME);
    let start = footer.saturating_sub(items);
    if items > MAX_TAG {
        crate::audio::tags::long(ctx, "ape tag");
    }
    items_of(ctx, src.upto(start, items.min(MAX_TAG))?)
}

/// Reads the tag whose header stands at `start`.
pub(crate) fn read_at_header(ctx: &mut Ctx<'_>, src: &Source, start: u64, len: u64) -> Parse<Texts> {
    let items = len.saturating_sub(FRAME);
    if items > MAX_TAG {
        crate::audio::tags::long(ctx, "ape tag");
    }
    items_of(ctx, src.upto(start + FRAME, items.min(MAX_TAG))?)
}

/// The tag in bytes that end with one or hold one.
pub(crate) fn block(ctx: &mut Ctx<'_>, bytes: &[u8]) {
    let Some(footer) = rfind(bytes, b"APETAGEX") else { return };
    let mut copy = Source::new(bytes.len() as u64);
    copy.supply(0, bytes.to_vec());
    match read_at_footer(ctx, &copy, footer as u64) {
        Ok(texts) => texts.write(ctx),
        Err(stop) => ctx.stopped("ape tag", stop),
    }
}

/// Items: length, flags, a name, NUL, the value. How many there are their bytes tell: the
/// count beside them is wrong in some files.
fn items_of(ctx: &mut Ctx<'_>, mut b: &[u8]) -> Parse<Texts> {
    let mut texts = Texts::default();
    for _ in 0..1024 {
        ctx.tick()?;
        let (Some(len), Some(flags)) = (le32(b, 0), le32(b, 4)) else { break };
        let rest = b.get(8..).unwrap_or_default();
        let Some(name_len) = rest.iter().take(256).position(|c| *c == 0) else { break };
        let (name, value) = rest.split_at(name_len);
        let value = value.get(1..).unwrap_or_default();
        let (value, tail) = value.split_at((len as usize).min(value.len()));
        b = tail;
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        if name.starts_with("cover art") && flags >> 1 & 3 == 1 {
            // The name of a file stands in front.
            let at = value.iter().position(|c| *c == 0).map_or(0, |at| at + 1);
            texts.add_cover(|| crate::audio::cover(value.get(at..).unwrap_or_default()));
            continue;
        }
        let field = match name.as_str() {
            "title" => Field::Title,
            "artist" => Field::Artist,
            "album" => Field::Album,
            "album artist" | "albumartist" => Field::AlbumArtist,
            "composer" => Field::Composer,
            "performer" => Field::Performer,
            "language" => Field::Language,
            "copyright" => Field::Copyright,
            "comment" | "description" => Field::Comment,
            name => {
                if flags >> 1 & 3 == 0 {
                    let value = text::decode(value.get(..value.len().min(64 * 1024)).unwrap_or_default());
                    value.split('\0').for_each(|value| texts.more.named(name, value));
                }
                continue;
            }
        };
        if flags >> 1 & 3 == 0 {
            texts.add_all(field, &text::decode(value.get(..value.len().min(64 * 1024)).unwrap_or_default()));
        }
    }
    Ok(texts)
}
