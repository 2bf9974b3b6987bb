//! Filters of streams, with a bound on what they unpack to.

use std::io::Read as _;

use crate::document::pdf::object::Object;
use crate::source::{Parse, Stop};

/// Undoes a stream's filters.
pub(super) fn decode(dict: &Object, raw: &[u8], max: usize) -> Parse<Vec<u8>> {
    let filters: Vec<&[u8]> = match dict.get(b"Filter") {
        None | Some(Object::Null) => Vec::new(),
        Some(Object::Name(name)) => vec![name],
        Some(Object::Array(names)) => names
            .iter()
            .filter_map(|n| match n {
                Object::Name(n) => Some(n.as_slice()),
                _ => None,
            })
            .collect(),
        Some(_) => return Err(Stop::Unsupported("stream filter")),
    };
    let parms = match dict.get(b"DecodeParms").or_else(|| dict.get(b"DP")) {
        Some(Object::Array(all)) => all.first().cloned().unwrap_or(Object::Null),
        Some(one) => one.clone(),
        None => Object::Null,
    };
    let mut data = raw.to_vec();
    for filter in filters.into_iter().take(4) {
        data = match filter {
            b"FlateDecode" | b"Fl" => {
                let inflated = inflate(&data, max)?;
                unpredict(inflated, &parms)?
            }
            b"Crypt" => data,
            _ => return Err(Stop::Unsupported("stream filter")),
        };
    }
    Ok(data)
}

fn inflate(raw: &[u8], max: usize) -> Parse<Vec<u8>> {
    let mut out = Vec::new();
    let read = flate2::read::ZlibDecoder::new(raw).take(max as u64 + 1).read_to_end(&mut out);
    if out.len() > max {
        return Err(Stop::Limit("a stream unpacks to more than is read of one"));
    }
    if read.is_err() && out.is_empty() {
        return Err(Stop::Malformed("stream does not inflate"));
    }
    Ok(out)
}

/// PNG predictors, which cross-reference streams use.
pub(super) fn unpredict(data: Vec<u8>, parms: &Object) -> Parse<Vec<u8>> {
    let key = |name: &[u8], default: u64| parms.get(name).and_then(Object::index).unwrap_or(default);
    let predictor = key(b"Predictor", 1);
    if predictor < 10 {
        return if predictor == 2 { Err(Stop::Unsupported("TIFF predictor")) } else { Ok(data) };
    }
    let pixel = (key(b"Colors", 1).min(32) * key(b"BitsPerComponent", 8).min(32)).div_ceil(8).max(1) as usize;
    let row =
        (key(b"Columns", 1).min(1 << 20) * key(b"Colors", 1).min(32) * key(b"BitsPerComponent", 8).min(32))
            .div_ceil(8) as usize;
    // Columns are the writer's to state; a row longer than all there is would only cost memory.
    if row >= data.len().max(1) {
        return if data.is_empty() { Ok(data) } else { Err(Stop::Malformed("rows longer than the stream")) };
    }
    let mut out: Vec<u8> = Vec::with_capacity(data.len());
    let mut above = vec![0u8; row];
    for line in data.chunks(row + 1) {
        let Some((&kind, line)) = line.split_first() else { break };
        let mut current = line.to_vec();
        current.resize(row, 0);
        for i in 0..row {
            let at = |row: &[u8], i: Option<usize>| i.and_then(|i| row.get(i).copied()).unwrap_or(0);
            let left = at(&current, i.checked_sub(pixel));
            let up = at(&above, Some(i));
            let corner = at(&above, i.checked_sub(pixel));
            let add = match kind {
                1 => left,
                2 => up,
                3 => ((u16::from(left) + u16::from(up)) / 2) as u8,
                4 => {
                    let p = i16::from(left) + i16::from(up) - i16::from(corner);
                    let (a, b, c) = (
                        (p - i16::from(left)).abs(),
                        (p - i16::from(up)).abs(),
                        (p - i16::from(corner)).abs(),
                    );
                    if a <= b && a <= c {
                        left
                    } else if b <= c {
                        up
                    } else {
                        corner
                    }
                }
                _ => 0,
            };
            if let Some(b) = current.get_mut(i) {
                *b = b.wrapping_add(add);
            }
        }
        out.extend_from_slice(&current);
        above = current;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::pdf::object::Lexer;

    fn parms(text: &str) -> Object {
        Lexer::new(text.as_bytes()).object().unwrap()
    }

    #[test]
    fn rows_are_undone_and_bounded() {
        let two = parms("<< /Predictor 12 /Columns 2 >> ");
        assert_eq!(unpredict(vec![2, 1, 2, 2, 1, 1], &two), Ok(vec![1, 2, 2, 3]));
        let wide = parms("<< /Predictor 12 /Columns 1048576 /Colors 32 /BitsPerComponent 32 >> ");
        assert!(matches!(unpredict(vec![2; 6], &wide), Err(Stop::Malformed(_))));
        assert_eq!(unpredict(Vec::new(), &wide), Ok(Vec::new()));
    }
}
