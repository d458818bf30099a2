//! `finops completions` and `finops man`.
