//! Delivers pending messages.
