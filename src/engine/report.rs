//! Sums spend by chosen dimensions.
