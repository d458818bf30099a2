//! The progress bar on a terminal: bytes, rate and remaining time.

use indicatif::{ProgressBar, ProgressStyle};

use crate::ports::Progress;

/// A bar on standard error, or nothing.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar that is drawn only where it makes sense.
    #[must_use]
    pub fn new(interactive: bool) -> Self {
        if !interactive {
            return Bar(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(0);
        let template = "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Bar(bar)
    }

    /// Moves on.
    pub fn advance(&self, read: &Progress) {
        self.0.inc_length(read.expected_bytes);
        self.0.inc(read.bytes);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
