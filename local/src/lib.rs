//! The local cloud: one process that speaks the real wire protocols of S3,
//! DynamoDB and SNS on loopback, runs the same operations that the Lambda
//! functions run, and drives scans and events as queue and state machine would.

pub mod access_key;
pub mod bench;
pub mod bindings;
pub mod client;
pub mod cloud;
pub mod cost;
pub mod endpoints;
pub mod find;
pub mod folders;
pub mod inspect;
pub mod keys;
pub mod load;
pub mod redrive;
pub mod runtime_api;
pub mod table;
pub mod text;
pub mod up;

/// The port of the API, unless told otherwise.
pub const DEFAULT_PORT: u16 = 7300;

mod api;
mod dynamodb;
mod events;
mod key_notice;
mod ordered;
mod private;
mod replica;
mod scans;
pub mod search;
mod sigv4;
mod sns;
mod starts;
mod work;
