//! Documents.

mod markup;
mod ole;
pub(crate) mod package;
pub(crate) mod pdf;
mod properties;
mod zip;

use crate::ctx::Ctx;
use crate::detect::Family;
use crate::source::Parse;

/// Reads a document of a known family.
pub(crate) fn read(ctx: &mut Ctx<'_>, family: Family) -> Parse {
    match family {
        Family::Pdf => pdf::read(ctx),
        Family::Zip => package::read(ctx),
        Family::Ole => ole::read(ctx),
        Family::Rtf => markup::rtf(ctx),
        Family::Html => markup::html(ctx),
        Family::Text => crate::text_file::read(ctx),
        _ => Ok(()),
    }
}
