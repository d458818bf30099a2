//! `finops record`.
