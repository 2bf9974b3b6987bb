//! Frames of animations: GIF, and the tracks of AVIF and HEIF.

use crate::bmff;
use crate::bytes::{View, be32};
use crate::ctx::Ctx;
use crate::extra::icc;
use crate::image::Facts;
use crate::source::Parse;

/// Counts the frames of a GIF, and takes its colour profile. One that is longer than what is
/// read whole has none that can be counted without reading all of it.
pub(super) fn gif(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let src = ctx.src;
    let held = src.held_from(0);
    let mut walk = Walk { b: held, at: 6, frames: 0, profile: Vec::new() };
    let ended = walk.blocks_of_file().is_some();
    facts.profile = walk.profile;
    if ended || held.len() as u64 == src.size() {
        // Of a file that is cut, what is there counts.
        ctx.meta.extra.frame_count = Some(walk.frames).filter(|n| *n > 1);
    } else if src.size() <= crate::WHOLE_BYTES {
        src.note_missing(held.len() as u64..src.size());
    }
    Ok(())
}

struct Walk<'a> {
    b: &'a [u8],
    at: usize,
    frames: u32,
    profile: Vec<u8>,
}

impl Walk<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.b.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// Passes the table of colours that the flags tell of.
    fn colours(&mut self, flags: u8) {
        if flags & 0x80 != 0 {
            self.at += 3 << ((flags & 7) + 1);
        }
    }

    /// Passes blocks of up to 255 bytes, each behind its length.
    fn blocks(&mut self, keep: bool) -> Option<()> {
        loop {
            let len = usize::from(self.byte()?);
            if len == 0 {
                return Some(());
            }
            if keep && self.profile.len() < icc::MAX_PROFILE {
                self.profile.extend_from_slice(self.b.get(self.at..self.at + len)?);
            }
            self.at += len;
        }
    }

    /// Goes up to the end; None where the bytes held end before.
    fn blocks_of_file(&mut self) -> Option<()> {
        let flags = *self.b.get(10)?;
        self.at = 13;
        self.colours(flags);
        loop {
            match self.byte()? {
                0x2c => {
                    let flags = *self.b.get(self.at + 8)?;
                    self.at += 9;
                    self.colours(flags);
                    self.byte()?;
                    self.frames += 1;
                    self.blocks(false)?;
                }
                0x21 => {
                    let kind = self.byte()?;
                    let mark = self.b.get(self.at + 1..self.at + 12);
                    let keep = kind == 0xff && mark == Some(b"ICCRGBG1012") && self.profile.is_empty();
                    if keep {
                        self.at += 12;
                    }
                    self.blocks(keep)?;
                }
                // The end, or what no reader goes on at.
                _ => return Some(()),
            }
        }
    }
}

/// Samples of the first track of pictures.
pub(super) fn track(ctx: &mut Ctx<'_>, movie: View<'_>) -> Parse {
    let sizes = bmff::path(movie, &[b"trak", b"mdia", b"minf", b"stbl", b"stsz"])?;
    if let Some(sizes) = sizes {
        let frames = be32(sizes.upto(8, 4)?, 0);
        ctx.meta.extra.frame_count = frames.filter(|n| *n > 1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_a_gif() {
        let head = b"GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff";
        let image = b"\x2c\0\0\0\0\x02\0\x02\0\0\x02\x02\x84\x51\0";
        let control = b"\x21\xf9\x04\0\x0a\0\0\0";
        let profile = b"\x21\xff\x0bICCRGBG1012\x03abc\x02de\0";
        let table: [(Vec<&[u8]>, u32, bool); 6] = [
            (vec![image, b";"], 1, true),
            (vec![control, image, control, image, b";"], 2, true),
            (vec![profile, image, image, image, b";"], 3, true),
            (vec![image, image, b"junk"], 2, true),
            (vec![image, image], 2, false),
            (vec![], 0, false),
        ];
        for (parts, want, ends) in table {
            let bytes = [&head[..], &parts.concat()].concat();
            let mut walk = Walk { b: &bytes, at: 0, frames: 0, profile: Vec::new() };
            assert_eq!((walk.blocks_of_file().is_some(), walk.frames), (ends, want));
            let has_profile = parts.iter().any(|p| *p == profile);
            assert_eq!(walk.profile, if has_profile { &b"abcde"[..] } else { b"" });
        }
    }
}
