//! The plugs: the only place that names a vendor or a file format.

pub mod admin;
#[cfg(feature = "aws")]
pub mod aws;
pub mod clock;
pub mod console;
mod counting;
pub mod files;
pub mod focus_csv;
mod foreign;
pub mod http;
pub mod ingest;
pub mod memory;
pub mod owners;
pub mod policies;
pub mod prices;
pub mod secret;
pub mod slack;
pub mod sqlite;
pub mod traces;
pub mod webhook;
