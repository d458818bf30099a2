//! `finops init`.
