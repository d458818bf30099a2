//! `finops report`.
