//! Tables, bars, sparklines and numbers as people read them.
