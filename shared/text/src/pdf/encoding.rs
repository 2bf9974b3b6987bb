//! Encodings of one byte that fonts are based on.

use super::glyphs;

/// A character for each byte; NUL where there is none.
pub(crate) type Table = Box<[char; 256]>;

/// Adobe's standard encoding from 0xa1 to 0xfb, as glyphs have it.
const STANDARD: &str = "¡¢£⁄¥ƒ§¤'“«‹›ﬁﬂ\0–†‡·\0¶•‚„”»…‰\0¿\0`´ˆ˜¯˘˙¨\0˚¸\0˝˛ˇ—\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0Æ\0ª\0\0\0\0ŁØŒº\0\0\0\0\0æ\0\0\0ı\0\0łøœß";
/// The letters of the font Symbol from 0x40 to 0x7e.
const SYMBOL: &str = "≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_\0αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼";
/// The digits and signs of Symbol from 0xa0 to 0xbf.
const SYMBOL_HIGH: &str = "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…\0\0↵";

fn ascii() -> Table {
    let mut table = Box::new(['\0'; 256]);
    for (slot, byte) in table.iter_mut().zip(0u8..=255) {
        if (0x20..0x7f).contains(&byte) {
            *slot = char::from(byte);
        }
    }
    table
}

fn fill(table: &mut Table, from: usize, letters: &str) {
    for (slot, c) in table.iter_mut().skip(from).zip(letters.chars()) {
        *slot = c;
    }
}

pub(crate) fn standard() -> Table {
    let mut table = ascii();
    fill(&mut table, 0xa1, STANDARD);
    if let Some(slot) = table.get_mut(0x27) {
        *slot = '’';
    }
    if let Some(slot) = table.get_mut(0x60) {
        *slot = '‘';
    }
    table
}

pub(crate) fn symbol() -> Table {
    let mut table = ascii();
    fill(&mut table, 0x40, SYMBOL);
    fill(&mut table, 0xa0, SYMBOL_HIGH);
    table
}

/// Windows-1252, or the Macintosh's.
pub(crate) fn of(encoding: &'static encoding_rs::Encoding) -> Table {
    let mut table = ascii();
    for (slot, byte) in table.iter_mut().zip(0u8..=255).skip(0x80) {
        *slot = encoding.decode_without_bom_handling(&[byte]).0.chars().next().unwrap_or('\0');
    }
    table
}

/// A table by the name that a font gives.
pub(crate) fn named(name: &[u8]) -> Option<Table> {
    match name {
        b"WinAnsiEncoding" => Some(of(encoding_rs::WINDOWS_1252)),
        b"MacRomanEncoding" => Some(of(encoding_rs::MACINTOSH)),
        b"StandardEncoding" => Some(standard()),
        _ => None,
    }
}

/// Sets a byte to a glyph.
pub(crate) fn set(table: &mut Table, byte: usize, glyph: &[u8]) {
    if let Some(slot) = table.get_mut(byte) {
        *slot = glyphs::character(glyph).unwrap_or('\0');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        for (table, byte, want) in [
            (standard(), 0xae, 'ﬁ'),
            (standard(), 0xfb, 'ß'),
            (standard(), 0xe1, 'Æ'),
            (standard(), 0xd0, '—'),
            (symbol(), 0x61, 'α'),
            (symbol(), 0x57, 'Ω'),
            (symbol(), 0xb7, '•'),
            (of(encoding_rs::WINDOWS_1252), 0xe9, 'é'),
            (of(encoding_rs::MACINTOSH), 0x8e, 'é'),
        ] {
            assert_eq!(table[byte], want, "{byte:x}");
        }
    }
}
