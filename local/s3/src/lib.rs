//! The S3 endpoint of the local cloud: folders served as buckets.
//!
//! A [`Store`] serves two kinds of buckets over the S3 protocol: folders of the
//! user's ([`Store::add_bucket`]), read-only or with nothing ever written into
//! them but what a client puts there, and buckets made through CreateBucket, which live in the
//! store's state directory. Keys map to paths one to one; what a file system
//! cannot hold is refused. Everything about an object that its file cannot say
//! (ETag, headers, metadata, tags) lies in one SQLite database beside it.
//!
//! Writes and deletes, through the endpoint or by other programs, become the
//! event records that S3 sends; they arrive at the store's [`Sink`].
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use mediadex_s3::{Access, Credentials, Hosts, Options, Sink, Store, serve};
//!
//! let (sink, mut notices) = Sink::channel();
//! let store = Store::open("/var/lib/mediadex/s3", Options { sink, ..Options::default() })?;
//! store.add_bucket("photos", "/home/me/Photos", Access::ReadOnly)?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:7301").await?;
//! let keys = Credentials { access_key: "mediadex".into(), secret_key: "a secret of your own".into() };
//! tokio::spawn(async move { while let Some(notice) = notices.recv().await { println!("{notice:?}") } });
//! let hosts = Hosts::of(listener.local_addr()?.ip(), &[]);
//! serve(listener, store, keys, hosts, std::future::pending()).await?;
//! # Ok(()) }
//! ```

mod access;
mod api;
mod bucket;
mod checksums;
mod conditions;
mod date;
mod digests;
mod error;
mod events;
mod folders;
mod form;
mod fsys;
mod in_place;
mod intake;
mod keys;
mod listing;
mod multipart;
mod objects;
mod parts;
mod refused;
mod request_id;
mod rewrite;
mod serve;
mod sidecar;
mod signing;
mod staging;
mod store;
mod tags;
mod unreadable;
mod walk;
mod watch;
mod xml;

pub use access::Access;
pub use bucket::{BucketKind, Skipped};
pub use error::StoreError;
pub use events::{
    Destination, EventBucket, EventObject, EventRecord, Notice, Principal, RequestParameters,
    ResponseElements, S3Entity, Sink,
};
pub use mediadex_endpoint::Hosts;
pub use serve::{Credentials, serve};
pub use store::{BucketInfo, Count, DEFAULT_POLL, Options, Store, Watch};
pub use unreadable::Unreadable;
