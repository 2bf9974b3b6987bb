//! The domain of mediadex, shared by every function and by the local cloud.
//!
//! Nothing in here knows whether it runs in a Lambda function or in a local
//! process: clients, configuration and the way that asynchronous work travels
//! come in a [`Context`].

pub mod bucket;
pub mod config;
pub mod context;
pub mod cost;
pub mod dispatch;
pub mod error;
pub mod file;
pub mod gateway;
pub mod ingest;
pub mod keys;
pub mod ledger;
pub mod model;
pub mod notify;
pub mod operation;
pub mod query;
pub mod simulation;
pub mod state;
pub mod telemetry;
pub mod text;
pub mod usage;

pub use config::Config;
pub use context::{Context, Listings};
pub use error::{Code, Error, Result};
