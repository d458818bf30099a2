//! What the settings give to calls whose records do not say, for calls that were recorded before the settings did.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use crate::domain::charge::Charge;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::Basis;
use crate::domain::usage::{EventId, UsageEvent};
use crate::ports::{Ledger, Pricer, RecordBatch, StoreError};

/// By source, the values for dimensions that a record leaves empty.
#[derive(Clone, Debug, Default)]
pub struct Given(pub BTreeMap<Label, Vec<(Dimension, Label)>>);

impl Given {
    /// The call with what it lacks of it; nothing where it lacks nothing.
    pub(super) fn to(&self, event: &UsageEvent) -> Option<UsageEvent> {
        let given = self.0.get(&event.dimensions.get(Dimension::Source))?;
        let lacks =
            |(dimension, value): &&(Dimension, Label)| event.dimensions.get(*dimension).is_empty() && !value.is_empty();
        let mut filled = *event;
        for (dimension, value) in given.iter().filter(lacks) {
            filled.dimensions.set(*dimension, *value);
        }
        (filled.dimensions != event.dimensions).then_some(filled)
    }
}

/// Calls with what they lacked, to be recorded at once: of two observations of one call that with more names counts.
#[derive(Default)]
pub(super) struct Named {
    batch: RecordBatch,
    charges: HashMap<EventId, Charge>,
}

impl Named {
    pub fn add(&mut self, filled: &UsageEvent, charge: &Charge) {
        self.batch.events.push(filled);
        self.charges.insert(filled.id, *charge);
    }

    pub fn len(&self) -> usize {
        self.charges.len()
    }

    pub fn is_full(&self) -> bool {
        self.batch.events.is_enough()
    }

    /// Records them. Their charges stay: what another one changes is restated after that.
    pub fn record(&self, ledger: &mut dyn Ledger, pricer: &dyn Pricer, now: DateTime<Utc>) -> Result<(), StoreError> {
        if self.charges.is_empty() {
            return Ok(());
        }
        let stored = AsStored {
            charges: &self.charges,
            pricer,
        };
        ledger.record(&self.batch, &stored, now).map(drop)
    }
}

struct AsStored<'a> {
    charges: &'a HashMap<EventId, Charge>,
    pricer: &'a dyn Pricer,
}

impl Pricer for AsStored<'_> {
    fn price(&self, event: &UsageEvent) -> Charge {
        let stored = self.charges.get(&event.id).copied();
        stored.unwrap_or_else(|| self.pricer.price(event))
    }
}

/// Recorded calls of a source that lack what the settings give to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The source.
    pub source: Label,
    /// What is lacking.
    pub dimensions: BTreeSet<Dimension>,
    /// How many calls.
    pub calls: i64,
    /// The first hour of theirs.
    pub first: Hour,
}

/// Calls of a period that were recorded before the settings gave to their sources what they do, by source.
pub fn lacking(ledger: &mut dyn Ledger, given: &Given, period: Period) -> Result<Vec<Lacking>, StoreError> {
    let mut found: BTreeMap<Label, Lacking> = BTreeMap::new();
    if given.0.is_empty() {
        return Ok(Vec::new());
    }
    let mut wanted: BTreeSet<Dimension> = given.0.values().flatten().map(|(dimension, _)| *dimension).collect();
    wanted.insert(Dimension::Source);
    let wanted: Vec<Dimension> = wanted.into_iter().collect();
    ledger.spend_by(period, &wanted, &mut |key, sums| {
        let source = key.dimensions.get(Dimension::Source);
        let values = given.0.get(&source).map_or(&[][..], Vec::as_slice);
        if key.basis != Basis::Metered || sums.events <= 0 {
            return;
        }
        let lacks =
            |(dimension, value): &&(Dimension, Label)| key.dimensions.get(*dimension).is_empty() && !value.is_empty();
        let mut lacks = values.iter().filter(lacks).map(|(dimension, _)| *dimension).peekable();
        if lacks.peek().is_some() {
            let slot = found.entry(source).or_insert_with(|| Lacking {
                source,
                dimensions: BTreeSet::new(),
                calls: 0,
                first: key.hour,
            });
            slot.dimensions.extend(lacks);
            slot.calls += sums.events;
            slot.first = slot.first.min(key.hour);
        }
    })?;
    Ok(found.into_values().collect())
}
