//! Stores in memory, for tests, simulations and `memory:`.

pub mod alerts;
pub mod ledger;

pub use alerts::MemoryAlerts;
pub use ledger::MemoryLedger;
