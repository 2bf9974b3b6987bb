//! Numbers and marks in bytes.

fn array<const N: usize>(b: &[u8], at: usize) -> Option<[u8; N]> {
    b.get(at..)?.first_chunk().copied()
}

pub(crate) fn le16(b: &[u8], at: usize) -> Option<u16> {
    array(b, at).map(u16::from_le_bytes)
}

pub(crate) fn le32(b: &[u8], at: usize) -> Option<u32> {
    array(b, at).map(u32::from_le_bytes)
}

pub(crate) fn le64(b: &[u8], at: usize) -> Option<u64> {
    array(b, at).map(u64::from_le_bytes)
}

pub(crate) fn f64_at(b: &[u8], at: usize) -> Option<f64> {
    array(b, at).map(f64::from_le_bytes)
}

/// First place of a mark.
pub(crate) fn find(b: &[u8], mark: &[u8]) -> Option<usize> {
    let lead = *mark.first()?;
    let mut from = 0;
    loop {
        let at = from + b.get(from..)?.iter().position(|x| *x == lead)?;
        if b.get(at..)?.starts_with(mark) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Last place of a mark.
pub(crate) fn rfind(b: &[u8], mark: &[u8]) -> Option<usize> {
    b.windows(mark.len()).rposition(|w| w == mark)
}

/// UTF-16 in the order of Intel.
pub(crate) fn utf16(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|p| u16::from_le_bytes(*p));
    char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect()
}
