//! MPEG program streams (discs, and what old cameras write), and bare video streams.

use crate::bytes::{be16, find};
use crate::ctx::Ctx;
use crate::metadata::VideoStream;
use crate::source::{Parse, Stop};
use crate::video::elementary::{Elementary, MAX_STREAMS, Multiplex, clock, pes, video_stream, write};

/// Read at the end for the last clock.
const TAIL: u64 = 64 * 1024;

/// Packs and PES packets with start codes.
pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let src = ctx.src;
    let size = src.size();
    let head = src.held_from(0);
    let mut all = Multiplex::default();
    packs(&mut all, head);
    let tail_at = size.saturating_sub(TAIL);
    let tail = src.upto(tail_at, size - tail_at)?;
    if head.len() as u64 <= tail_at {
        packs(&mut all, tail);
    } else if (head.len() as u64) < size {
        packs(&mut all, src.held_from(head.len() as u64));
    }
    if all.streams.is_empty() {
        return Err(Stop::Malformed("no packets in the head"));
    }
    for stream in all.streams.values_mut().filter(|s| s.kind == 0x02) {
        stream.kind = video_kind(stream.head());
    }
    write(ctx, all, ("mpeg", "MPEG-PS (MPEG-2 Program Stream)"));
    Ok(())
}

/// Stream type of a video stream that no map describes.
fn video_kind(head: &[u8]) -> u8 {
    // Start codes of MPEG-1 and 2, of MPEG-4's visual objects, of H.264's parameters.
    if let Some(at) = find(head, &[0, 0, 1, 0xb3]) {
        let extended = head.get(at..).is_some_and(|h| find(h, &[0, 0, 1, 0xb5]).is_some());
        return if extended { 0x02 } else { 0x01 };
    }
    let codes = head.windows(4).filter(|w| w.starts_with(&[0, 0, 1])).filter_map(|w| w.last().copied());
    for code in codes {
        match code {
            0xb0 => return 0x10,
            0x67 | 0x27 | 0x47 => return 0x1b,
            _ => {}
        }
    }
    0x02
}

fn packs(all: &mut Multiplex, bytes: &[u8]) {
    let mut at = 0;
    while let Some(hit) = bytes.get(at..).and_then(|b| find(b, &[0, 0, 1])) {
        at += hit;
        let Some(packet) = bytes.get(at..) else { break };
        let id = packet.get(3).copied().unwrap_or(0);
        at += 4;
        if !matches!(id, 0xbd | 0xc0..=0xef) {
            continue;
        }
        let len = be16(packet, 4).map_or(0, usize::from);
        let packet = packet.get(..(6 + len).min(packet.len())).unwrap_or_default();
        // MPEG-2 packets begin with 10 behind their length; MPEG-1 ones do not.
        let parsed = if packet.get(6).is_some_and(|b| b >> 6 == 2) { pes(packet) } else { pes1(packet) };
        let Some((time, body)) = parsed else { continue };
        let (kind, number, body) = match id {
            0xe0.. => (0x02, u16::from(id), body),
            0xc0.. => (0x03, u16::from(id), body),
            // Private: the first byte tells the stream in it, and three more follow.
            _ => match private_kind(body) {
                Some((kind, sub)) => (kind, 0x100 | u16::from(sub), body.get(4..).unwrap_or_default()),
                None => continue,
            },
        };
        if all.streams.len() < MAX_STREAMS || all.streams.contains_key(&number) {
            let stream = all.streams.entry(number).or_insert_with(|| Elementary::of(kind));
            stream.timed(time, body);
        } else {
            all.limited = true;
        }
        at += len.max(2);
    }
}

/// Stream type and number of a private stream of a disc: AC-3, DTS.
fn private_kind(body: &[u8]) -> Option<(u8, u8)> {
    let sub = *body.first()?;
    match sub {
        0x80..=0x87 | 0xc0..=0xcf => Some((0x81, sub)),
        0x88..=0x8f => Some((0x82, sub)),
        _ => None,
    }
}

/// Presentation time and content of an MPEG-1 packet: stuffing, buffer size, times.
fn pes1(b: &[u8]) -> Option<(Option<u64>, &[u8])> {
    let mut rest = b.get(6..)?;
    let stuffing = rest.iter().take(17).take_while(|b| **b == 0xff).count();
    rest = rest.get(stuffing..)?;
    if rest.first()? >> 6 == 1 {
        rest = rest.get(2..)?;
    }
    match rest.first()? >> 4 {
        2 => Some((rest.get(..5).and_then(clock), rest.get(5..)?)),
        3 => Some((rest.get(..5).and_then(clock), rest.get(10..)?)),
        _ if rest.first() == Some(&0x0f) => Some((None, rest.get(1..)?)),
        _ => None,
    }
}

/// A video stream without a multiplex: MPEG-1 and 2, MPEG-4, H.264, H.265.
pub(crate) fn bare(ctx: &mut Ctx<'_>) -> Parse {
    let head = ctx.src.held_from(0);
    let head = head.get(..head.len().min(16 * 1024)).unwrap_or_default();
    let (name, format, long) = match ctx.kind.format {
        "h264" => ("h264", "h264", "raw H.264 video"),
        "hevc" => ("hevc", "hevc", "raw HEVC video"),
        "m4v" => ("mpeg4", "m4v", "raw MPEG-4 video"),
        _ if video_kind(head) == 0x01 => ("mpeg1video", "mpegvideo", "raw MPEG video"),
        _ => ("mpeg2video", "mpegvideo", "raw MPEG video"),
    };
    let v = VideoStream { index: Some(0), ..video_stream(name, head) };
    if v.width.is_none() {
        return Err(Stop::Malformed("no sequence header in the head"));
    }
    (ctx.meta.video_width, ctx.meta.video_height) = (v.width, v.height);
    ctx.meta.video_streams.push(v);
    ctx.meta.stream_count = Some(1);
    ctx.meta.format_name = Some(format.into());
    ctx.meta.format_long_name = Some(long.into());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_both_versions() {
        let time = [0x21, 0, 1, 0, 3];
        let one = [&[0, 0, 1, 0xe0, 0, 9, 0xff, 0xff, 0x60, 0x20][..], &time, b"x"].concat();
        assert_eq!(pes1(&one), Some((Some(1), &b"x"[..])));
        let two = [&[0, 0, 1, 0xe0, 0, 9, 0x80, 0x80, 5][..], &time, b"x"].concat();
        assert_eq!(pes(&two), Some((Some(1), &b"x"[..])));
        assert_eq!(pes1(&[0, 0, 1, 0xe0, 0, 2, 0x0f]), Some((None, &b""[..])));
        assert_eq!(pes1(&[0, 0, 1, 0xe0, 0, 2, 0x00]), None);
    }

    #[test]
    fn kinds_of_bare_video() {
        for (head, kind) in [
            (&[0, 0, 1, 0xb3, 1, 2, 0, 0, 1, 0xb8][..], 0x01),
            (&[0, 0, 1, 0xb3, 1, 2, 0, 0, 1, 0xb5], 0x02),
            (&[0, 0, 0, 1, 0x67, 0x42], 0x1b),
            (&[0, 0, 1, 0xb0, 1, 0, 0, 1, 0xb5], 0x10),
        ] {
            assert_eq!(video_kind(head), kind);
        }
    }
}
