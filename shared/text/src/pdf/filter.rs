//! Filters of streams, with a bound on what they unpack to.

use std::io::Read as _;

use mediadex_media::pdf::{Object, unpredict};

use crate::out::{Out, Read};

/// Filters of one stream that are undone.
const MAX_FILTERS: usize = 4;

/// Undoes a stream's filters, into no more than `max` bytes; None where one is not known or
/// the content is damaged, as pictures are no text. Of what is longer its beginning is read.
pub(super) fn decode(
    filter: &Object,
    keys: &Object,
    raw: &[u8],
    max: u64,
    out: &mut Out,
) -> Read<Option<Vec<u8>>> {
    let names: Vec<&[u8]> = match filter {
        Object::Name(name) => vec![name],
        Object::Array(names) => names
            .iter()
            .filter_map(|name| match name {
                Object::Name(name) => Some(name.as_slice()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    if names.len() > MAX_FILTERS {
        return Ok(None);
    }
    let mut data: Option<Vec<u8>> = None;
    for (i, name) in names.into_iter().enumerate() {
        let input = data.as_deref().unwrap_or(raw);
        let keys = match keys {
            Object::Array(all) => all.get(i).unwrap_or(&Object::Null),
            one => one,
        };
        let mut next = match name {
            b"FlateDecode" | b"Fl" => inflate(input, max),
            b"LZWDecode" | b"LZW" => {
                let early = keys.get(b"EarlyChange").and_then(Object::index) != Some(0);
                lzw(input, early, max)
            }
            b"ASCIIHexDecode" | b"AHx" => hex(input, max),
            b"ASCII85Decode" | b"A85" => base85(input, max),
            b"RunLengthDecode" | b"RL" => runs(input, max),
            b"Crypt" => continue,
            _ => return Ok(None),
        };
        out.unpacked(next.len())?;
        if next.len() > max {
            out.cut("a stream unpacks to more than is read of one");
            next.truncate(max);
        }
        if keys.get(b"Predictor").is_some() && matches!(name, b"FlateDecode" | b"Fl" | b"LZWDecode" | b"LZW")
        {
            match unpredict(next, keys) {
                Some(plain) => next = plain,
                None => return Ok(None),
            }
        }
        data = Some(next);
    }
    Ok(Some(match data {
        Some(data) => data,
        None => raw.get(..max).unwrap_or(raw).to_vec(),
    }))
}

fn inflate(raw: &[u8], max: usize) -> Vec<u8> {
    let take = max as u64 + 1;
    let room = raw.len().saturating_mul(4).min(max);
    let mut out = Vec::with_capacity(room);
    // What was unpacked before the damage counts.
    let _ = flate2::read::ZlibDecoder::new(raw).take(take).read_to_end(&mut out);
    if out.is_empty() && raw.len() > 2 {
        // A damaged head, or none.
        for skip in [2, 0] {
            let body = raw.get(skip..).unwrap_or_default();
            let _ = flate2::read::DeflateDecoder::new(body).take(take).read_to_end(&mut out);
            if !out.is_empty() {
                break;
            }
        }
    }
    out
}

fn lzw(raw: &[u8], early: bool, max: usize) -> Vec<u8> {
    // Each code is an earlier one and a byte; texts are written from their end.
    let mut table: Vec<(u16, u8, u16)> = Vec::with_capacity(4096);
    let reset = |table: &mut Vec<(u16, u8, u16)>| {
        table.clear();
        table.extend((0..258u16).map(|i| (u16::MAX, i as u8, 1)));
    };
    reset(&mut table);
    let (mut out, mut bits, mut held, mut before) = (Vec::new(), 0u32, 0u32, None::<u16>);
    let mut width = 9;
    let shift = usize::from(early);
    for byte in raw {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        if held < width {
            continue;
        }
        held -= width;
        let code = ((bits >> held) & ((1 << width) - 1)) as u16;
        bits &= (1 << held) - 1;
        match code {
            256 => {
                reset(&mut table);
                width = 9;
                before = None;
                continue;
            }
            257 => break,
            _ => {}
        }
        let start = out.len();
        let known = usize::from(code) < table.len();
        let from = match (known, before) {
            (true, _) => code,
            (false, Some(before)) => before,
            (false, None) => break,
        };
        let len = table.get(usize::from(from)).map_or(0, |e| usize::from(e.2));
        if out.len() + len + 1 > max {
            out.resize(max.saturating_add(1), 0);
            break;
        }
        out.resize(start + len, 0);
        let mut at = from;
        for slot in out.iter_mut().skip(start).rev() {
            let Some((parent, byte, _)) = table.get(usize::from(at)) else { break };
            *slot = *byte;
            at = *parent;
        }
        let first = out.get(start).copied().unwrap_or(0);
        if !known {
            out.push(first);
        }
        if let Some(before) = before
            && table.len() < 4096
        {
            let len = table.get(usize::from(before)).map_or(0, |e| e.2);
            table.push((before, first, len.saturating_add(1)));
        }
        before = Some(code);
        width = match table.len() + shift {
            0..=511 => 9,
            512..=1023 => 10,
            1024..=2047 => 11,
            _ => 12,
        };
    }
    out
}

fn hex(raw: &[u8], max: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut half = None;
    for byte in raw.iter().take_while(|b| **b != b'>') {
        let Some(digit) = char::from(*byte).to_digit(16) else { continue };
        match half.take() {
            Some(high) => out.push((high << 4 | digit) as u8),
            None => half = Some(digit),
        }
        if out.len() > max {
            return out;
        }
    }
    out.extend(half.map(|high| (high << 4) as u8));
    out
}

fn base85(raw: &[u8], max: usize) -> Vec<u8> {
    let raw = raw.trim_ascii_start();
    let raw = raw.strip_prefix(b"<~").unwrap_or(raw);
    let mut out = Vec::new();
    let (mut value, mut count) = (0u32, 0usize);
    for byte in raw {
        match byte {
            b'z' if count == 0 => out.extend([0; 4]),
            b'!'..=b'u' => {
                value = value.wrapping_mul(85).wrapping_add(u32::from(byte - b'!'));
                count += 1;
                if count == 5 {
                    out.extend(value.to_be_bytes());
                    (value, count) = (0, 0);
                }
            }
            b'~' => break,
            _ => {}
        }
        if out.len() > max {
            return out;
        }
    }
    if count > 1 {
        for _ in count..5 {
            value = value.wrapping_mul(85).wrapping_add(84);
        }
        out.extend(value.to_be_bytes().iter().take(count - 1));
    }
    out
}

fn runs(raw: &[u8], max: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = raw;
    while let Some((length, tail)) = rest.split_first() {
        let length = usize::from(*length);
        match length {
            128 => break,
            0..128 => {
                let (copied, tail) = tail.split_at_checked(length + 1).unwrap_or((tail, &[]));
                out.extend_from_slice(copied);
                rest = tail;
            }
            _ => {
                let Some((byte, tail)) = tail.split_first() else { break };
                out.resize(out.len() + 257 - length, *byte);
                rest = tail;
            }
        }
        if out.len() > max {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        // The example of ISO 32000-1, 7.4.4.2.
        let packed = [0x80, 0x0b, 0x60, 0x50, 0x22, 0x0c, 0x0c, 0x85, 0x01];
        assert_eq!(lzw(&packed, true, 100), [45, 45, 45, 45, 45, 65, 45, 45, 45, 66]);
        assert_eq!(lzw(&packed, true, 4).len(), 5);
        assert_eq!(hex(b"48 65 6c6C 6f7>", 100), b"Hellop");
        assert_eq!(base85(b"<~87cURD]i,\"Ebo80~>", 100), b"Hello World!");
        assert_eq!(runs(&[2, 1, 2, 3, 254, 9, 128, 7], 100), [1, 2, 3, 9, 9, 9]);
    }
}
