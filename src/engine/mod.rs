//! The verbs: one use case per file. Read once, decide purely, write once.

pub mod adopt;
mod begin;
pub mod collect;
pub mod cycle;
pub mod deed;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod missing;
pub mod notify;
pub mod policy_test;
pub mod price_diff;
pub mod reconcile;
pub mod report;
pub mod reprice;
pub mod signals;
pub mod told_twice;
pub mod unread;
pub mod view;
pub mod watch;
