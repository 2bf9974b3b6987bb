//! MPEG transport streams: tables and first packets in front, clocks at both ends.

use std::collections::btree_map::Entry;

use crate::bytes::be16;
use crate::ctx::Ctx;
use crate::source::{Parse, Stop};
use crate::video::elementary::{Elementary, MAX_STREAMS, Multiplex, write};

/// Read at the end for the last clock.
const TAIL: u64 = 64 * 1024;

#[derive(Default)]
struct Programs {
    maps: Vec<u16>,
    all: Multiplex,
}

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let src = ctx.src;
    let size = src.size();
    let head = src.held_from(0);
    let (start, step) = if head.first() == Some(&0x47) { (0, 188) } else { (4, 192) };
    let mut p = Programs::default();
    p.scan(head, start, step);
    // Aligned on a packet, so that the tail starts with one.
    let tail_at = size.saturating_sub(TAIL) / step as u64 * step as u64;
    let tail = src.upto(tail_at, size - tail_at)?;
    if head.len() as u64 <= tail_at {
        p.scan(tail, start, step);
    } else if (head.len() as u64) < size {
        p.scan(src.held_from((head.len() / step * step) as u64), start, step);
    }
    if p.all.streams.is_empty() {
        return Err(Stop::Malformed("no program map in the head"));
    }
    write(ctx, p.all, ("mpegts", "MPEG-TS (MPEG-2 Transport Stream)"));
    Ok(())
}

impl Programs {
    fn scan(&mut self, bytes: &[u8], start: usize, step: usize) {
        let mut at = start;
        while let Some(packet) = bytes.get(at..at + 188) {
            at += step;
            let (Some(&0x47), Some(pid)) = (packet.first(), be16(packet, 1)) else {
                // Lost: find the next place where two packets begin.
                let rest = bytes.get(at - step + 1..).unwrap_or_default();
                match rest.windows(step + 1).position(|w| w.first() == Some(&0x47) && w.last() == Some(&0x47))
                {
                    Some(skip) => at = at - step + 1 + skip,
                    None => return,
                }
                continue;
            };
            let begins = pid & 0x4000 != 0;
            let pid = pid & 0x1fff;
            let control = packet.get(3).map_or(0, |c| c >> 4 & 3);
            let skip =
                if control & 2 != 0 { 5 + usize::from(packet.get(4).copied().unwrap_or(0)) } else { 4 };
            let Some(payload) = packet.get(skip..).filter(|_| control & 1 != 0) else { continue };
            if pid == 0 && begins {
                self.association(payload);
            } else if self.maps.contains(&pid) && begins {
                self.map(payload);
            } else if let Some(stream) = self.all.streams.get_mut(&pid) {
                stream.packet(payload, begins);
            }
        }
    }

    fn association(&mut self, payload: &[u8]) {
        let Some(table) = section(payload, 0) else { return };
        let entries = table.get(5..table.len().saturating_sub(4)).unwrap_or_default();
        for e in entries.chunks_exact(4) {
            if let (Some(program), Some(pid)) = (be16(e, 0), be16(e, 2))
                && program != 0
                && !self.maps.contains(&(pid & 0x1fff))
            {
                if self.maps.len() >= MAX_STREAMS {
                    self.all.limited = true;
                    break;
                }
                self.maps.push(pid & 0x1fff);
                self.all.programs += 1;
            }
        }
    }

    fn map(&mut self, payload: &[u8]) {
        let Some(table) = section(payload, 2) else { return };
        let Some(info) = be16(table, 7) else { return };
        let end = table.len().saturating_sub(4);
        let mut at = 9 + usize::from(info & 0xfff);
        while let Some(e) = table.get(at..end).filter(|e| e.len() >= 5) {
            let (Some(&kind), Some(pid), Some(len)) = (e.first(), be16(e, 1), be16(e, 3)) else { break };
            let len = usize::from(len & 0xfff);
            let pid = pid & 0x1fff;
            let mut kind = kind;
            let (mut language, mut registration) = (None, [0; 4]);
            let mut rest = e.get(5..(5 + len).min(e.len())).unwrap_or_default();
            while let [tag, n, tail @ ..] = rest {
                let body = tail.get(..usize::from(*n).min(tail.len())).unwrap_or_default();
                match tag {
                    0x0a => language = body.get(..3).map(|l| String::from_utf8_lossy(l).into_owned()),
                    0x05 => {
                        if let Some(&[a, b, c, d]) = body.get(..4) {
                            registration = [a, b, c, d];
                        }
                    }
                    0x6a => kind = 0x81,
                    0x7a => kind = 0x87,
                    0x7b => kind = 0x82,
                    _ => {}
                }
                rest = tail.get(usize::from(*n)..).unwrap_or_default();
            }
            let room = self.all.streams.len() < MAX_STREAMS;
            match self.all.streams.entry(pid) {
                Entry::Vacant(new) if room => {
                    new.insert(Elementary::described(kind, language, registration));
                }
                Entry::Vacant(_) => self.all.limited = true,
                Entry::Occupied(_) => {}
            }
            at += 5 + len;
        }
    }
}

/// A table that fits its first packet.
fn section(payload: &[u8], id: u8) -> Option<&[u8]> {
    let b = payload.get(1 + usize::from(*payload.first()?)..)?;
    if *b.first()? != id {
        return None;
    }
    let len = usize::from(be16(b, 1)? & 0xfff);
    b.get(3..(3 + len).min(b.len()))
}
