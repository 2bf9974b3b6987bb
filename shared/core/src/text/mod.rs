//! The text of documents: who reads it, and from which objects.
//!
//! The readers are the crate `mediadex-text`. They run where the process that
//! serves others does not depend on them: in functions of their own in the cloud,
//! in a child process locally. So a context is given a [`TextReader`], and a
//! function that is given none links none.

mod object;
mod reader;

pub use object::content_type_of;
pub(crate) use object::{read_document, read_object};
pub use reader::{DocumentText, InProcess, TextFailure, TextReader, read_here};

/// Bytes of the largest document that is read (IMM: 200 MB).
pub const DOCUMENT_BYTES: u64 = 200_000_000;
/// Bytes of the longest text that is given (IMM: 2 MB).
pub const TEXT_BYTES: usize = 2_000_000;
