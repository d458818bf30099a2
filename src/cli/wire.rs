//! Builds adapters from the configuration.
