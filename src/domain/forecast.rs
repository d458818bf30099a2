//! Where a period's spend will end, with an interval.
