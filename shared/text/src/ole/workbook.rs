//! Excel's workbooks of 1995 to 2003 (BIFF 5 and 8): the cells in the order of the file.

use std::collections::HashMap;

use encoding_rs::Encoding;

use crate::Error;
use crate::bytes::{f64_at, le16, le32};
use crate::charset::code_page;
use crate::office::{Format, Strings, short_number, shown_number};
use crate::out::{Out, Read};

/// Types of records.
const CONTINUE: u16 = 0x3c;
const SHARED: u16 = 0xfc;

struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, len) = (le16(self.0, 0)?, usize::from(le16(self.0, 2)?));
        let rest = self.0.get(4..)?;
        let (body, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((kind, body))
    }
}

struct Book {
    strings: Strings,
    formats: HashMap<u16, Format>,
    styles: Vec<Format>,
    sheets: Vec<String>,
    encoding: &'static Encoding,
    /// BIFF 8: texts are Unicode.
    wide: bool,
    from_1904: bool,
}

pub(crate) fn read(bytes: &[u8], out: &mut Out) -> Read {
    let mut book = Book {
        strings: Strings::default(),
        formats: HashMap::new(),
        styles: Vec::new(),
        sheets: Vec::new(),
        encoding: code_page(1252),
        wide: true,
        from_1904: false,
    };
    let mut records = Records(bytes);
    let (mut depth, mut sheet, mut row) = (0u32, 0usize, None);
    let mut waiting = None;
    while let Some((kind, body)) = records.next() {
        out.tick()?;
        match kind {
            // BOF. The first one is the workbook's, each other one a sheet's or a chart's.
            0x809 => {
                depth += 1;
                if depth == 1 && le16(body, 2) != Some(5) {
                    out.line()?;
                    let name = book.sheets.get(sheet).cloned().unwrap_or_default();
                    out.flowing(&name)?;
                    out.line()?;
                    sheet += 1;
                    row = None;
                } else if depth == 1 {
                    book.wide = le16(body, 0) == Some(0x600);
                }
            }
            0x0a => {
                depth = depth.saturating_sub(1);
                out.line()?;
            }
            0x2f => return Err(Error::Encrypted.into()),
            0x42 => book.encoding = code_page(u32::from(le16(body, 0).unwrap_or(1252))),
            0x22 => book.from_1904 = le16(body, 0) == Some(1),
            0x85 => book.sheets.push(book.short_text(body, 6, 1)),
            0x41e => {
                let text = book.short_text(body, 2, if book.wide { 2 } else { 1 });
                if let Some(id) = le16(body, 0) {
                    book.formats.insert(id, Format::of_text(&text));
                }
            }
            0xe0 => {
                let id = le16(body, 2).unwrap_or(0);
                let own = book.formats.get(&id).copied();
                book.styles.push(own.unwrap_or_else(|| Format::of_number(u32::from(id))));
            }
            SHARED => {
                let mut parts = vec![body];
                let mut ahead = Records(records.0);
                while let Some((CONTINUE, more)) = ahead.next() {
                    parts.push(more);
                    records.0 = ahead.0;
                }
                book.shared(&parts, out)?;
            }
            // A formula's text follows in a record of its own.
            0x207 if waiting.take().is_some() => {
                let text = book.short_text(body, 0, 2);
                cell(&text, out)?;
            }
            0x203 | 0x204 | 0x27e | 0xbd | 0xfd | 0x06 | 0x206 | 0x406 | 0xd6 | 0x205 => {
                let here = le16(body, 0);
                if row != here {
                    out.line()?;
                    row = here;
                }
                waiting =
                    (kind & 0xff == 0x06 && body.get(6) == Some(&0) && body.get(12..14) == Some(&[0xff; 2]))
                        .then_some(());
                if waiting.is_none() {
                    book.cells(kind, body, out)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn cell(text: &str, out: &mut Out) -> Read {
    out.flowing(text)?;
    out.cell()
}

impl Book {
    fn number(&self, value: f64, style: Option<u16>) -> String {
        let format = style.and_then(|s| self.styles.get(usize::from(s))).copied().unwrap_or(Format::Number);
        shown_number(value, format, self.from_1904)
    }

    fn cells(&self, kind: u16, body: &[u8], out: &mut Out) -> Read {
        match kind {
            0xfd => cell(self.strings.get(le32(body, 6).map_or(usize::MAX, |at| at as usize)), out),
            0x204 | 0xd6 => cell(&self.short_text(body, 6, 2), out),
            0x203 => cell(&self.number(f64_at(body, 6).unwrap_or(0.0), le16(body, 4)), out),
            0x27e => cell(&self.number(short_number(le32(body, 6).unwrap_or(0)), le16(body, 4)), out),
            0xbd => {
                let numbers = body.get(4..body.len().saturating_sub(2)).unwrap_or_default();
                for entry in numbers.as_chunks::<6>().0 {
                    let value = short_number(le32(entry, 2).unwrap_or(0));
                    cell(&self.number(value, le16(entry, 0)), out)?;
                }
                Ok(())
            }
            0x205 => match (body.get(6), body.get(7)) {
                (Some(value), Some(0)) => cell(if *value == 1 { "TRUE" } else { "FALSE" }, out),
                _ => Ok(()),
            },
            // A formula whose result is a number; one of two bytes 0xff is none.
            _ if body.get(12..14) != Some(&[0xff; 2]) => {
                cell(&self.number(f64_at(body, 6).unwrap_or(0.0), le16(body, 4)), out)
            }
            _ => Ok(()),
        }
    }

    /// A text in a record, behind a length of one byte or two.
    fn short_text(&self, body: &[u8], at: usize, size: usize) -> String {
        let len = match size {
            1 => body.get(at).map_or(0, |b| usize::from(*b)),
            _ => le16(body, at).map_or(0, usize::from),
        };
        let rest = body.get(at + size..).unwrap_or_default();
        if !self.wide {
            let bytes = rest.get(..len).unwrap_or(rest);
            return self.encoding.decode_without_bom_handling(bytes).0.into_owned();
        }
        let Some((flags, rest)) = rest.split_first() else { return String::new() };
        let skip = if flags & 8 != 0 { 2 } else { 0 } + if flags & 4 != 0 { 4 } else { 0 };
        let rest = rest.get(skip..).unwrap_or_default();
        letters(rest.get(..if flags & 1 != 0 { len * 2 } else { len }).unwrap_or(rest), flags & 1 != 0)
    }

    /// The table of texts. A text goes on in the next record with flags of its own; everything
    /// else goes on as if there was no border.
    fn shared(&mut self, parts: &[&[u8]], out: &mut Out) -> Read {
        let mut cursor = Cursor { parts, part: 0, at: 8 };
        while !cursor.is_at_end() {
            out.tick()?;
            let (Some(len), Some(flags)) = (cursor.number(2), cursor.number(1)) else { break };
            let runs = if flags & 8 != 0 { cursor.number(2).unwrap_or(0) } else { 0 };
            let more = if flags & 4 != 0 { cursor.number(4).unwrap_or(0) } else { 0 };
            let mut left = len as usize;
            let mut wide = flags & 1 != 0;
            while left > 0 {
                let rest = cursor.rest();
                if rest.is_empty() {
                    if !cursor.next_part() {
                        break;
                    }
                    let Some(flags) = cursor.number(1) else { break };
                    wide = flags & 1 != 0;
                    continue;
                }
                let unit = if wide { 2 } else { 1 };
                let count = left.min(rest.len().div_ceil(unit));
                let bytes = rest.get(..(count * unit).min(rest.len())).unwrap_or_default();
                self.strings.push(&letters(bytes, wide));
                cursor.at += bytes.len();
                left -= count;
            }
            self.strings.end();
            cursor.skip(runs as usize * 4 + more as usize);
            if self.strings.size() > out.room() / 2 {
                out.cut("the texts of the cells are longer than is read of them");
                break;
            }
        }
        Ok(())
    }
}

fn letters(bytes: &[u8], wide: bool) -> String {
    if wide { crate::bytes::utf16(bytes) } else { bytes.iter().map(|b| char::from(*b)).collect() }
}

struct Cursor<'a, 'p> {
    parts: &'p [&'a [u8]],
    part: usize,
    at: usize,
}

impl<'a> Cursor<'a, '_> {
    fn rest(&self) -> &'a [u8] {
        self.parts.get(self.part).and_then(|p| p.get(self.at..)).unwrap_or_default()
    }

    fn next_part(&mut self) -> bool {
        self.part += 1;
        self.at = 0;
        self.part < self.parts.len()
    }

    fn is_at_end(&self) -> bool {
        self.part >= self.parts.len() || (self.part + 1 == self.parts.len() && self.rest().is_empty())
    }

    fn number(&mut self, bytes: usize) -> Option<u32> {
        let mut number = 0;
        for i in 0..bytes {
            while self.rest().is_empty() {
                if !self.next_part() {
                    return None;
                }
            }
            number |= u32::from(*self.rest().first()?) << (8 * i);
            self.at += 1;
        }
        Some(number)
    }

    fn skip(&mut self, mut bytes: usize) {
        while bytes > 0 {
            let here = self.rest().len().min(bytes);
            self.at += here;
            bytes -= here;
            if bytes > 0 && !self.next_part() {
                return;
            }
        }
    }
}
