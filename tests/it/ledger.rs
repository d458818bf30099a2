//! The ledger contract, run on every store.
