//! Excel's binary workbooks (xlsb): records with a type and a length.

use super::sheet::Strings;
use super::{Format, links, shown_number};
use crate::bytes::{f64_at, le32, utf16};
use crate::out::{Out, Read};
use crate::zip::Archive;

/// Types of records.
const ROW: u32 = 0;
const SHARED_TEXT: u32 = 19;
const SHEET: u32 = 156;

struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let kind = self.number(2)?;
        let len = self.number(4)? as usize;
        let (body, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some((kind, body))
    }
}

impl Records<'_> {
    /// Seven bits a byte.
    fn number(&mut self, most: u32) -> Option<u32> {
        let mut number = 0;
        for i in 0..most {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            // The two bytes of a type are kept as they are; its first types take one.
            number |= u32::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                break;
            }
        }
        Some(number)
    }
}

/// A length in letters and the letters.
fn wide(body: &[u8], at: usize) -> Option<String> {
    let len = (le32(body, at)? as usize).checked_mul(2)?;
    body.get(at + 4..)?.get(..len).map(utf16)
}

/// The number of `RK`: an integer or the upper half of a float, perhaps in hundredths.
pub(crate) fn short_number(raw: u32) -> f64 {
    let value = if raw & 2 != 0 {
        f64::from((raw as i32) >> 2)
    } else {
        f64::from_bits(u64::from(raw & 0xffff_fffc) << 32)
    };
    if raw & 1 != 0 { value / 100.0 } else { value }
}

pub(crate) fn read(archive: &Archive<'_>, main: &str, out: &mut Out) -> Read {
    let links_of_main = links(archive, main, out)?;
    let part = |kind: &str| links_of_main.iter().find(|l| l.kind == kind).map(|l| l.target.as_str());
    let mut strings = Strings::default();
    if let Some(name) = part("sharedStrings") {
        let bytes = archive.bytes(name, out)?.unwrap_or_default();
        for (_, body) in Records(&bytes).filter(|(kind, _)| *kind == SHARED_TEXT) {
            out.tick()?;
            strings.push(&wide(body, 1).unwrap_or_default());
            strings.end();
            if strings.size() > out.room() / 2 {
                out.cut("the texts of the cells are longer than is read of them");
                break;
            }
        }
    }
    let body = archive.bytes(main, out)?.unwrap_or_default();
    for (_, sheet) in Records(&body).filter(|(kind, _)| *kind == SHEET) {
        out.tick()?;
        let Some(id) = wide(sheet, 8) else { continue };
        let name = wide(sheet, 12 + id.encode_utf16().count() * 2).unwrap_or_default();
        let Some(link) = links_of_main.iter().find(|l| l.id == id) else { continue };
        out.line()?;
        out.flowing(&name)?;
        out.line()?;
        let bytes = archive.bytes(&link.target, out)?.unwrap_or_default();
        for (kind, cell) in Records(&bytes) {
            out.tick()?;
            let text = match kind {
                ROW => {
                    out.line()?;
                    continue;
                }
                2 => le32(cell, 8).map(|raw| shown_number(short_number(raw), Format::Number, false)),
                5 | 9 => f64_at(cell, 8).map(|value| shown_number(value, Format::Number, false)),
                6 | 8 => wide(cell, 8),
                7 => {
                    let at = le32(cell, 8).map_or(usize::MAX, |at| at as usize);
                    out.flowing(strings.get(at))?;
                    out.cell()?;
                    continue;
                }
                _ => continue,
            };
            out.flowing(&text.unwrap_or_default())?;
            out.cell()?;
        }
        out.line_break()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_numbers() {
        let bytes = [0u8, 1, 9, 0x9c, 1, 2, 7, 7, 19, 200];
        let all: Vec<_> = Records(&bytes).collect();
        assert_eq!(all, [(0, &[9u8][..]), (156, &[7, 7])]);
        assert_eq!(short_number((123 << 2) | 2), 123.0);
        assert_eq!(short_number((12_345 << 2) | 3), 123.45);
        assert_eq!(short_number((1.5f64.to_bits() >> 32) as u32), 1.5);
    }
}
