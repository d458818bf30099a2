//! Usage formats: fixtures and hostile input.
