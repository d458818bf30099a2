//! The nouns. Pure, synchronous, deterministic: no clock, no I/O, no vendor's wire format.

pub mod alert;
pub mod amount;
pub mod billed;
pub mod budget;
pub mod charge;
pub mod contract;
pub mod delivery;
pub mod dimension;
pub mod focus;
pub mod forecast;
pub mod glob;
pub mod label;
pub mod money;
pub mod notification;
pub mod period;
pub mod plausible;
pub mod policy_test;
pub mod price;
pub mod reading;
pub(crate) mod same;
pub mod signal;
pub mod similar;
pub mod spend;
pub mod stats;
pub mod usage;
pub mod which;
