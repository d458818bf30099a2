//! What the owner writes, read from TOML.
