//! `finops alert`.
