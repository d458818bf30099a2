//! The verbs: one use case per file. Read once, decide purely, write once.

pub mod collect;
pub mod cycle;
pub mod evaluate;
pub mod explain;
pub mod missing;
pub mod notify;
pub mod report;
pub mod view;
pub mod watch;
