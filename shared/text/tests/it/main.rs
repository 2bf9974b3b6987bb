//! Documents made here, what is read of them, and what damage and nesting do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)]

mod corpus;
mod documents;
mod made;
mod mutation;
mod nesting;
