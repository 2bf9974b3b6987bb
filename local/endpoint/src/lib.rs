//! The connection layer of the local cloud's endpoints. The API, S3, DynamoDB
//! and SNS all listen through [`serve`], so that the same rules hold on every
//! port:
//!
//! - A web page of another origin, or one whose host name was made to resolve
//!   to this machine, is refused before anything of its request is read
//!   ([`Hosts`], [`Refusal`]).
//! - A client that sends slowly is cut off, and a port has a limit of
//!   connections, at which those that never sent a valid signature give way
//!   ([`Limits`], [`Caller`]).
//! - A body whose signature cannot be checked before it is read waits for a
//!   share of one budget of memory ([`Unverified`]).
//! - What is not valid HTTP is answered in the shape of the endpoint, where the
//!   HTTP library would send an empty answer.

mod body;
mod browser;
mod connection;
mod refusal;
mod serve;
mod socket;

pub use body::{BodyError, FREE_BODY, Held, RequestBody, Share, Unverified, read};
pub use browser::Hosts;
pub use connection::{Caller, Limits};
pub use refusal::Refusal;
pub use serve::{BoxError, Handler, serve};
