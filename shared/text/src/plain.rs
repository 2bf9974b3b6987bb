//! Plain text, and what is written to be read as such: Markdown, CSV, JSON, XML, programs.

use crate::charset;
use crate::out::{Out, Read, Stop};

pub(crate) fn read(content: &[u8], charset_name: Option<&str>, out: &mut Out) -> Read {
    let declared =
        content.trim_ascii_start().starts_with(b"<?xml").then(|| charset::declared(content)).flatten();
    let most = out.left();
    let text = charset::decode(content, charset_name.or(declared.as_deref()), most);
    for line in text.split_inclusive('\n') {
        out.verbatim(line)?;
    }
    // Only a part of it was decoded, and control characters that were dropped made room.
    if content.len() > most.saturating_mul(2).saturating_add(64) { Err(Stop::Full) } else { Ok(()) }
}
