//! `finops run`.
