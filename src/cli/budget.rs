//! `finops budget`.
