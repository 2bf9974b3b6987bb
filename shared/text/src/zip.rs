//! ZIP archives in memory: their directory, and parts unpacked within what may be held.

use std::collections::HashMap;
use std::io::Read as _;

use flate2::read::DeflateDecoder;

use crate::Error;
use crate::bytes::{le16, le32, le64, rfind};
use crate::out::{Out, Read};

/// Searched for the end record: its comment may take 64 KiB.
const TAIL: usize = 65_557;
/// Most entries that are looked at.
const MAX_ENTRIES: usize = 200_000;
/// Deflate makes no more than this of one byte.
const MAX_RATIO: u64 = 1_040;

pub(crate) struct Archive<'a> {
    bytes: &'a [u8],
    entries: Vec<Entry>,
    names: HashMap<String, usize>,
}

struct Entry {
    name: String,
    method: u16,
    packed: u64,
    /// As the directory states it, which may be wrong; 0 where nothing does.
    size: u64,
    at: u64,
    encrypted: bool,
}

impl<'a> Archive<'a> {
    /// Reads the directory or, where it is damaged, the headers of the parts.
    pub(crate) fn open(bytes: &'a [u8], out: &mut Out) -> Read<Self> {
        let mut entries = directory(bytes, out)?;
        if entries.is_empty() {
            entries = walk(bytes, out)?;
            if !entries.is_empty() {
                out.note("the directory of the package is damaged");
            }
        }
        if entries.is_empty() {
            return Err(Error::Damaged("it is no package that can be opened".to_owned()).into());
        }
        // The last of two with one name is the one that counts.
        let names = entries.iter().enumerate().map(|(i, e)| (e.name.to_lowercase(), i)).collect();
        Ok(Archive { bytes, entries, names })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.contains_key(&name.to_lowercase())
    }

    /// Names of the parts, in the order of the directory.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|e| e.name.as_str())
    }

    /// A part's bytes; None where there is none of this name or it cannot be unpacked, which
    /// is noted. Of a part that is longer than may be held its beginning is the answer.
    pub(crate) fn bytes(&self, name: &str, out: &mut Out) -> Read<Option<Vec<u8>>> {
        let Some(entry) = self.names.get(&name.to_lowercase()).and_then(|i| self.entries.get(*i)) else {
            return Ok(None);
        };
        if entry.encrypted {
            return Err(Error::Encrypted.into());
        }
        let Some(packed) = self.packed(entry) else {
            out.note(format!("the part {name} is damaged"));
            return Ok(None);
        };
        // What is made of a part is held with it.
        let room = out.room() / 2;
        let data = match entry.method {
            0 => Unpacked { data: first(packed, room), more: packed.len() as u64 > room, broken: false },
            8 => unpack(packed, entry.size, room),
            _ => {
                out.note(format!("the part {name} is packed in a way that is not read"));
                return Ok(None);
            }
        };
        if data.more {
            out.cut(format!("the part {name} is longer than is read of one"));
        }
        if data.broken {
            out.note(format!("the part {name} is damaged"));
        }
        out.unpacked(data.data.len())?;
        Ok(Some(data.data))
    }

    /// A part's text.
    pub(crate) fn text(&self, name: &str, out: &mut Out) -> Read<Option<String>> {
        let Some(bytes) = self.bytes(name, out)? else { return Ok(None) };
        if bytes.starts_with(&[0xff, 0xfe])
            || bytes.starts_with(&[0xfe, 0xff])
            || bytes.starts_with(&[0xef, 0xbb])
        {
            return Ok(Some(crate::charset::decode(&bytes, None, bytes.len()).into_owned()));
        }
        Ok(Some(String::from_utf8(bytes).unwrap_or_else(|e| {
            let declared = crate::charset::declared(e.as_bytes());
            crate::charset::decode(e.as_bytes(), declared.as_deref(), e.as_bytes().len()).into_owned()
        })))
    }

    fn packed(&self, entry: &Entry) -> Option<&'a [u8]> {
        let at = usize::try_from(entry.at).ok()?;
        let head = self.bytes.get(at..)?;
        if !head.starts_with(b"PK\x03\x04") {
            return None;
        }
        let start = 30 + usize::from(le16(head, 26)?) + usize::from(le16(head, 28)?);
        let body = head.get(start..)?;
        let len = usize::try_from(entry.packed).unwrap_or(usize::MAX);
        // A file that was cut has the beginning of its last part.
        Some(body.get(..len).unwrap_or(body))
    }
}

struct Unpacked {
    data: Vec<u8>,
    /// There is more than was asked for.
    more: bool,
    broken: bool,
}

fn first(bytes: &[u8], max: u64) -> Vec<u8> {
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    bytes.get(..max).unwrap_or(bytes).to_vec()
}

/// Unpacks into one allocation of the right size. Stated sizes may lie: where they do, it is
/// unpacked twice.
fn unpack(packed: &[u8], stated: u64, max: u64) -> Unpacked {
    let most = max.min((packed.len() as u64).saturating_mul(MAX_RATIO));
    if stated <= most
        && let Some(exact) = unpack_exact(packed, stated)
    {
        return exact;
    }
    let (len, more) = length(packed, max);
    let mut all = unpack_exact(packed, len).unwrap_or(Unpacked { data: Vec::new(), more, broken: false });
    all.more = more;
    if all.data.is_empty() && more {
        // Only the beginning fits.
        let mut data = Vec::with_capacity(usize::try_from(max).unwrap_or(0));
        let broken = DeflateDecoder::new(packed).take(max).read_to_end(&mut data).is_err();
        return Unpacked { data, more, broken };
    }
    all
}

/// None where it unpacks to more than `len`.
fn unpack_exact(packed: &[u8], len: u64) -> Option<Unpacked> {
    let mut decoder = DeflateDecoder::new(packed);
    let mut data = Vec::with_capacity(usize::try_from(len).ok()?);
    let broken = decoder.by_ref().take(len).read_to_end(&mut data).is_err() || (data.len() as u64) < len;
    let mut probe = [0u8];
    if !broken && decoder.read(&mut probe).is_ok_and(|n| n > 0) {
        return None;
    }
    Some(Unpacked { data, more: false, broken })
}

/// What it unpacks to, no more than `max`, and whether there is more.
pub(crate) fn length(packed: &[u8], max: u64) -> (u64, bool) {
    let mut decoder = DeflateDecoder::new(packed);
    let mut buffer = [0u8; 16 * 1024];
    let mut len = 0u64;
    while len <= max {
        match decoder.read(&mut buffer) {
            Ok(0) | Err(_) => return (len, false),
            Ok(n) => len += n as u64,
        }
    }
    (max, true)
}

fn directory(bytes: &[u8], out: &mut Out) -> Read<Vec<Entry>> {
    let from = bytes.len().saturating_sub(TAIL);
    let tail = bytes.get(from..).unwrap_or_default();
    let mut entries = Vec::new();
    let Some(end) = rfind(tail, b"PK\x05\x06") else { return Ok(entries) };
    let record = tail.get(end..).unwrap_or_default();
    let (Some(len), Some(at)) = (le32(record, 12), le32(record, 16)) else { return Ok(entries) };
    let (mut len, mut at) = (u64::from(len), u64::from(at));
    if at == 0xffff_ffff
        && let Some(locator) = end.checked_sub(20).and_then(|l| tail.get(l..end))
        && locator.starts_with(b"PK\x06\x07")
        && let Some(far) = le64(locator, 8).and_then(|far| bytes.get(usize::try_from(far).ok()?..))
        && let (Some(l), Some(a)) = (le64(far, 40), le64(far, 48))
    {
        (len, at) = (l, a);
    }
    // Bytes in front of the archive shift everything by their number.
    let starts = |at: u64| {
        usize::try_from(at).ok().and_then(|at| bytes.get(at..)).is_some_and(|b| b.starts_with(b"PK\x01\x02"))
    };
    let shift = if starts(at) { 0 } else { ((from + end) as u64).saturating_sub(at.saturating_add(len)) };
    let mut at = usize::try_from(at.saturating_add(shift)).unwrap_or(usize::MAX);
    while let Some(e) = bytes.get(at..).filter(|e| e.starts_with(b"PK\x01\x02")) {
        out.tick()?;
        if entries.len() >= MAX_ENTRIES {
            out.note("the package has more parts than are looked at");
            break;
        }
        let field = |i: usize| le16(e, i).map_or(0, usize::from);
        let (name_len, extra_len, comment_len) = (field(28), field(30), field(32));
        let Some(name) = e.get(46..46 + name_len) else { break };
        let wide = |i: usize| le32(e, i).map_or(0, u64::from);
        let mut entry = Entry {
            name: plain_name(name),
            method: field(10) as u16,
            packed: wide(20),
            size: wide(24),
            at: wide(42),
            encrypted: field(8) & 1 != 0,
        };
        entry.widen(e.get(46 + name_len..46 + name_len + extra_len).unwrap_or_default());
        entry.at = entry.at.saturating_add(shift);
        entries.push(entry);
        at += 46 + name_len + extra_len + comment_len;
    }
    Ok(entries)
}

/// The parts by their own headers.
fn walk(bytes: &[u8], out: &mut Out) -> Read<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|b| crate::bytes::find(b, b"PK\x03\x04")) {
        out.tick()?;
        at += found;
        let head = bytes.get(at..).unwrap_or_default();
        let (Some(name_len), Some(flags)) = (le16(head, 26).map(usize::from), le16(head, 6)) else { break };
        let Some(name) = head.get(30..30 + name_len) else { break };
        let packed = le32(head, 18).map_or(0, u64::from);
        // Where the sizes stand behind the part, it goes on to wherever it ends by itself.
        let known = packed > 0 && flags & 8 == 0;
        entries.push(Entry {
            name: plain_name(name),
            method: le16(head, 8).unwrap_or(0),
            packed: if known { packed } else { u64::MAX },
            size: 0,
            at: at as u64,
            encrypted: flags & 1 != 0,
        });
        if entries.len() >= MAX_ENTRIES {
            break;
        }
        let jump = if known { usize::try_from(packed).unwrap_or(usize::MAX) } else { 0 };
        at = at.saturating_add(30 + name_len).saturating_add(jump);
    }
    Ok(entries)
}

/// A name with slashes that go forward and none in front.
fn plain_name(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name).replace('\\', "/");
    name.trim_start_matches('/').to_owned()
}

impl Entry {
    /// Takes 64-bit fields from the extra field.
    fn widen(&mut self, mut extra: &[u8]) {
        while let (Some(id), Some(len)) = (le16(extra, 0), le16(extra, 2)) {
            let body = extra.get(4..4 + usize::from(len)).unwrap_or_default();
            if id == 1 {
                let mut at = 0;
                for field in [&mut self.size, &mut self.packed, &mut self.at] {
                    if *field == 0xffff_ffff {
                        *field = le64(body, at).unwrap_or(*field);
                        at += 8;
                    }
                }
            }
            extra = extra.get(4 + usize::from(len)..).unwrap_or_default();
        }
    }
}
