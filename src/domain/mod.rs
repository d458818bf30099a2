//! The nouns. Pure, synchronous, deterministic: no clock, no I/O, no vendor's wire format.

pub mod charge;
pub mod dimension;
pub mod label;
pub mod money;
pub mod notification;
pub mod period;
pub mod spend;
pub mod usage;
