//! The real binary: what it prints and how it exits.
