//! Office before 2007: the streams of compound files, and the cells of Excel's workbooks.

mod workbook;

use crate::Error;
use crate::bytes::{le16, le32, utf16};
use crate::out::{Out, Read};

/// No sector.
const END: u32 = 0xffff_fffa;

/// A compound file.
pub(crate) struct Compound<'a> {
    bytes: &'a [u8],
    sector: usize,
    mini: usize,
    cutoff: u32,
    fat: Vec<u32>,
    mini_fat: Vec<u32>,
    mini_stream: Vec<u8>,
    streams: Vec<Stream>,
}

struct Stream {
    name: String,
    start: u32,
    size: u32,
}

pub(crate) fn read(content: &[u8], content_type: &str, out: &mut Out) -> Read {
    let file = Compound::open(content, out)?;
    if file.has("EncryptedPackage") {
        return Err(Error::Encrypted.into());
    }
    for name in ["Workbook", "Book"] {
        if let Some(bytes) = file.stream(name, out)? {
            return workbook::read(&bytes, out);
        }
    }
    let what = if file.has("WordDocument") {
        "Word documents before 2007 (doc): save them as docx".to_owned()
    } else if file.has("PowerPoint Document") {
        "PowerPoint presentations before 2007 (ppt): save them as pptx".to_owned()
    } else {
        content_type.to_owned()
    };
    Err(Error::Unsupported(what).into())
}

impl<'a> Compound<'a> {
    fn open(bytes: &'a [u8], out: &mut Out) -> Read<Self> {
        let number = |at| le32(bytes, at).unwrap_or(END);
        let (sector, mini) = (le16(bytes, 30).unwrap_or(0), le16(bytes, 32).unwrap_or(0));
        if !(7..=16).contains(&sector) || !(2..=sector).contains(&mini) {
            return Err(Error::Damaged("its sectors have no possible size".to_owned()).into());
        }
        let mut file = Compound {
            bytes,
            sector: 1 << sector,
            mini: 1 << mini,
            cutoff: number(56),
            fat: Vec::new(),
            mini_fat: Vec::new(),
            mini_stream: Vec::new(),
            streams: Vec::new(),
        };
        // Sectors of the table: 109 in the head, the others in a chain of lists.
        let mut parts: Vec<u32> = (0..109).map(|i| number(76 + i * 4)).filter(|s| *s < END).collect();
        let most = bytes.len() / file.sector + 1;
        let mut next = number(68);
        for _ in 0..most {
            let Some(list) = file.at(next) else { break };
            out.tick()?;
            let (numbers, last) = list.split_at(list.len().saturating_sub(4));
            parts.extend(
                numbers.as_chunks::<4>().0.iter().map(|n| u32::from_le_bytes(*n)).filter(|s| *s < END),
            );
            next = le32(last, 0).unwrap_or(END);
        }
        for part in parts.into_iter().take(most) {
            if let Some(table) = file.at(part) {
                file.fat.extend(table.as_chunks::<4>().0.iter().map(|n| u32::from_le_bytes(*n)));
            }
        }
        let directory = file.chain(number(48), usize::MAX, out)?;
        let mut root = None;
        for entry in directory.as_chunks::<128>().0 {
            out.tick()?;
            let len = usize::from(le16(entry, 64).unwrap_or(0)).clamp(2, 64) - 2;
            let stream = Stream {
                name: utf16(entry.get(..len).unwrap_or_default()),
                start: le32(entry, 116).unwrap_or(END),
                size: le32(entry, 120).unwrap_or(0),
            };
            match entry.get(66) {
                Some(2) => file.streams.push(stream),
                Some(5) => root = Some(stream),
                _ => {}
            }
        }
        let table = file.chain(number(60), usize::MAX, out)?;
        file.mini_fat = table.as_chunks::<4>().0.iter().map(|n| u32::from_le_bytes(*n)).collect();
        if let Some(root) = root {
            file.mini_stream = file.chain(root.start, root.size as usize, out)?;
        }
        Ok(file)
    }

    fn at(&self, sector: u32) -> Option<&'a [u8]> {
        if sector >= END {
            return None;
        }
        let start = (sector as usize + 1).checked_mul(self.sector)?;
        let rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
        Some(rest.get(..self.sector).unwrap_or(rest))
    }

    /// The bytes of a chain of sectors. It has no more than the file does, so that one that
    /// goes round ends.
    fn chain(&self, start: u32, size: usize, out: &mut Out) -> Read<Vec<u8>> {
        let most = usize::try_from(out.room() / 2).unwrap_or(usize::MAX).min(self.bytes.len());
        let mut data = Vec::with_capacity(size.min(most));
        let mut next = start;
        while let Some(sector) = self.at(next) {
            out.tick()?;
            if data.len() >= size {
                break;
            }
            if data.len() + sector.len() > most {
                if most < self.bytes.len() {
                    out.cut("a stream is longer than is read of one");
                }
                break;
            }
            data.extend_from_slice(sector);
            next = self.fat.get(next as usize).copied().unwrap_or(END);
        }
        data.truncate(size);
        Ok(data)
    }

    fn has(&self, name: &str) -> bool {
        self.streams.iter().any(|s| s.name.eq_ignore_ascii_case(name))
    }

    fn stream(&self, name: &str, out: &mut Out) -> Read<Option<Vec<u8>>> {
        let Some(stream) = self.streams.iter().find(|s| s.name.eq_ignore_ascii_case(name)) else {
            return Ok(None);
        };
        let size = stream.size as usize;
        if stream.size >= self.cutoff {
            return self.chain(stream.start, size, out).map(Some);
        }
        let mut data = Vec::new();
        let mut next = stream.start as usize;
        while data.len() < size {
            out.tick()?;
            let Some(start) = next.checked_mul(self.mini) else { break };
            let Some(rest) = self.mini_stream.get(start..).filter(|rest| !rest.is_empty()) else { break };
            data.extend_from_slice(rest.get(..self.mini).unwrap_or(rest));
            next = self.mini_fat.get(next).map_or(usize::MAX, |n| *n as usize);
        }
        data.truncate(size);
        Ok(Some(data))
    }
}
