//! Stores in memory, for tests, simulations and `memory:`.

pub mod ledger;

pub use ledger::MemoryLedger;
