//! Collects usage from sources into the ledger.
