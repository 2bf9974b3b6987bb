//! The endpoint as a client sees it: aws-sdk-s3 against a served store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step fails the test"
)]

mod attacks;
mod bodies;
mod checksums;
mod configurations;
mod folders;
mod forms;
mod harness;
mod keys;
mod listing;
mod multipart;
mod notifications;
mod objects;
mod parts;
mod permissions;
mod read_only;
mod recovery;
mod refusals;
mod signatures;
mod signer;
mod subresources;
mod unreadable;
mod watching;
