//! Parameter sets of H.264 and HEVC: size, chroma, depth, colour and rate of the pictures.

use crate::bytes::{be16, be24};
use crate::codec::{BitReader, Colour, pixel_format};
use crate::metadata::VideoStream;

/// Longest parameter set read.
const MAX_SET: usize = 512;

/// A parameter set without the bytes that keep start codes away: 00 00 03 stands for 00 00.
fn plain(nal: &[u8], header: usize) -> Vec<u8> {
    let mut raw = Vec::with_capacity(nal.len().min(MAX_SET));
    for (i, b) in nal.iter().enumerate().take(MAX_SET).skip(header) {
        let escaped = *b == 3 && i >= 2 && nal.get(i - 2..i) == Some(&[0, 0]);
        if !escaped {
            raw.push(*b);
        }
    }
    raw
}

/// What an H.264 sequence parameter set says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sps {
    pub(crate) profile: u32,
    pub(crate) constraints: u32,
    pub(crate) level: u32,
    pub(crate) chroma: u32,
    pub(crate) depth: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) full_range: bool,
    pub(crate) colour: Option<Colour>,
    /// Frames a second as a fraction.
    pub(crate) rate: Option<(u64, u64)>,
}

/// Reads an H.264 SPS (with its NAL header byte).
pub(crate) fn h264_sps(nal: &[u8]) -> Option<Sps> {
    let raw = plain(nal, 1);
    let mut r = BitReader::new(&raw);
    let mut sps = Sps { profile: r.bits(8)?, constraints: r.bits(8)?, level: r.bits(8)?, ..Sps::default() };
    r.golomb()?;
    (sps.chroma, sps.depth) = (1, 8);
    if matches!(sps.profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128) {
        sps.chroma = r.golomb()?;
        if sps.chroma == 3 {
            r.bits(1)?;
        }
        sps.depth = 8 + r.golomb()?.min(8);
        r.golomb()?;
        r.bits(1)?;
        if r.bits(1)? == 1 {
            let lists = if sps.chroma == 3 { 12 } else { 8 };
            for i in 0..lists {
                if r.bits(1)? == 1 {
                    skip_scaling_list(&mut r, if i < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    r.golomb()?;
    match r.golomb()? {
        0 => {
            r.golomb()?;
        }
        1 => {
            r.bits(1)?;
            r.golomb()?;
            r.golomb()?;
            let n = r.golomb()?;
            for _ in 0..n.min(255) {
                r.golomb()?;
            }
        }
        _ => {}
    }
    r.golomb()?;
    r.bits(1)?;
    let columns = r.golomb()?.checked_add(1)?;
    let rows = r.golomb()?.checked_add(1)?;
    let frames_only = r.bits(1)?;
    if frames_only == 0 {
        r.bits(1)?;
    }
    r.bits(1)?;
    let (mut width, mut height) =
        (columns.checked_mul(16)?, rows.checked_mul(16)?.checked_mul(2 - frames_only)?);
    if r.bits(1)? == 1 {
        let (left, right, top, bottom) = (r.golomb()?, r.golomb()?, r.golomb()?, r.golomb()?);
        let x = if matches!(sps.chroma, 1 | 2) { 2 } else { 1 };
        let y = (if sps.chroma == 1 { 2 } else { 1 }) * (2 - frames_only);
        width = width.checked_sub(left.checked_add(right)?.checked_mul(x)?)?;
        height = height.checked_sub(top.checked_add(bottom)?.checked_mul(y)?)?;
    }
    (sps.width, sps.height) = (width, height);
    // What follows may be cut; the size stands.
    if r.bits(1) == Some(1) {
        let _ = usability(&mut r, &mut sps);
    }
    Some(sps)
}

/// Video usability: the range of values, and the time a field takes.
fn usability(r: &mut BitReader<'_>, sps: &mut Sps) -> Option<()> {
    if r.bits(1)? == 1 && r.bits(8)? == 255 {
        r.bits(32)?;
    }
    if r.bits(1)? == 1 {
        r.bits(1)?;
    }
    if r.bits(1)? == 1 {
        sps.colour = signal(r);
        sps.full_range = sps.colour?.full == Some(true);
    }
    if r.bits(1)? == 1 {
        r.golomb()?;
        r.golomb()?;
    }
    if r.bits(1)? == 1 {
        let (field, scale) = (r.bits(32)?, r.bits(32)?);
        sps.rate = Some((u64::from(scale), u64::from(field) * 2)).filter(|(n, d)| *n > 0 && *d > 0);
    }
    Some(())
}

/// Kind of signal: its format, the range, and the code points where they are told.
fn signal(r: &mut BitReader<'_>) -> Option<Colour> {
    r.bits(3)?;
    let mut colour = Colour { full: Some(r.bits(1)? == 1), ..Colour::UNKNOWN };
    if r.bits(1)? == 1 {
        (colour.primaries, colour.transfer, colour.matrix) = (r.bits(8)?, r.bits(8)?, r.bits(8)?);
    }
    Some(colour)
}

fn skip_scaling_list(r: &mut BitReader<'_>, size: usize) -> Option<()> {
    let (mut last, mut next) = (8i64, 8i64);
    for _ in 0..size {
        if next != 0 {
            let code = i64::from(r.golomb()?);
            let delta = if code % 2 == 0 { -(code / 2) } else { (code + 1) / 2 };
            next = (last + delta + 256).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

impl VideoStream {
    /// Takes over what an H.264 SPS says.
    pub(crate) fn with_sps(&mut self, sps: &Sps) {
        self.profile = h264_profile(sps.profile, sps.constraints).map(str::to_owned);
        self.level = Some(sps.level as i32);
        self.pixel_format = pixel_format(sps.chroma, sps.depth, sps.full_range);
        self.bit_depth = Some(sps.depth);
        if let Some(colour) = sps.colour {
            self.with_colour(colour);
        }
        if (1..=16_384).contains(&sps.width) && (1..=16_384).contains(&sps.height) {
            self.width = Some(sps.width);
            self.height = Some(sps.height);
        }
    }
}

fn h264_profile(profile: u32, constraints: u32) -> Option<&'static str> {
    Some(match profile {
        66 if constraints & 0x40 != 0 => "Constrained Baseline",
        66 => "Baseline",
        77 => "Main",
        88 => "Extended",
        100 => "High",
        110 => "High 10",
        122 => "High 4:2:2",
        244 => "High 4:4:4 Predictive",
        _ => return None,
    })
}

/// `avcC`: finds the first SPS.
pub(crate) fn avcc(stream: &mut VideoStream, b: &[u8]) {
    let sps = be16(b, 6).and_then(|len| b.get(8..8 + usize::from(len))).and_then(h264_sps);
    match sps {
        Some(sps) => stream.with_sps(&sps),
        None => {
            if let Some(&[profile, constraints, level]) = b.get(1..4) {
                stream.profile = h264_profile(u32::from(profile), u32::from(constraints)).map(str::to_owned);
                stream.level = Some(i32::from(level));
            }
        }
    }
}

/// What an HEVC sequence parameter set says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HevcSps {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) chroma: u32,
    pub(crate) depth: u32,
    pub(crate) colour: Colour,
}

/// Reads an HEVC SPS (with its NAL header of two bytes).
pub(crate) fn hevc_sps(nal: &[u8]) -> Option<HevcSps> {
    let raw = plain(nal, 2);
    let mut r = BitReader::new(&raw);
    r.bits(4)?;
    let layers = r.bits(3)?;
    r.bits(1)?;
    for _ in 0..12 {
        r.bits(8)?;
    }
    let mut present = Vec::new();
    for _ in 0..layers {
        present.push((r.bits(1)?, r.bits(1)?));
    }
    if layers > 0 {
        r.bits(2 * (8 - layers as usize))?;
    }
    for (profile, level) in present {
        for _ in 0..(profile * 11 + level) {
            r.bits(8)?;
        }
    }
    r.golomb()?;
    let chroma = r.golomb()?;
    if chroma == 3 {
        r.bits(1)?;
    }
    let (mut w, mut h) = (r.golomb()?, r.golomb()?);
    if r.bits(1)? == 1 {
        let (left, right, top, bottom) = (r.golomb()?, r.golomb()?, r.golomb()?, r.golomb()?);
        let x = if matches!(chroma, 1 | 2) { 2 } else { 1 };
        let y = if chroma == 1 { 2 } else { 1 };
        w = w.checked_sub(left.checked_add(right)?.checked_mul(x)?)?;
        h = h.checked_sub(top.checked_add(bottom)?.checked_mul(y)?)?;
    }
    let depth = 8 + r.golomb()?.min(8);
    let size = Some((w, h)).filter(|(w, h)| (1..=16_384).contains(w) && (1..=16_384).contains(h));
    let (width, height) = size?;
    // What follows may be cut; the size stands.
    let colour = hevc_colour(&mut r, layers).unwrap_or(Colour::UNKNOWN);
    (chroma <= 3).then_some(HevcSps { width, height, chroma, depth, colour })
}

/// From the depth of chroma to the kind of signal in the usability information.
fn hevc_colour(r: &mut BitReader<'_>, layers: u32) -> Option<Colour> {
    r.golomb()?;
    let order_bits = r.golomb()?.min(12) + 4;
    let first = if r.bits(1)? == 1 { 0 } else { layers };
    for _ in first..=layers {
        for _ in 0..3 {
            r.golomb()?;
        }
    }
    for _ in 0..6 {
        r.golomb()?;
    }
    if r.bits(1)? == 1 && r.bits(1)? == 1 {
        skip_hevc_scaling(r)?;
    }
    r.bits(2)?;
    if r.bits(1)? == 1 {
        r.bits(8)?;
        for _ in 0..2 {
            r.golomb()?;
        }
        r.bits(1)?;
    }
    let sets = r.golomb()?;
    if sets > 64 {
        return None;
    }
    let mut counts: Vec<u32> = Vec::new();
    for i in 0..sets {
        let count = picture_set(r, i, &counts)?;
        counts.push(count);
    }
    if r.bits(1)? == 1 {
        let n = r.golomb()?.min(33);
        for _ in 0..n {
            r.bits(order_bits.min(16) as usize + 1)?;
        }
    }
    r.bits(2)?;
    // Usability: aspect, overscan, signal.
    if r.bits(1)? == 0 {
        return None;
    }
    if r.bits(1)? == 1 && r.bits(8)? == 255 {
        r.bits(32)?;
    }
    if r.bits(1)? == 1 {
        r.bits(1)?;
    }
    if r.bits(1)? == 1 { signal(r) } else { None }
}

fn skip_hevc_scaling(r: &mut BitReader<'_>) -> Option<()> {
    for size in 0..4 {
        for _ in (0..6).step_by(if size == 3 { 3 } else { 1 }) {
            if r.bits(1)? == 0 {
                r.golomb()?;
            } else {
                let n = 64.min(1 << (4 + (size << 1)));
                if size > 1 {
                    r.golomb()?;
                }
                for _ in 0..n {
                    r.golomb()?;
                }
            }
        }
    }
    Some(())
}

/// A short-term reference picture set; gives how many pictures it has.
fn picture_set(r: &mut BitReader<'_>, index: u32, before: &[u32]) -> Option<u32> {
    if index > 0 && r.bits(1)? == 1 {
        r.bits(1)?;
        r.golomb()?;
        let last = before.last().copied()?;
        let mut count = 0;
        for _ in 0..=last {
            let used = r.bits(1)?;
            if used == 1 || r.bits(1)? == 1 {
                count += 1;
            }
        }
        return Some(count);
    }
    let (negative, positive) = (r.golomb()?, r.golomb()?);
    if negative > 16 || positive > 16 {
        return None;
    }
    for _ in 0..negative + positive {
        r.golomb()?;
        r.bits(1)?;
    }
    Some(negative + positive)
}

impl VideoStream {
    /// Takes over what an HEVC SPS says of the pictures.
    pub(crate) fn with_hevc_sps(&mut self, sps: &HevcSps) {
        self.with_colour(sps.colour);
        self.pixel_format = pixel_format(sps.chroma, sps.depth, sps.colour.full == Some(true));
        self.bit_depth = Some(sps.depth);
    }
}

/// `hvcC`: profile, level, chroma and depth stand at fixed places, and the parameter set
/// behind them repeats them: where the two differ, it is right.
pub(crate) fn hvcc(stream: &mut VideoStream, b: &[u8]) {
    let (Some(&profile), Some(&level)) = (b.get(1), b.get(12)) else { return };
    let name = match profile & 31 {
        1 => Some("Main"),
        2 => Some("Main 10"),
        3 => Some("Main Still Picture"),
        4 => Some("Rext"),
        _ => None,
    };
    stream.profile = name.map(str::to_owned);
    stream.level = Some(i32::from(level));
    if let (Some(&chroma), Some(&depth)) = (b.get(16), b.get(17)) {
        let depth = 8 + u32::from(depth & 7);
        stream.pixel_format = pixel_format(u32::from(chroma & 3), depth, false);
        stream.bit_depth = Some(depth);
    }
    if let Some(sps) = first_set(b, 33).and_then(hevc_sps) {
        stream.with_hevc_sps(&sps);
    }
}

/// The first unit of a kind in the arrays of `hvcC`.
fn first_set(b: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut at = 23;
    for _ in 0..*b.get(22)? {
        let kind = b.get(at)? & 63;
        let count = be16(b, at + 1)?;
        at += 3;
        for _ in 0..count {
            let len = usize::from(be16(b, at)?);
            let unit = b.get(at + 2..(at + 2 + len).min(b.len()))?;
            if kind == wanted {
                return Some(unit);
            }
            at += 2 + len;
        }
    }
    None
}

/// Chroma of an MPEG-2 sequence extension in the bytes behind a sequence header.
pub(crate) fn mpeg2_chroma(b: &[u8]) -> Option<u32> {
    let at = b.windows(5).position(|w| matches!(w, [0, 0, 1, 0xb5, id] if id >> 4 == 1))?;
    // Identifier, profile and level, whether progressive, chroma.
    be24(b, at + 4).map(|bits| bits >> 9 & 3).filter(|c| *c > 0)
}

/// Pixel format of a JPEG frame, by how its components are sampled.
pub(crate) fn jpeg_pixel_format(b: &[u8]) -> Option<&'static str> {
    let mut at = b.windows(2).position(|w| w == [0xff, 0xd8])? + 2;
    for _ in 0..64 {
        let (mark, len) = (be16(b, at)?, usize::from(be16(b, at + 2)?));
        if matches!(mark, 0xffc0..=0xffc2) {
            let sampling = |i: usize| b.get(at + 11 + i * 3).copied();
            return match (b.get(at + 9)?, sampling(0)?, sampling(1)) {
                (1, ..) => Some("gray"),
                (3, 0x22, Some(0x11)) => Some("yuvj420p"),
                (3, 0x21, Some(0x11)) | (3, 0x22, Some(0x12)) => Some("yuvj422p"),
                (3, 0x12, Some(0x11)) => Some("yuvj440p"),
                (3, 0x11, Some(0x11)) => Some("yuvj444p"),
                (3, 0x41, Some(0x11)) => Some("yuvj411p"),
                _ => None,
            };
        }
        if mark >> 8 != 0xff || mark == 0xffda || len < 2 {
            return None;
        }
        at += 2 + len;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_that_are_cut() {
        assert_eq!(h264_sps(&[0x67, 0x42]), None);
        let sps = h264_sps(&[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x47, 0xfe, 0xc8]).unwrap();
        assert_eq!((sps.profile, sps.chroma, sps.depth), (66, 1, 8));
        assert_eq!(hevc_sps(&[0x42, 1, 1]), None);
        assert_eq!(first_set(&[0; 23], 33), None);
    }

    #[test]
    fn chroma_of_other_codecs() {
        assert_eq!(mpeg2_chroma(&[9, 0, 0, 1, 0xb5, 0x14, 0x84, 0]), Some(2));
        assert_eq!(mpeg2_chroma(&[0, 0, 1, 0xb5]), None);
        let frame = |y, c| [0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0, 8, 0, 8, 3, 1, y, 0, 2, c, 0, 3, c, 0];
        assert_eq!(jpeg_pixel_format(&frame(0x21, 0x11)), Some("yuvj422p"));
        assert_eq!(jpeg_pixel_format(&frame(0x22, 0x11)), Some("yuvj420p"));
        assert_eq!(jpeg_pixel_format(&[0xff, 0xd8, 0xff]), None);
    }
}
