//! The one integration binary: everything that needs more than one module.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    clippy::float_arithmetic,
    clippy::too_many_arguments,
    clippy::type_complexity,
    clippy::disallowed_methods,
    reason = "a test that panics has done its job"
)]

mod admin;
mod alert_commands;
mod alerts;
mod architecture;
mod asked;
#[cfg(feature = "aws")]
mod aws;
mod bills;
mod channels;
mod cli;
mod cycle;
mod files;
mod focus_export;
mod free_searches;
mod given;
mod ingest;
mod kill;
mod late;
mod ledger;
mod live;
mod look;
mod policies;
mod price_changes;
mod price_map;
mod prices;
mod pricing_commands;
mod recipes;
mod reconcile;
mod serve;
mod settings;
mod simulation;
mod support;
mod told;
mod told_twice;
mod tour;
mod trouble;
mod units;
mod usual;
mod witnesses;
