//! Statistics over floats. Results are estimates, never money.
