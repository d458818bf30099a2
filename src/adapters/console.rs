//! Channels on this machine: standard output and files.
