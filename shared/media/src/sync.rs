//! Formats without a mark: sound that begins with a frame, and transport streams. Two
//! bytes that look like a frame are in every program and every texture, so frames have to
//! follow one another.

use crate::bytes::{be16, be24};
use crate::detect::{AAC, AC3, Kind, LOAS, MP3};

/// Where the frames begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// With the first byte.
    Start,
    /// Behind a tag that says that this is sound.
    BehindTag,
    /// Inside of junk, or in the middle of a frame.
    Anywhere,
}

/// Searched for a first frame that is not at the start.
const WINDOW: usize = 64 * 1024;

/// Length of the frame that begins here.
type Length = fn(&[u8]) -> Option<usize>;

fn adts_len(b: &[u8]) -> Option<usize> {
    (be16(b, 0)? & 0xfff6 == 0xfff0).then_some(())?;
    // A rate that exists.
    matches!(b.get(2)? >> 2 & 15, 0..=12 | 15).then_some(())?;
    be24(b, 3).map(|v| (v >> 5 & 0x1fff) as usize).filter(|n| *n >= 9)
}

fn mpeg_len(b: &[u8]) -> Option<usize> {
    crate::audio::mpeg::Frame::parse(b).map(|f| f.len as usize)
}

fn ac3_len(b: &[u8]) -> Option<usize> {
    let (_, rate, _, bits) = crate::audio::ac3_frame(b)?;
    // 1536 samples a frame; at 44.1 kHz lengths alternate by two bytes.
    let len = (bits * 192 / u64::from(rate)) as usize / 2 * 2;
    if rate != 44_100 || be16(b, len) == Some(0x0b77) { Some(len) } else { Some(len + 2) }
}

fn loas_len(b: &[u8]) -> Option<usize> {
    let head = be24(b, 0)?;
    (head >> 13 == 0x2b7).then_some((head & 0x1fff) as usize + 3).filter(|n| *n > 7)
}

/// Frames that follow one another from `start` on, and whether they reach the end.
fn chain(b: &[u8], start: usize, len: Length, most: usize) -> (usize, bool) {
    // What makes a stream does not change within it: layer, rate.
    let kept = |b: &[u8]| match *b {
        [0xff, second, third, ..] => Some((second & 0xfe, third & 0x0c)),
        // The other formats' marks are longer, and nothing beside them is fixed.
        _ => None,
    };
    let first = b.get(start..).and_then(kept);
    let (mut at, mut count) = (start, 0);
    while count < most {
        let Some(rest) = b.get(at..).filter(|rest| rest.len() >= 8) else { return (count, true) };
        if kept(rest) != first {
            return (count, false);
        }
        let Some(n) = len(rest) else { return (count, false) };
        at += n;
        count += 1;
    }
    (count, false)
}

/// Sound by its frames; `whole` says that `head` is all there is.
pub(crate) fn sound(head: &[u8], whole: bool, place: Place) -> Option<Kind> {
    let formats: [(u8, Length, Kind); 4] =
        [(0xff, adts_len, AAC), (0xff, mpeg_len, MP3), (0x0b, ac3_len, AC3), (0x56, loas_len, LOAS)];
    if place == Place::Start && (is_lone_frame(head, whole) || is_ac3(head)) {
        return Some(if head.starts_with(&[0x0b]) { AC3 } else { MP3 });
    }
    // At the start a few frames are enough, inside of junk it takes many.
    let (few, many, end) = match place {
        Place::Start => (2, 3, 1),
        Place::BehindTag => (2, 2, WINDOW),
        Place::Anywhere => (4, 12, WINDOW),
    };
    let window = head.get(..head.len().min(end)).unwrap_or_default();
    for (at, b) in window.iter().enumerate() {
        for (_, len, kind) in formats.iter().filter(|(mark, ..)| mark == b) {
            let (count, ended) = chain(head, at, *len, many);
            let counted = kind.format == "mp3" && place == Place::Start && counts_frames(head);
            if count >= many || (ended && count >= few && (whole || place == Place::Start)) || counted {
                return Some(*kind);
            }
        }
    }
    None
}

/// Whether all there is are one or two frames of MPEG audio, with a tag behind them or
/// without one.
fn is_lone_frame(head: &[u8], whole: bool) -> bool {
    let mut at = 0;
    for _ in 0..2 {
        let Some(len) = head.get(at..).and_then(mpeg_len) else { return false };
        at += len;
        let Some(rest) = head.get(at..).filter(|_| whole) else { return false };
        if rest.is_empty() || rest.starts_with(b"TAG") || rest.starts_with(b"APETAGEX") {
            return true;
        }
    }
    false
}

/// Whether a frame of AC-3 has another one of its kind near behind it.
fn is_ac3(head: &[u8]) -> bool {
    let Some(first) = crate::audio::ac3_frame(head) else { return false };
    let near = head.get(..head.len().min(4096)).unwrap_or_default();
    (32..near.len()).any(|at| near.get(at..).and_then(crate::audio::ac3_frame) == Some(first))
}

/// Whether the first frame is one that counts the others.
fn counts_frames(head: &[u8]) -> bool {
    let lead = head.get(..64.min(head.len())).unwrap_or_default();
    mpeg_len(head).is_some()
        && [&b"Xing"[..], b"Info", b"VBRI"].iter().any(|m| crate::bytes::find(lead, m).is_some())
}

/// Whether packets follow one another: plain ones, and those of Blu-ray with a timestamp
/// in front.
pub(crate) fn is_transport_stream(head: &[u8]) -> bool {
    let synced = |start: usize, step: usize| {
        let seen = (0..8).map_while(|i| head.get(start + i * step));
        let (mut n, mut good) = (0, true);
        for b in seen {
            n += 1;
            good &= *b == 0x47;
        }
        good && n >= 3
    };
    synced(0, 188) || synced(4, 192)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(n: usize) -> Vec<u8> {
        (0..n)
            .flat_map(|_| {
                let mut frame = vec![0xff, 0xfb, 0x90, 0x64];
                frame.resize(417, 0);
                frame
            })
            .collect()
    }

    #[test]
    fn frames_have_to_follow_one_another() {
        let format = |b: &[u8], whole, place| sound(b, whole, place).map(|k| k.format);
        assert_eq!(format(&frames(5), false, Place::Start), Some("mp3"));
        assert_eq!(format(&frames(2), true, Place::Start), Some("mp3"));
        // A frame that is the whole file, and one that is a part of something else.
        assert_eq!(format(&frames(1), true, Place::Start), Some("mp3"));
        assert_eq!(format(&frames(1), false, Place::Start), None);
        assert_eq!(format(&[&frames(1)[..], &[0; 900]].concat(), true, Place::Start), None);
        let inside = |n| [&[0x7f, b'E', 3, 4, 5][..], &frames(n), &[0; 900]].concat();
        assert_eq!(format(&inside(3), true, Place::Anywhere), None);
        assert_eq!(format(&inside(20), true, Place::Anywhere), Some("mp3"));
        let loas: Vec<u8> = (0..6).flat_map(|_| [&[0x56, 0xe0, 10][..], &[0x20; 10]].concat()).collect();
        assert_eq!(format(&loas, false, Place::Start), Some("loas"));
        assert!(is_transport_stream(&[&[0x47][..], &[0; 187]].concat().repeat(4)));
        assert!(!is_transport_stream(&[&[0x47][..], &[0; 187]].concat().repeat(1)));
    }
}
