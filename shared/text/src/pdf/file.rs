//! The objects of a file, found by their marks.

use std::collections::BTreeMap;
use std::rc::Rc;

use mediadex_media::pdf::{Crypt, Lexer, Object};

use super::filter;
use crate::Error;
use crate::bytes::find;
use crate::out::{Out, Read, Stop};

/// Most objects that are noted.
const MAX_OBJECTS: usize = 2_000_000;
/// Most objects of one object stream; writers put a few hundred there.
const MAX_IN_STREAM: usize = 100_000;
/// References to references that are followed.
const MAX_HOPS: u32 = 8;

#[derive(Clone, Copy)]
enum Place {
    At(usize),
    /// The number of an object stream, and the offset behind its table.
    In(u32, u32),
}

pub(crate) struct File<'a> {
    bytes: &'a [u8],
    places: BTreeMap<u32, Place>,
    root: Option<Object>,
    crypt: Option<Crypt>,
    /// The object stream that was read last.
    packed: Option<(u32, Rc<Vec<u8>>)>,
}

/// A dictionary with what follows it in the file.
struct Found<'a> {
    id: u32,
    generation: u16,
    object: Object,
    behind: &'a [u8],
}

impl<'a> File<'a> {
    pub(crate) fn open(bytes: &'a [u8], out: &mut Out) -> Read<Self> {
        let mut file = File { bytes, places: BTreeMap::new(), root: None, crypt: None, packed: None };
        let streams = file.scan(out)?;
        let mut encrypt = None;
        let mut id = Object::Null;
        let mut packed = Vec::new();
        // Trailers, of which the last one counts, and the dictionaries that stand for them.
        let mut trailers = file.trailers(out)?;
        for stream in streams {
            out.tick()?;
            let Some(found) = file.at(stream) else { continue };
            match found.object.name(b"Type") {
                Some(b"XRef") => trailers.push(found.object),
                Some(b"ObjStm") => packed.push((stream, found.id)),
                _ => {}
            }
        }
        for trailer in trailers {
            file.root = trailer.get(b"Root").cloned().or(file.root.take());
            encrypt = trailer.get(b"Encrypt").filter(|e| **e != Object::Null).cloned().or(encrypt);
            if let Some(found) = trailer.get(b"ID") {
                id = found.clone();
            }
        }
        if let Some(encrypt) = encrypt {
            let encrypt = file.resolve(&encrypt, out)?;
            let id = file.resolve(&id, out)?;
            let id = match &id {
                Object::Array(parts) => parts.first().and_then(Object::text).unwrap_or_default().to_vec(),
                _ => Vec::new(),
            };
            file.crypt =
                Some(Crypt::with_empty_password(&encrypt, &id).ok_or(Stop::Error(Error::Encrypted))?);
        }
        for (at, stream) in packed {
            file.index(at, stream, out)?;
        }
        Ok(file)
    }

    /// Notes where every object is. Returns those that have streams.
    fn scan(&mut self, out: &mut Out) -> Read<Vec<usize>> {
        let mut streams = Vec::new();
        let mut last = None;
        let mut at = 0;
        while let Some(found) = next_mark(self.bytes, at) {
            out.tick()?;
            match found {
                Mark::Object(start, id, end) => {
                    if self.places.len() < MAX_OBJECTS {
                        self.places.insert(id, Place::At(start));
                    } else {
                        out.cut("there are more objects than are read");
                        break;
                    }
                    last = Some(start);
                    at = end;
                }
                Mark::Stream(end) => {
                    // Only object streams and tables are looked at now.
                    if let Some(start) = last.take() {
                        let head = self.bytes.get(start..end).unwrap_or_default();
                        let tail = head.get(head.len().saturating_sub(4096)..).unwrap_or_default();
                        if find(tail, b"ObjStm").is_some() || find(tail, b"XRef").is_some() {
                            streams.push(start);
                        }
                    }
                    let rest = self.bytes.get(end..).unwrap_or_default();
                    at = end + find(rest, b"endstream").map_or(0, |len| len + 9);
                }
            }
        }
        Ok(streams)
    }

    fn trailers(&self, out: &mut Out) -> Read<Vec<Object>> {
        let mut trailers = Vec::new();
        let mut at = 0;
        while let Some(found) = self.bytes.get(at..).and_then(|b| find(b, b"trailer")) {
            out.tick()?;
            at += found + 7;
            let object = Lexer::new(self.bytes.get(at..).unwrap_or_default()).object();
            trailers.extend(object.ok().filter(|o| o.get(b"Root").is_some()));
        }
        Ok(trailers)
    }

    /// Notes the objects of an object stream. Those that stand in the file behind it count
    /// more, as they were written later.
    fn index(&mut self, at: usize, stream: u32, out: &mut Out) -> Read {
        let Some(Place::At(place)) = self.places.get(&stream).copied() else { return Ok(()) };
        if place != at {
            return Ok(());
        }
        let Some((dict, data)) = self.stream_at(at, out)? else { return Ok(()) };
        let count = dict.get(b"N").and_then(Object::index).unwrap_or(0).min(MAX_IN_STREAM as u64);
        let first = dict.get(b"First").and_then(Object::index).unwrap_or(0) as u32;
        let mut table = Lexer::new(&data);
        for _ in 0..count {
            out.tick()?;
            let (Some(id), Some(offset)) = (table.integer(), table.integer()) else { break };
            let (Ok(id), Ok(offset)) = (u32::try_from(id), u32::try_from(offset)) else { continue };
            let later = matches!(self.places.get(&id), Some(Place::At(other)) if *other > at);
            if !later && id != stream && self.places.len() < MAX_OBJECTS {
                self.places.insert(id, Place::In(stream, first.saturating_add(offset)));
            }
        }
        Ok(())
    }

    pub(crate) fn ids(&self) -> Vec<u32> {
        self.places.keys().copied().collect()
    }

    /// The catalogue.
    pub(crate) fn root(&mut self, out: &mut Out) -> Read<Option<Object>> {
        if let Some(root) = self.root.clone() {
            let root = self.resolve(&root, out)?;
            if root.get(b"Pages").is_some() {
                return Ok(Some(root));
            }
        }
        for id in self.ids() {
            out.tick()?;
            let object = self.resolve(&Object::Reference(id), out)?;
            if object.name(b"Type") == Some(b"Catalog") {
                return Ok(Some(object));
            }
        }
        Ok(None)
    }

    /// Follows references to an object; Null where it is not there.
    pub(crate) fn resolve(&mut self, object: &Object, out: &mut Out) -> Read<Object> {
        let mut object = object.clone();
        for _ in 0..MAX_HOPS {
            let Object::Reference(id) = object else { return Ok(object) };
            object = match self.places.get(&id).copied() {
                None => Object::Null,
                Some(Place::At(at)) => match self.at(at) {
                    Some(mut found) => {
                        if let Some(crypt) = &self.crypt {
                            crypt.texts(found.id, found.generation, &mut found.object);
                        }
                        found.object
                    }
                    None => Object::Null,
                },
                Some(Place::In(stream, offset)) => self.unpacked(stream, offset, out)?,
            };
        }
        Ok(Object::Null)
    }

    /// The value of a key, with references followed.
    pub(crate) fn get(&mut self, dict: &Object, key: &[u8], out: &mut Out) -> Read<Object> {
        match dict.get(key).cloned() {
            Some(value) => self.resolve(&value, out),
            None => Ok(Object::Null),
        }
    }

    fn unpacked(&mut self, stream: u32, offset: u32, out: &mut Out) -> Read<Object> {
        let data = match &self.packed {
            Some((number, data)) if *number == stream => Rc::clone(data),
            _ => {
                self.packed = None;
                let Some(Place::At(at)) = self.places.get(&stream).copied() else { return Ok(Object::Null) };
                let Some((_, data)) = self.stream_at(at, out)? else { return Ok(Object::Null) };
                let data = Rc::new(data);
                self.packed = Some((stream, Rc::clone(&data)));
                data
            }
        };
        let bytes = data.get(offset as usize..).unwrap_or_default();
        Ok(Lexer::new(bytes).object().unwrap_or(Object::Null))
    }

    fn at(&self, at: usize) -> Option<Found<'a>> {
        let bytes = self.bytes.get(at..)?;
        let mut lexer = Lexer::new(bytes);
        let id = lexer.integer().and_then(|n| u32::try_from(n).ok())?;
        let generation = lexer.integer()? as u16;
        lexer.eat(b"obj").then_some(())?;
        let object = lexer.object().ok()?;
        Some(Found { id, generation, object, behind: bytes.get(lexer.at..).unwrap_or_default() })
    }

    /// A stream's dictionary and content; None where the object is none.
    pub(crate) fn stream(&mut self, reference: &Object, out: &mut Out) -> Read<Option<(Object, Vec<u8>)>> {
        match reference {
            Object::Reference(id) => match self.places.get(id).copied() {
                Some(Place::At(at)) => self.stream_at(at, out),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn stream_at(&mut self, at: usize, out: &mut Out) -> Read<Option<(Object, Vec<u8>)>> {
        out.tick()?;
        let Some(Found { id, generation, object: dict, behind }) = self.at(at) else { return Ok(None) };
        let mut lexer = Lexer::new(behind);
        if !lexer.eat(b"stream") {
            return Ok(None);
        }
        let body = behind.get(lexer.at..).unwrap_or_default();
        let body = body.strip_prefix(b"\r\n").or_else(|| body.strip_prefix(b"\n")).unwrap_or(body);
        let length = match dict.get(b"Length") {
            // The length of a stream does not lie in a stream.
            Some(Object::Reference(id)) => match self.places.get(id).copied() {
                Some(Place::At(at)) => self.at(at).and_then(|found| found.object.index()),
                _ => None,
            },
            other => other.and_then(Object::index),
        };
        let stated = length.and_then(|len| {
            let len = usize::try_from(len).ok()?;
            let after = body.get(len..)?;
            let after = after.trim_ascii_start();
            after.starts_with(b"endstream").then_some(len)
        });
        let len = stated.unwrap_or_else(|| find(body, b"endstream").unwrap_or(body.len()));
        let raw = body.get(..len).unwrap_or_default();
        let room = out.room() / 3;
        let table = dict.name(b"Type") == Some(b"XRef");
        let plain = match &self.crypt {
            // What is decrypted is held beside what it is unpacked to.
            Some(_) if raw.len() as u64 > room && !table => {
                out.cut("a stream is longer than is read of one");
                return Ok(None);
            }
            Some(crypt) if !table => crypt.stream(id, generation, &dict, raw),
            _ => None,
        };
        let mut keys = Object::Null;
        for key in [&b"DecodeParms"[..], b"DP"] {
            if dict.get(key).is_some() {
                keys = self.get(&dict, key, out)?;
            }
        }
        let filter = self.get(&dict, b"Filter", out)?;
        let data = filter::decode(&filter, &keys, plain.as_deref().unwrap_or(raw), room, out)?;
        Ok(data.map(|data| (dict, data)))
    }
}

enum Mark {
    /// Where an object begins, its number, and where its mark ends.
    Object(usize, u32, usize),
    /// Where the content of a stream begins.
    Stream(usize),
}

/// The next `n g obj` or `stream`.
fn next_mark(bytes: &[u8], from: usize) -> Option<Mark> {
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        let found = rest.iter().position(|b| matches!(b, b'o' | b's'))?;
        at += found;
        let here = bytes.get(at..)?;
        if here.starts_with(b"obj")
            && let Some((start, id)) = numbers_before(bytes, at)
        {
            return Some(Mark::Object(start, id, at + 3));
        }
        if here.starts_with(b"stream")
            && here.get(6).is_some_and(|b| matches!(b, b'\r' | b'\n' | b' '))
            && at.checked_sub(1).and_then(|i| bytes.get(i)).is_some_and(|b| !b.is_ascii_alphabetic())
        {
            return Some(Mark::Stream(at + 6));
        }
        at += 1;
    }
}

/// Where `number generation` in front of the mark begins, and the number.
fn numbers_before(bytes: &[u8], mark: usize) -> Option<(usize, u32)> {
    let mut at = mark;
    let mut back = |wanted: fn(&u8) -> bool, most: usize| {
        let lead = bytes.get(..at).unwrap_or_default();
        let n = lead.iter().rev().take(most).take_while(|b| wanted(b)).count();
        at -= n;
        (at, n)
    };
    let space: fn(&u8) -> bool = |b| matches!(b, 0 | 9 | 10 | 12 | 13 | 32);
    let digit: fn(&u8) -> bool = u8::is_ascii_digit;
    back(space, 8);
    (back(digit, 5).1 > 0).then_some(())?;
    (back(space, 8).1 > 0).then_some(())?;
    let (start, n) = back(digit, 10);
    (n > 0).then_some(())?;
    Some((start, std::str::from_utf8(bytes.get(start..start + n)?).ok()?.parse().ok()?))
}
