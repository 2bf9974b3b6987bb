//! Frames of MPEG audio (MP1, MP2, MP3).

use crate::bytes::be32;

/// A frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    /// 1, 2 or 3.
    pub(crate) layer: u8,
    /// 1, 2, or 25 for 2.5.
    pub(crate) version: u8,
    /// Bit/s.
    pub(crate) bitrate: u32,
    pub(crate) sample_rate: u32,
    pub(crate) channels: u32,
    /// Bytes of the whole frame.
    pub(crate) len: u32,
    /// Samples a channel.
    pub(crate) samples: u32,
}

const RATES_V1: [[u16; 15]; 3] = [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
];
const RATES_V2: [[u16; 15]; 3] = [
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

impl Frame {
    /// Reads a header; None where the fields are reserved or the bit rate is free.
    pub(crate) fn parse(b: &[u8]) -> Option<Frame> {
        let h = be32(b, 0)?;
        if h >> 21 != 0x7ff {
            return None;
        }
        let version = match h >> 19 & 3 {
            0 => 25,
            2 => 2,
            3 => 1,
            _ => return None,
        };
        let layer = match h >> 17 & 3 {
            1 => 3,
            2 => 2,
            3 => 1,
            _ => return None,
        };
        let table = if version == 1 { &RATES_V1 } else { &RATES_V2 };
        let kbit = *table.get(usize::from(layer) - 1)?.get((h >> 12 & 15) as usize)?;
        let base = *[44_100u32, 48_000, 32_000].get((h >> 10 & 3) as usize)?;
        let sample_rate = match version {
            1 => base,
            2 => base / 2,
            _ => base / 4,
        };
        if kbit == 0 {
            return None;
        }
        let bitrate = u32::from(kbit) * 1000;
        let padding = h >> 9 & 1;
        let (samples, len) = match layer {
            1 => (384, (12 * bitrate / sample_rate + padding) * 4),
            3 if version != 1 => (576, 72 * bitrate / sample_rate + padding),
            _ => (1152, 144 * bitrate / sample_rate + padding),
        };
        let channels = if h >> 6 & 3 == 3 { 1 } else { 2 };
        Some(Frame { layer, version, bitrate, sample_rate, channels, len, samples })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_header() {
        let f = Frame::parse(&[0xff, 0xfb, 0x90, 0x64]).unwrap();
        assert_eq!((f.layer, f.bitrate, f.sample_rate, f.channels, f.len), (3, 128_000, 44_100, 2, 417));
        assert_eq!(Frame::parse(&[0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(Frame::parse(&[0xff, 0xfb]), None);
    }
}
