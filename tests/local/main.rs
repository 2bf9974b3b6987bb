//! The local cloud, driven as its users drive it: through the API, the AWS SDK
//! and the command line.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests"
)]

mod access_key;
mod attributes;
mod authorisation;
mod bindings;
mod cases;
mod clients;
mod command_line;
mod coverage;
mod crash;
mod datasets;
mod deaths;
mod documentation;
mod documents;
mod endpoints;
mod fields;
mod files;
mod folders;
mod front_door;
mod held;
mod keys;
mod objects;
mod oracle;
mod queries;
mod redrive;
mod sidecars;
mod support;
mod unreadable;
mod vectors;
mod written_again;
