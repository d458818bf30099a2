//! Records AI and cloud spend exactly, and tells the right person once.
//!
//! The modules, in reading order:
//!
//! 1. [`domain`] the nouns: money, usage, prices, spend, budgets, alerts. Pure: no clock, no I/O, no vendor.
//! 2. [`ports`] the sockets: every trait that the engine needs from the world, on one page.
//! 3. [`engine`] the verbs: one use case per file. Reads once, decides purely, writes once.
//! 4. [`adapters`] the plugs: the only place that names a vendor or a file format.
//! 5. [`config`] the settings, read once and checked once.
//! 6. [`cli`] the switch: arguments in, text and an exit code out.
//! 7. [`lambda`] the other switch: an event in, the summary of a run out.
//!
//! A module uses only what stands above it (`adapters` never use `engine`); `tests/it/architecture/` keeps that.
//!
//! ```
//! use finops::domain::money::Money;
//!
//! let fee = Money::usd("0.0105")? + Money::usd("0.0895")?;
//! assert_eq!(fee?.to_string(), "0.1000 USD");
//! # Ok::<(), finops::domain::money::MoneyError>(())
//! ```

pub mod adapters;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod lambda;
pub mod ports;
