//! Headers of WavPack, Monkey's Audio and Musepack.

use crate::bytes::{be24, le16, le32};
use crate::codec::BitReader;

/// What a header says of the sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    pub(crate) rate: u32,
    pub(crate) channels: u32,
    pub(crate) seconds: f64,
}

impl Shape {
    fn of(rate: u32, channels: u32, samples: u64) -> Option<Shape> {
        let seconds = samples as f64 / f64::from(rate);
        (rate > 0 && channels > 0).then_some(Shape { rate, channels, seconds })
    }
}

/// WavPack: the blocks of the first samples, one for each two channels.
pub(crate) fn wavpack(mut b: &[u8]) -> Option<Shape> {
    const RATES: [u32; 15] = [
        6000, 8000, 9600, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200,
        96_000, 192_000,
    ];
    let samples = le32(b, 12).filter(|n| *n != u32::MAX).unwrap_or(0);
    let (mut rate, mut power) = (0, 0);
    let (mut counted, mut stated) = (0, None);
    for _ in 0..128 {
        if !b.starts_with(b"wvpk") {
            break;
        }
        // The first versions have other headers.
        if !(0x402..=0x410).contains(&le16(b, 8)?) {
            return None;
        }
        let (len, held, flags) = ((le32(b, 4)? as usize).checked_add(8)?, le32(b, 20)?, le32(b, 24)?);
        // Blocks of no samples say nothing of the sound.
        if held == 0 {
            b = b.get(len..).unwrap_or_default();
            continue;
        }
        counted += if flags & 4 != 0 { 1 } else { 2 };
        if rate == 0 {
            rate = RATES.get((flags >> 23 & 15) as usize).copied().unwrap_or(0);
        }
        let mut parts = b.get(32..len.min(b.len())).unwrap_or_default();
        // Parts: a kind with flags, a length in words of two bytes.
        while let [id, short, ..] = *parts {
            let (head, words) =
                if id & 0x80 != 0 { (4, long_words(parts)?) } else { (2, usize::from(short)) };
            let body = parts.get(head..(head + words * 2).min(parts.len())).unwrap_or_default();
            match (id & 0x3f, body) {
                (0x0d, [n, ..]) if words <= 2 => stated = stated.or(Some(u32::from(*n))),
                (0x0d, [low, _, high, ..]) => {
                    stated = stated.or(Some((u32::from(*low) | u32::from(*high & 15) << 8) + 1));
                }
                // DSD: eight samples of one bit count as one, times a power of two.
                (0x0e, [n, ..]) if flags >> 31 == 1 => power = u32::from(*n & 15),
                (0x27, [a, b, c, ..]) => rate = be24(&[*c, *b, *a], 0)?,
                _ => {}
            }
            parts = parts.get(head + words * 2..).unwrap_or_default();
        }
        // The last block of these samples.
        if flags & 0x1000 != 0 {
            break;
        }
        b = b.get(len..).unwrap_or_default();
    }
    Shape::of(rate.checked_shl(power)?, stated.unwrap_or(counted), u64::from(samples))
}

/// A long part's length: three bytes, the low one first.
fn long_words(part: &[u8]) -> Option<usize> {
    match *part {
        [_, a, b, c, ..] => be24(&[c, b, a], 0).map(|n| n as usize),
        _ => None,
    }
}

/// Monkey's Audio: since version 3.98 a description and a header, before that a
/// header alone in which the frames' length goes by the version.
pub(crate) fn ape(b: &[u8]) -> Option<Shape> {
    if !b.starts_with(b"MAC ") {
        return None;
    }
    let version = le16(b, 4)?;
    let (rate, channels, per_frame, frames, last) = if version >= 3980 {
        let h = b.get(le32(b, 8)? as usize..)?;
        (le32(h, 20)?, le16(h, 18)?, le32(h, 4)?, le32(h, 12)?, le32(h, 8)?)
    } else {
        let level = le16(b, 6)?;
        let per_frame = match version {
            3950.. => 73_728 * 4,
            3900.. => 73_728,
            3800.. if level >= 4000 => 73_728,
            _ => 9216,
        };
        (le32(b, 12)?, le16(b, 10)?, per_frame, le32(b, 24)?, le32(b, 28)?)
    };
    let whole = u64::from(frames.saturating_sub(1)) * u64::from(per_frame);
    Shape::of(rate, u32::from(channels), whole + u64::from(last))
}

/// Rates of Musepack by their number.
const MUSEPACK_RATES: [u32; 4] = [44_100, 48_000, 37_800, 32_000];

/// Musepack up to stream version 7: a count of frames of 1152 samples.
pub(crate) fn musepack7(b: &[u8]) -> Option<Shape> {
    const FRAME: u64 = 1152;
    if !b.starts_with(b"MP+") || b.get(3)? & 15 != 7 {
        return None;
    }
    let (frames, flags, gapless) = (le32(b, 4)?, le32(b, 8)?, le32(b, 20)?);
    let rate = MUSEPACK_RATES.get((flags >> 16 & 3) as usize).copied()?;
    let samples = u64::from(frames) * FRAME;
    let last = u64::from(gapless >> 20 & 0x7ff);
    let samples = if gapless >> 31 == 1 && last > 0 {
        samples.saturating_sub(FRAME - last.min(FRAME))
    } else {
        samples
    };
    Shape::of(rate, 2, samples)
}

/// Musepack of stream version 8: packets, of which `SH` describes the stream.
pub(crate) fn musepack8(b: &[u8]) -> Option<Shape> {
    /// A number of seven bits a byte, and its length.
    fn number(b: &[u8]) -> Option<(u64, usize)> {
        let mut value = 0u64;
        for (i, byte) in b.iter().enumerate().take(9) {
            value = value << 7 | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Some((value, i + 1));
            }
        }
        None
    }
    let mut rest = b.strip_prefix(b"MPCK")?;
    for _ in 0..16 {
        let (len, digits) = number(rest.get(2..)?)?;
        if rest.starts_with(b"SH") {
            // Behind a checksum and the version.
            let body = rest.get(2 + digits + 5..)?;
            let (samples, n) = number(body)?;
            let (silence, m) = number(body.get(n..)?)?;
            let mut r = BitReader::new(body.get(n + m..)?);
            let rate = MUSEPACK_RATES.get(r.bits(3)? as usize).copied()?;
            r.bits(5)?;
            return Shape::of(rate, r.bits(4)? + 1, samples.saturating_sub(silence));
        }
        rest = rest.get(usize::try_from(len).ok()?.max(2 + digits)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn le(fields: &[u32]) -> Vec<u8> {
        fields.iter().flat_map(|n| n.to_le_bytes()).collect()
    }

    /// A block of 44,100 samples with a flag word and parts.
    fn block(flags: u32, parts: &[u8]) -> Vec<u8> {
        of_samples(44_100, flags, parts)
    }

    fn of_samples(held: u32, flags: u32, parts: &[u8]) -> Vec<u8> {
        let len = 24 + parts.len() as u32;
        [&b"wvpk"[..], &le(&[len, 0x410, 44_100, 0, held, flags, 0]), parts].concat()
    }

    #[test]
    fn shapes_of_wavpack() {
        const RATE: u32 = 9 << 23;
        let shape = |rate, channels, seconds| Some(Shape { rate, channels, seconds });
        let table = [
            (block(RATE | 0x1800, &[]), shape(44_100, 2, 1.0)),
            (block(RATE | 0x1804, &[]), shape(44_100, 1, 1.0)),
            // Three blocks for the same samples.
            (
                [block(RATE | 0x800, &[]), block(RATE, &[]), block(RATE | 0x1004, &[])].concat(),
                shape(44_100, 5, 1.0),
            ),
            // Channels and a rate of their own in parts.
            (block(RATE | 0x800, &[0x0d, 1, 6, 0x3f]), shape(44_100, 6, 1.0)),
            (block(15 << 23 | 0x1800, &[0x27, 2, 0x44, 0xac, 0, 0]), shape(44_100, 2, 1.0)),
            (block(15 << 23 | 0x1800, &[]), None),
            // A first block of no samples, and DSD at eight times the rate.
            ([of_samples(0, 0, &[]), block(RATE | 0x1800, &[])].concat(), shape(44_100, 2, 1.0)),
            (block(1 << 31 | RATE | 0x1800, &[0x0e, 1, 3, 1]), shape(352_800, 2, 0.125)),
            // Another header, of version 3.
            ([&b"wvpk"[..], &le(&[24, 3, 44_100, 0, 44_100, RATE, 0])].concat(), None),
            (b"wvpk".to_vec(), None),
        ];
        for (bytes, want) in table {
            assert_eq!(wavpack(&bytes), want);
        }
    }

    #[test]
    fn shapes_of_musepack() {
        let seven = [&b"MP+\x07"[..], &le(&[10, 1 << 16, 0, 0, 1 << 31 | 100 << 20])].concat();
        let seconds = (10.0 * 1152.0 - 1052.0) / 48_000.0;
        assert_eq!(musepack7(&seven), Some(Shape { rate: 48_000, channels: 2, seconds }));
        let eight = [&b"MPCKRG\x04x"[..], b"SH\x0e\0\0\0\0\x08\x82\xd8\x44\0\x1f\x10"].concat();
        assert_eq!(musepack8(&eight), Some(Shape { rate: 44_100, channels: 2, seconds: 1.0 }));
        assert_eq!((musepack7(b"MP+\x07"), musepack8(b"MPCKSH")), (None, None));
    }

    #[test]
    fn shapes_of_monkeys_audio() {
        let old = [&b"MAC "[..], &[0x6e, 0x0f, 0xd0, 7, 0, 0, 2, 0], &le(&[44_100, 0, 0, 2, 100])].concat();
        let new = [
            &b"MAC "[..],
            &[0x96, 0x0f, 0, 0],
            &le(&[52]),
            &[0; 40],
            &[0xd0, 7, 0, 0],
            &le(&[73_728, 100, 2]),
            &[16, 0, 1, 0],
            &le(&[48_000]),
        ]
        .concat();
        let shape =
            |rate, channels, samples: f64| Some(Shape { rate, channels, seconds: samples / f64::from(rate) });
        assert_eq!(ape(&old), shape(44_100, 2, 294_912.0 + 100.0));
        assert_eq!(ape(&new), shape(48_000, 1, 73_728.0 + 100.0));
        assert_eq!(ape(b"MAC \x96\x0f"), None);
    }
}
