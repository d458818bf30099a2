//! Reports over a fake ledger.
