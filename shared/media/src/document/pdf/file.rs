//! A PDF's cross-reference and the objects behind it, from ranged reads.

use std::collections::BTreeMap;

use crate::bytes::{find, rfind};
use crate::ctx::Ctx;
use crate::document::pdf::crypt::Crypt;
use crate::document::pdf::filter::decode;
use crate::document::pdf::object::{Fault, Lexer, Object};
use crate::source::{Parse, Source, Stop};

/// Searched for `startxref`: bytes of other origin may stand behind the end.
const TAILS: [u64; 3] = [64 * 1024, 256 * 1024, 1024 * 1024];
/// Most that one stream unpacks to, and all of a file's together.
const MAX_STREAM: usize = 8 * 1024 * 1024;
const MAX_UNPACKED: usize = 32 * 1024 * 1024;
/// From this many separate reads on, sections of the cross-reference are read with what
/// lies in front of them, where the section before it stands.
const FEW_PIECES: usize = 4;
/// Objects are read in pieces of these lengths until they end.
const PIECES: [u64; 4] = [4 * 1024, 64 * 1024, 1024 * 1024, 4 * 1024 * 1024];
/// Most sections of the cross-reference (incremental updates).
const MAX_SECTIONS: usize = 64;
/// Most objects indexed.
pub(super) const MAX_OBJECTS: usize = 500_000;
/// Most objects of one object stream; writers put a few hundred there.
const MAX_IN_STREAM: u64 = 20_000;

#[derive(Clone, Copy)]
pub(super) enum Place {
    At(u64),
    /// Number of an object stream, and the index in it.
    In(u32, u32),
}

/// An object as it stands in the file.
struct Found {
    id: u32,
    generation: u16,
    object: Object,
    /// Where its content ended.
    end: u64,
}

pub(super) struct Pdf<'a> {
    pub(super) src: &'a Source,
    /// Bytes in front of the header, which offsets do not count.
    shift: u64,
    pub(super) places: BTreeMap<u32, Place>,
    pub(super) trailer: Vec<Object>,
    /// Most that a stream takes, and what is left for all.
    max: usize,
    left: usize,
    streams: BTreeMap<u32, (Object, Vec<u8>)>,
    crypt: Option<Crypt>,
    /// Why texts and streams cannot be decrypted.
    pub(super) locked: Option<Stop>,
}

pub(super) const BAD: Stop = Stop::Malformed("not a PDF object");

impl<'a> Pdf<'a> {
    /// A file of which nothing is known yet.
    pub(super) fn new(ctx: &Ctx<'_>, src: &'a Source) -> Self {
        Pdf {
            src,
            shift: 0,
            places: BTreeMap::new(),
            trailer: Vec::new(),
            max: ctx.room().min(MAX_STREAM),
            left: MAX_UNPACKED,
            streams: BTreeMap::new(),
            crypt: None,
            locked: None,
        }
    }

    pub(super) fn open(ctx: &Ctx<'_>, src: &'a Source) -> Parse<Self> {
        let head = src.held_from(0);
        let mut pdf = Pdf::new(ctx, src);
        pdf.shift = find(head.get(..head.len().min(1024)).unwrap_or_default(), b"%PDF-").unwrap_or(0) as u64;
        let mut next = vec![start(src)?];
        let mut seen = Vec::new();
        while let Some(at) = next.pop() {
            ctx.tick()?;
            if seen.contains(&at) || seen.len() >= MAX_SECTIONS {
                continue;
            }
            seen.push(at);
            let trailer = match pdf.section(at) {
                Ok(trailer) => trailer,
                // An older section that is damaged hides old objects only, and one that
                // cannot be read leaves what the newer ones say.
                Err(_) if !pdf.trailer.is_empty() => continue,
                Err(stop) => return Err(stop),
            };
            // The hybrid's stream goes before the previous section.
            next.extend(trailer.get(b"Prev").and_then(Object::index));
            next.extend(trailer.get(b"XRefStm").and_then(Object::index));
            pdf.trailer.push(trailer);
        }
        pdf.unlock()?;
        Ok(pdf)
    }

    /// Makes the key of an encrypted file that opens without a password.
    pub(super) fn unlock(&mut self) -> Parse {
        let Some(encrypt) = self.trailer_key(b"Encrypt").filter(|e| **e != Object::Null).cloned() else {
            return Ok(());
        };
        let encrypt = self.resolve(&encrypt)?;
        let id = match self.trailer_key(b"ID").cloned() {
            Some(id) => self.resolve(&id)?,
            None => Object::Null,
        };
        let id = match &id {
            Object::Array(parts) => parts.first().and_then(Object::text).unwrap_or_default().to_vec(),
            _ => Vec::new(),
        };
        match Crypt::open(&encrypt, &id) {
            Ok(crypt) => self.crypt = Some(crypt),
            // What is not encrypted, as the number of pages, is read all the same.
            Err(stop) => self.locked = Some(stop),
        }
        Ok(())
    }

    /// A key of the newest trailer that has it.
    pub(super) fn trailer_key(&self, key: &[u8]) -> Option<&Object> {
        self.trailer.iter().find_map(|t| t.get(key))
    }

    /// Reads one cross-reference section, a table or a stream.
    fn section(&mut self, at: u64) -> Parse<Object> {
        let at = at.checked_add(self.shift).ok_or(BAD)?;
        // Each save adds a section in front of which the one before it stands.
        let pieces = self.src.pieces();
        if pieces >= FEW_PIECES && self.src.peek(at, 64).is_none() {
            let back = (64 * 1024) << (pieces - FEW_PIECES + 1).min(4);
            let from = at.saturating_sub(back);
            self.src.upto(from, at.saturating_add(PIECES[0]).min(self.src.size()).saturating_sub(from))?;
        }
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
    pub(super) fn place(&mut self, id: u64, place: Place) {
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
                let mut found = self.object_at(at.checked_add(self.shift).ok_or(BAD)?)?;
                if found.id != id {
                    return Err(Stop::Malformed("another object where one should be"));
                }
                if let Some(crypt) = &self.crypt {
                    crypt.texts(found.id, found.generation, &mut found.object);
                }
                Ok(found.object)
            }
            Some(Place::In(stream, index)) => self.object_in(stream, index, id),
        }
    }

    /// The object at an offset.
    fn object_at(&self, at: u64) -> Parse<Found> {
        for piece in PIECES {
            let bytes = self.src.upto(at, piece)?;
            let mut lexer = Lexer::new(bytes);
            let id = lexer.integer().and_then(|n| u32::try_from(n).ok()).ok_or(BAD)?;
            let generation = lexer.integer().ok_or(BAD)? as u16;
            if !lexer.eat(b"obj") {
                return Err(BAD);
            }
            match lexer.object() {
                Ok(object) => return Ok(Found { id, generation, object, end: at + lexer.at as u64 }),
                Err(Fault::Short) if bytes.len() as u64 == piece => {}
                Err(_) => return Err(BAD),
            }
        }
        Err(Stop::Limit("object over 4 MiB"))
    }

    /// The dictionary at an offset.
    pub(super) fn dictionary_at(&self, at: u64) -> Parse<Object> {
        self.object_at(at).map(|found| found.object)
    }

    /// Dictionary and decoded content of the stream at an offset.
    fn stream_at(&mut self, at: u64) -> Parse<(Object, Vec<u8>)> {
        let Found { id, generation, object: dict, end } = self.object_at(at)?;
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
        let max = self.max.min(self.left);
        let len = match length.index() {
            Some(len) if len <= max as u64 => len,
            Some(_) => return Err(Stop::Limit("a stream longer than is read of one")),
            None => {
                // No length: up to the end mark, in what one piece holds.
                let bytes = self.src.upto(start, 256 * 1024)?;
                find(bytes, b"endstream").ok_or(Stop::Malformed("stream without an end"))? as u64
            }
        };
        let raw = self.src.upto(start, len)?;
        // Cross-reference streams are never encrypted.
        let plain = match &self.crypt {
            Some(crypt) if dict.name(b"Type") != Some(b"XRef") => crypt.stream(id, generation, &dict, raw),
            _ => None,
        };
        let data = decode(&dict, plain.as_deref().unwrap_or(raw), max)?;
        self.left = self.left.saturating_sub(data.len());
        Ok((dict, data))
    }

    fn object_in(&mut self, stream: u32, index: u32, id: u32) -> Parse<Object> {
        self.load(stream)?;
        let Some((dict, data)) = self.streams.get(&stream) else { return Ok(Object::Null) };
        let count = dict.get(b"N").and_then(Object::index).unwrap_or(0).min(MAX_IN_STREAM);
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
        let bytes = data.get(at..).unwrap_or_default();
        match Lexer::new(bytes).object() {
            Ok(object) => Ok(object),
            // A number at the very end of the stream needs something behind it.
            Err(Fault::Short) if bytes.len() < 64 * 1024 => {
                let bytes = [bytes, b" "].concat();
                Lexer::new(&bytes).object().map_err(|_| BAD)
            }
            Err(_) => Err(BAD),
        }
    }

    /// Reads an object stream, once.
    fn load(&mut self, stream: u32) -> Parse {
        if self.streams.contains_key(&stream) {
            return Ok(());
        }
        let Some(Place::At(at)) = self.places.get(&stream).copied() else {
            return Err(Stop::Malformed("object stream that is not there"));
        };
        if self.streams.len() >= 8 {
            return Err(Stop::Limit("too many object streams"));
        }
        // What another stream needed most goes first: two at once are held of those that
        // unpack to much.
        let large = self.streams.values().map(|(_, data)| data.len()).sum::<usize>() > self.max / 2;
        if large {
            self.streams.clear();
        }
        let read = self.stream_at(at.checked_add(self.shift).ok_or(BAD)?)?;
        self.streams.insert(stream, read);
        Ok(())
    }

    /// Numbers of the objects in an object stream.
    pub(super) fn numbers_in(&mut self, stream: u32) -> Parse<Vec<u32>> {
        self.load(stream)?;
        let Some((dict, data)) = self.streams.get(&stream) else { return Ok(Vec::new()) };
        let count = dict.get(b"N").and_then(Object::index).unwrap_or(0).min(MAX_IN_STREAM);
        let mut table = Lexer::new(data);
        let mut numbers = Vec::new();
        for _ in 0..count {
            let (Some(n), Some(_)) = (table.integer(), table.integer()) else { break };
            numbers.extend(u32::try_from(n));
        }
        // Of a file that is searched many are asked for, each once.
        if self.streams.len() >= 4 {
            self.streams.clear();
        }
        Ok(numbers)
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

/// The offset behind the last `startxref`.
fn start(src: &Source) -> Parse<u64> {
    let size = src.size();
    for (i, tail) in TAILS.into_iter().enumerate() {
        let from = size.saturating_sub(tail);
        // A piece that was searched is not searched again.
        let searched = i.checked_sub(1).and_then(|i| TAILS.get(i)).copied().unwrap_or(0);
        let to = size.saturating_sub(searched).saturating_add(16).min(size);
        let bytes = src.upto(from, to.saturating_sub(from))?;
        if let Some(mark) = rfind(bytes, b"startxref") {
            let behind = src.upto(from + mark as u64 + 9, 64)?;
            let offset = Lexer::new(behind).integer();
            return offset.ok_or(Stop::Malformed("startxref without an offset"));
        }
        if from == 0 {
            break;
        }
    }
    Err(Stop::Malformed("no startxref"))
}
