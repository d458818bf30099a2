//! Channels against real HTTP servers on loopback.
