//! Plugs to AWS: every service behind one client, one set of error words and one declared list of permissions.

pub mod athena;
pub mod client;
pub mod cost_explorer;
pub mod dynamodb;
pub mod failure;
pub mod identity;
pub mod paid;
pub mod permissions;
pub mod request;
mod rest;
pub mod s3;
pub mod secrets;
pub mod signals;
pub mod sns;
mod traced;

pub use client::Aws;
