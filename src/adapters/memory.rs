//! A store in memory, for tests and dry runs.
