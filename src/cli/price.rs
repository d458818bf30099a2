//! `finops price`.
