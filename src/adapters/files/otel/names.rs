//! What spans of one call name differently: its model, and who asked.

use std::cmp::Ordering;

use chrono::DateTime;

use super::families::{family, in_front};
use super::node::{Call, is_raised, outrank};
use super::split::Split;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, Rank, UsageEvent};

/// What a span calls the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub model: Label,
    /// Whether that is the model of the response, and not only what was asked for.
    pub answered: bool,
    family: u32,
    /// The family of what was asked for; 0 where the span does not tell that.
    asked: u32,
}

impl Name {
    /// The name that a call has, of which `answer` is the model of the response and `asked` the family of what was asked for.
    pub fn of(call: &UsageEvent, answer: Label, asked: u32) -> Self {
        let model = call.model();
        Name {
            model,
            answered: !answer.is_empty(),
            family: family(model.as_str()),
            asked,
        }
    }

    /// Whether both asked for the same, of whose response only one names the model.
    pub fn is_asked_as(self, other: Self) -> bool {
        self.asked == other.asked && self.asked != 0 && self.answered != other.answered
    }

    /// Which of several names of one model counts, in whatever order they come: that of a response, or what was asked for where that says more of
    /// the same model, such as where it runs.
    pub fn best(names: impl Iterator<Item = Name> + Clone) -> Option<Name> {
        let answer = names.clone().filter(|name| name.answered).map(|name| name.family).min();
        let is_it = |name: &Name| answer.is_none_or(|answer| answer == name.family);
        let key = |name: &Name| {
            let text = name.model.as_str();
            (
                in_front(text),
                name.answered,
                !text.contains('/'),
                text.len(),
                name.model,
            )
        };
        names.filter(is_it).max_by_key(key)
    }
}

impl Call {
    /// Gives an observation of a call that another span tells beside it the name that the model has, and whether this one decides that: it counts
    /// then, with what is `known` of the other.
    pub fn rename(self, told: &mut UsageEvent, of: Call, named: Option<(Label, bool)>, known: Option<&Split>) {
        let Some((model, decides)) = named else {
            return;
        };
        if !is_raised(told) && self.id == of.id {
            // Both are told as the response, and the later one counts.
            return;
        }
        // Of one that was recorded by an earlier version more is told than is known.
        if decides && !is_raised(told) && (known.is_some() || !of.tells()) {
            if let Some(known) = known {
                known.complete(told);
            }
            outrank(told);
        }
        told.dimensions.set(Dimension::Model, model);
    }
}

/// Who asked for a call, and all that goes by the place where that was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Who {
    /// When that span began; 0 where nothing is known.
    pub nanos: i64,
    /// The source that read it.
    pub source: Label,
    /// The session, and the names of [`DIMENSIONS`].
    pub names: [Label; DIMENSIONS.len() + 1],
}

/// What is told by who asked.
const DIMENSIONS: [Dimension; 6] = [
    Dimension::Team,
    Dimension::Agent,
    Dimension::Workflow,
    Dimension::User,
    Dimension::Project,
    Dimension::Account,
];

impl Who {
    /// What a call tells of who asked.
    pub fn of(call: &UsageEvent) -> Self {
        let mut names = [call.session; DIMENSIONS.len() + 1];
        for (name, dimension) in names.iter_mut().skip(1).zip(DIMENSIONS) {
            *name = call.dimensions.get(dimension);
        }
        Who {
            nanos: call.at.timestamp_nanos_opt().unwrap_or(0),
            source: call.dimensions.get(Dimension::Source),
            names,
        }
    }

    /// What counts of two: the earlier one, and of the other what it does not tell, as where observations of a call are merged.
    pub fn first(self, other: Self) -> Self {
        if self.nanos == 0 || other.nanos == 0 {
            return if self.nanos == 0 { other } else { self };
        }
        let untold = |who: &Who| who.names.iter().filter(|name| name.is_empty()).count();
        let order = (self.nanos.cmp(&other.nanos))
            .then_with(|| untold(&self).cmp(&untold(&other)))
            .then_with(|| self.names.cmp(&other.names));
        let (mut who, other) = if order == Ordering::Greater {
            (other, self)
        } else {
            (self, other)
        };
        for (name, told) in who.names.iter_mut().zip(other.names) {
            if name.is_empty() {
                *name = told;
            }
        }
        who
    }

    /// An observation of a call that tells nothing but who asked, whatever else is told of it.
    pub fn observation(&self, id: EventId, (provider, model): (Label, Label)) -> Option<UsageEvent> {
        if self.nanos == 0 {
            return None;
        }
        let mut event = UsageEvent::new(id, DateTime::from_timestamp_nanos(self.nanos), provider, model);
        let [session, names @ ..] = self.names;
        event.session = session;
        event.dimensions.set(Dimension::Source, self.source);
        for (dimension, name) in DIMENSIONS.into_iter().zip(names) {
            event.dimensions.set(dimension, name);
        }
        (event.rank.authority, event.rank.complete) = (Rank::SPAN, false);
        Some(event)
    }
}
