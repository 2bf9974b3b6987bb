//! A PDF's cross-reference and the objects behind it, from ranged reads.

use std::collections::BTreeMap;
use std::io::Read as _;

use crate::bytes::{find, rfind};
use crate::ctx::Ctx;
use crate::document::pdf::object::{Fault, Lexer, Object};
use crate::source::{Parse, Source, Stop};

/// Searched for `startxref`.
const TAIL: u64 = 64 * 1024;
/// Objects are read in pieces of these lengths until they end.
const PIECES: [u64; 4] = [4 * 1024, 64 * 1024, 1024 * 1024, 4 * 1024 * 1024];
/// Most sections of the cross-reference (incremental updates).
const MAX_SECTIONS: usize = 64;
/// Most objects indexed.
const MAX_OBJECTS: usize = 500_000;

#[derive(Clone, Copy)]
enum Place {
    At(u64),
    /// Number of an object stream, and the index in it.
    In(u32, u32),
}

pub(super) struct Pdf<'a> {
    src: &'a Source,
    /// Bytes in front of the header, which offsets do not count.
    shift: u64,
    places: BTreeMap<u32, Place>,
    pub(super) trailer: Vec<Object>,
    max: usize,
    streams: BTreeMap<u32, (Object, Vec<u8>)>,
}

const BAD: Stop = Stop::Malformed("not a PDF object");

impl<'a> Pdf<'a> {
    pub(super) fn open(ctx: &Ctx<'_>, src: &'a Source) -> Parse<Self> {
        let size = src.size();
        let head = src.held_from(0);
        let shift = find(head.get(..head.len().min(1024)).unwrap_or_default(), b"%PDF-").unwrap_or(0) as u64;
        let from = size.saturating_sub(TAIL);
        let tail = src.upto(from, size - from)?;
        let mark = rfind(tail, b"startxref").ok_or(Stop::Malformed("no startxref"))?;
        let mut lexer = Lexer::new(tail.get(mark + 9..).unwrap_or_default());
        let start = lexer.integer().ok_or(Stop::Malformed("startxref without an offset"))?;
        let mut pdf = Pdf {
            src,
            shift,
            places: BTreeMap::new(),
            trailer: Vec::new(),
            max: ctx.room(),
            streams: BTreeMap::new(),
        };
        let mut next = vec![start];
        let mut seen = Vec::new();
        while let Some(at) = next.pop() {
            ctx.tick()?;
            if seen.contains(&at) || seen.len() >= MAX_SECTIONS {
                continue;
            }
            seen.push(at);
            let trailer = match pdf.section(at) {
                Ok(trailer) => trailer,
                // An older section that is damaged hides old objects only.
                Err(Stop::Malformed(_)) if !pdf.trailer.is_empty() => continue,
                Err(stop) => return Err(stop),
            };
            // The hybrid's stream goes before the previous section.
            next.extend(trailer.get(b"Prev").and_then(Object::index));
            next.extend(trailer.get(b"XRefStm").and_then(Object::index));
            pdf.trailer.push(trailer);
        }
        Ok(pdf)
    }

    /// A key of the newest trailer that has it.
    pub(super) fn trailer_key(&self, key: &[u8]) -> Option<&Object> {
        self.trailer.iter().find_map(|t| t.get(key))
    }

    /// Reads one cross-reference section, a table or a stream.
    fn section(&mut self, at: u64) -> Parse<Object> {
        let at = at.checked_add(self.shift).ok_or(BAD)?;
        let mut lead = Lexer::new(self.src.upto(at, 64)?);
        if !lead.eat(b"xref") {
            return self.section_stream(at);
        }
        for piece in PIECES {
            let bytes = self.src.upto(at, piece)?;
            let mut lexer = Lexer::new(bytes);
            lexer.eat(b"xref");
            match self.table(&mut lexer) {
                Ok(trailer) => return Ok(trailer),
                Err(Fault::Short) if (bytes.len() as u64) == piece => {}
                Err(_) => break,
            }
        }
        Err(Stop::Malformed("damaged cross-reference table"))
    }

    fn table(&mut self, lexer: &mut Lexer<'_>) -> Result<Object, Fault> {
        loop {
            if lexer.eat(b"trailer") {
                return lexer.object();
            }
            let short =
                |lexer: &Lexer<'_>| if lexer.at >= lexer.bytes.len() { Fault::Short } else { Fault::Bad };
            let Some(first) = lexer.integer() else { return Err(short(lexer)) };
            let Some(count) = lexer.integer() else { return Err(short(lexer)) };
            for i in 0..count {
                let (Some(at), Some(_)) = (lexer.integer(), lexer.integer()) else {
                    return Err(short(lexer));
                };
                let kind = lexer.word();
                if kind == b"n" && at > 0 {
                    self.place(first.saturating_add(i), Place::At(at));
                } else if kind.is_empty() {
                    return Err(short(lexer));
                }
            }
        }
    }

    /// Newer sections are read first and win.
    fn place(&mut self, id: u64, place: Place) {
        if let Ok(id) = u32::try_from(id)
            && self.places.len() < MAX_OBJECTS
        {
            self.places.entry(id).or_insert(place);
        }
    }

    fn section_stream(&mut self, at: u64) -> Parse<Object> {
        let (dict, data) = self.stream_at(at)?;
        let widths = dict.get(b"W").map(Object::numbers).unwrap_or_default();
        let &[w0, w1, w2] = widths.as_slice() else {
            return Err(Stop::Malformed("cross-reference stream without W"));
        };
        let (w0, w1, w2) = (w0.min(8) as usize, w1.min(8) as usize, w2.min(8) as usize);
        let unit = w0 + w1 + w2;
        if unit == 0 {
            return Err(Stop::Malformed("cross-reference stream without W"));
        }
        let size = dict.get(b"Size").and_then(Object::index).unwrap_or(0);
        let index = dict.get(b"Index").map(Object::numbers).unwrap_or_else(|| vec![0, size]);
        let number = |b: &[u8]| b.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        let mut rows = data.chunks_exact(unit);
        for range in index.chunks_exact(2) {
            let &[first, count] = range else { continue };
            for i in 0..count {
                let Some(row) = rows.next() else { break };
                let (kind, rest) = row.split_at(w0);
                let (a, b) = rest.split_at(w1);
                let kind = if w0 == 0 { 1 } else { number(kind) };
                match kind {
                    1 => self.place(first.saturating_add(i), Place::At(number(a))),
                    2 => self.place(first.saturating_add(i), Place::In(number(a) as u32, number(b) as u32)),
                    _ => {}
                }
            }
        }
        Ok(dict)
    }

    /// Follows references to an object; Null where it is not there.
    pub(super) fn resolve(&mut self, object: &Object) -> Parse<Object> {
        let mut object = object.clone();
        for _ in 0..8 {
            match object {
                Object::Reference(id) => object = self.object(id)?,
                other => return Ok(other),
            }
        }
        Ok(Object::Null)
    }

    fn object(&mut self, id: u32) -> Parse<Object> {
        match self.places.get(&id).copied() {
            None => Ok(Object::Null),
            Some(Place::At(at)) => {
                let (found, object, _) = self.object_at(at.checked_add(self.shift).ok_or(BAD)?)?;
                if found == id {
                    Ok(object)
                } else {
                    Err(Stop::Malformed("another object where one should be"))
                }
            }
            Some(Place::In(stream, index)) => self.object_in(stream, index, id),
        }
    }

    /// Number, object, and where its content ended, of the object at an offset.
    fn object_at(&self, at: u64) -> Parse<(u32, Object, u64)> {
        for piece in PIECES {
            let bytes = self.src.upto(at, piece)?;
            let mut lexer = Lexer::new(bytes);
            let id = lexer.integer().and_then(|n| u32::try_from(n).ok()).ok_or(BAD)?;
            lexer.integer().ok_or(BAD)?;
            if !lexer.eat(b"obj") {
                return Err(BAD);
            }
            match lexer.object() {
                Ok(object) => return Ok((id, object, at + lexer.at as u64)),
                Err(Fault::Short) if bytes.len() as u64 == piece => {}
                Err(_) => return Err(BAD),
            }
        }
        Err(Stop::Limit("object over 4 MiB"))
    }

    /// Dictionary and decoded content of the stream at an offset.
    fn stream_at(&mut self, at: u64) -> Parse<(Object, Vec<u8>)> {
        let (_, dict, end) = self.object_at(at)?;
        let lead = self.src.upto(end, 64)?;
        let mut lexer = Lexer::new(lead);
        if !lexer.eat(b"stream") {
            return Err(Stop::Malformed("stream without content"));
        }
        let line = match lead.get(lexer.at..) {
            Some([b'\r', b'\n', ..]) => 2,
            Some([b'\n' | b'\r', ..]) => 1,
            _ => 0,
        };
        let start = end + (lexer.at + line) as u64;
        let length = match dict.get(b"Length") {
            Some(length @ Object::Reference(_)) => {
                let length = length.clone();
                self.resolve(&length)?
            }
            Some(length) => length.clone(),
            None => Object::Null,
        };
        let max = self.max as u64;
        let len = match length.index() {
            Some(len) if len <= max => len,
            Some(_) => return Err(Stop::Limit("stream longer than the room in max_memory")),
            None => {
                // No length: up to the end mark, in what one piece holds.
                let bytes = self.src.upto(start, 256 * 1024)?;
                find(bytes, b"endstream").ok_or(Stop::Malformed("stream without an end"))? as u64
            }
        };
        let raw = self.src.upto(start, len)?;
        let data = decode(&dict, raw, self.max)?;
        Ok((dict, data))
    }

    fn object_in(&mut self, stream: u32, index: u32, id: u32) -> Parse<Object> {
        if !self.streams.contains_key(&stream) {
            let Some(Place::At(at)) = self.places.get(&stream).copied() else {
                return Err(Stop::Malformed("object stream that is not there"));
            };
            if self.streams.len() >= 8 {
                return Err(Stop::Limit("too many object streams"));
            }
            let read = self.stream_at(at.checked_add(self.shift).ok_or(BAD)?)?;
            self.streams.insert(stream, read);
        }
        let Some((dict, data)) = self.streams.get(&stream) else { return Ok(Object::Null) };
        let count = dict.get(b"N").and_then(Object::index).unwrap_or(0).min(MAX_OBJECTS as u64);
        let first = dict.get(b"First").and_then(Object::index).unwrap_or(0) as usize;
        let mut table = Lexer::new(data);
        let mut offset = None;
        for i in 0..count {
            let (Some(n), Some(at)) = (table.integer(), table.integer()) else { break };
            if n == u64::from(id) {
                offset = Some(at as usize);
                if i == u64::from(index) {
                    break;
                }
            }
        }
        let at =
            offset.and_then(|o| o.checked_add(first)).ok_or(Stop::Malformed("object not in its stream"))?;
        // A number at the very end of the stream needs something behind it.
        let mut bytes = data.get(at..).unwrap_or_default().to_vec();
        bytes.push(b' ');
        Lexer::new(&bytes).object().map_err(|_| BAD)
    }

    /// Decoded content of a stream that a reference points to.
    pub(super) fn stream(&mut self, reference: &Object) -> Parse<Option<Vec<u8>>> {
        let Object::Reference(id) = reference else { return Ok(None) };
        match self.places.get(id).copied() {
            Some(Place::At(at)) => {
                self.stream_at(at.checked_add(self.shift).ok_or(BAD)?).map(|(_, data)| Some(data))
            }
            _ => Ok(None),
        }
    }
}

/// Undoes a stream's filters.
fn decode(dict: &Object, raw: &[u8], max: usize) -> Parse<Vec<u8>> {
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
        return Err(Stop::Limit("stream unpacks to more than the room in max_memory"));
    }
    if read.is_err() && out.is_empty() {
        return Err(Stop::Malformed("stream does not inflate"));
    }
    Ok(out)
}

/// PNG predictors, which cross-reference streams use.
fn unpredict(data: Vec<u8>, parms: &Object) -> Parse<Vec<u8>> {
    let key = |name: &[u8], default: u64| parms.get(name).and_then(Object::index).unwrap_or(default);
    let predictor = key(b"Predictor", 1);
    if predictor < 10 {
        return if predictor == 2 { Err(Stop::Unsupported("TIFF predictor")) } else { Ok(data) };
    }
    let pixel = (key(b"Colors", 1).min(32) * key(b"BitsPerComponent", 8).min(32)).div_ceil(8).max(1) as usize;
    let row =
        (key(b"Columns", 1).min(1 << 20) * key(b"Colors", 1).min(32) * key(b"BitsPerComponent", 8).min(32))
            .div_ceil(8) as usize;
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
