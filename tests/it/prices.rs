//! Price books and the price of single calls.
