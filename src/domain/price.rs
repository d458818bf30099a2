//! Prices: books, entries, rules and the receipt of a call.
