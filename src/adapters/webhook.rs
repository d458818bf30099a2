//! Generic HTTP webhooks, signed.
