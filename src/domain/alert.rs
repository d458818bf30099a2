//! Alerts and their lifecycle, as one pure function.
