//! `finops config`.
