//! Which source tells a span: its call is of that source, whichever of them reads what makes it another observation of a call.

use super::Traces;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{USAGE_DIMENSIONS, UsageEvent};

impl Traces {
    /// What is told from now on is of a source with these defaults.
    pub fn told_by(&mut self, source: Label, defaults: Vec<(Dimension, Label)>) {
        self.sources.retain(|(known, _)| *known != source);
        self.sources.push((source, defaults));
    }

    /// Gives a call its source, and what goes by the place where it was told.
    pub fn place(&self, call: &mut UsageEvent) {
        let Some((source, defaults)) = self.sources.last() else {
            return;
        };
        let of_place = |dimension: &Dimension| !USAGE_DIMENSIONS.contains(dimension);
        fill(call, defaults.iter().filter(|(dimension, _)| of_place(dimension)));
        call.dimensions.set(Dimension::Source, *source);
    }

    /// Gives a call of another source than the one that reads the defaults of that one.
    pub fn fill_in(&self, call: &mut UsageEvent) {
        let source = call.dimensions.get(Dimension::Source);
        if let Some((_, defaults)) = self.sources.iter().find(|(known, _)| *known == source) {
            fill(call, defaults.iter());
        }
    }
}

fn fill<'a>(call: &mut UsageEvent, defaults: impl Iterator<Item = &'a (Dimension, Label)>) {
    for (dimension, value) in defaults {
        if call.dimensions.get(*dimension).is_empty() {
            call.dimensions.set(*dimension, *value);
        }
    }
}
