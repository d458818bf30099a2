//! What a span turns out to be, and what that changes of what was told before.

use chrono::DateTime;

use crate::domain::label::Label;
use crate::domain::usage::{EventId, Rank, UsageEvent};

use super::super::super::line::{NO_USAGE, Output};
use super::super::names::Who;
use super::super::node::{Below, Call, Lent, Priced, is_raised};
use super::super::split::Split;
use super::super::twins::Move;

/// What a span turned out to be.
#[derive(Default)]
pub(in super::super::super) struct Found {
    /// Spans that are no spend of their own.
    pub repeats: Vec<EventId>,
    /// Spans that were priced before and must not be.
    pub taken_back: Vec<TakenBack>,
    /// Calls that count as another than they did.
    pub(super) moved: Vec<Move>,
    /// Further observations of calls, by which they are told better.
    pub(super) lent: Vec<UsageEvent>,
    /// Calls without usage.
    pub gaps: Vec<EventId>,
    /// How many of what was settled are calls for themselves.
    pub calls: u64,
    /// Who seems to have told the call too.
    pub suspected: Option<Label>,
}

/// A span that was priced before what makes a repetition of it was met.
pub(in super::super::super) struct TakenBack {
    /// The same call with nothing in it.
    pub nothing: UsageEvent,
    /// It, and the call that it repeats.
    calls: (Call, Call),
    lent: Lent,
    /// Whether it was to count in place of other observations.
    raised: bool,
    /// Who asked.
    who: Who,
    split: Option<Box<Split>>,
    /// What is known of the tokens of the latter.
    known: Option<Split>,
    /// Whether the ledger may have it, whatever became of what was read of it in this run.
    recorded: bool,
}

/// How far back a call is looked for among those that were not handed over yet.
const PENDING: usize = 1024;

impl Found {
    /// Yields it.
    pub fn tell(self, out: &mut Output) {
        out.identify();
        for moved in &self.moved {
            moved.tell(&mut out.events);
        }
        // Of several with one identity each is looked for before any is made another's.
        let several = self.taken_back.len() > 1;
        let was = |back: &TakenBack| several && back.is_pending(&mut out.events);
        let pending: Vec<bool> = self.taken_back.iter().map(was).collect();
        for (back, was) in self.taken_back.into_iter().zip(pending) {
            let replaced = back.replace(&mut out.events) || was;
            if !replaced || back.recorded {
                out.excluded_once.push(("parent_spans", back.nothing.id));
                out.events.push(back.nothing);
            }
            if !replaced {
                out.events.extend(back.lend());
                out.events.extend(back.asks());
            }
        }
        out.events.extend(self.lent);
        for id in self.repeats {
            out.excluded_once.push(("parent_spans", id));
        }
        for id in self.gaps {
            out.warnings.push(NO_USAGE);
            out.excluded_once.push(("calls_without_usage", id));
        }
    }
}

/// What was not handed over yet, of the newest.
fn pending(events: &mut [UsageEvent]) -> &mut [UsageEvent] {
    let newest = events.len().saturating_sub(PENDING);
    events.get_mut(newest..).unwrap_or_default()
}

impl Move {
    /// Makes observations of what it counts as now of those of what it counted as, or tells them anew where they were handed over.
    fn tell(&self, events: &mut Vec<UsageEvent>) {
        if self.from.id == self.to.id {
            return;
        }
        let as_one = |event: &UsageEvent, of: Call, known: Option<&Split>, named: Option<(Label, bool)>| {
            let mut event = *event;
            if event.id != of.id {
                let what = Call::of(&event);
                what.observe(&mut event, of, known);
                what.rename(&mut event, of, named, known);
            }
            event
        };
        for event in &self.told {
            let (before, now) = (
                as_one(event, self.from, None, None),
                as_one(event, self.to, self.known.as_ref(), self.named),
            );
            // What it tells with that call is more than it told itself, and so it may have been for the name of the model.
            let is_it = |known: &&mut UsageEvent| {
                let place = |event: &UsageEvent| (event.id, event.at, event.rank.line, event.sidechain, event.session);
                let counts = |event: &UsageEvent| (event.rank.authority, is_raised(event) || event.rank.complete);
                let renamed = !before.rank.complete && known.rank.authority == Rank::SPAN_RAISED;
                place(known) == place(&before) && (renamed || counts(known) == counts(&before))
            };
            match pending(events).iter_mut().find(is_it) {
                Some(known) => *known = now,
                None => events.push(now),
            }
        }
    }
}

impl TakenBack {
    /// What was priced and repeats this call; `names`: what that asked whom for; `whole`: whether all else that told it is taken back, too.
    pub(super) fn of(
        priced: Priced,
        by: Call,
        (provider, model): (Label, Label),
        whole: bool,
        known: Option<Split>,
    ) -> Self {
        let nanos = DateTime::from_timestamp_nanos(priced.nanos);
        let mut nothing = UsageEvent::new(priced.call.id, nanos, provider, model);
        nothing.rank.authority = Rank::SPAN;
        let lent = !priced.is_own();
        if priced.by_what == Below::Apart || priced.lent != Lent::No || whole {
            // What was told beside it or above it may tell it better.
            nothing.rank.authority = Rank::SPAN_RAISED;
        }
        if priced.outdone {
            nothing.rank.authority = Rank::SPAN_NOTHING;
        }
        if priced.by_what != Below::Apart || lent {
            // A response may have other observations, which count; that of this span does not.
            nothing.rank.line = Rank::TAKEN_BACK;
        }
        TakenBack {
            nothing,
            calls: (priced.call, by),
            recorded: priced.recorded,
            lent: priced.lent,
            raised: priced.raised,
            who: priced.who,
            split: priced.split,
            known,
        }
    }

    /// Whether this is what the span told. What it told of another call came beside that.
    fn is_told_by(&self, event: &UsageEvent) -> bool {
        let own = match self.lent {
            Lent::Below => true,
            Lent::Beside => !event.sidechain,
            // What those above it tell of it is another observation.
            Lent::No | Lent::Shared => {
                !event.sidechain && is_raised(event) == self.raised && (self.raised || event.rank.complete)
            }
        };
        own && event.at == self.nothing.at
    }

    /// Whether what was told of it was not handed over yet.
    fn is_pending(&self, events: &mut [UsageEvent]) -> bool {
        let (own, by) = self.calls;
        let is_it = |event: &UsageEvent| event.id == own.id && self.is_told_by(event) && event.tokens.total() > 0;
        own.is_same(by) && pending(events).iter().any(is_it)
    }

    /// Makes it another observation of the call that it repeats, where it was not handed over yet and both are the whole of one call.
    fn replace(&self, events: &mut [UsageEvent]) -> bool {
        let (own, by) = self.calls;
        let mut replaced = false;
        // What was emptied stays so; what tells who asked was never full.
        let full = |event: &UsageEvent| event.tokens.total() > 0;
        let whole = |event: &&mut UsageEvent| own.is_same(by) && (full(event) || !event.rank.complete);
        for event in pending(events).iter_mut().filter(whole) {
            let itself = full(event) && self.is_told_by(event);
            if event.id == own.id {
                // Of one that is a view itself, its own views are with it, some of which tell its usage.
                let (what, known) = (Call::of(event), self.known.as_ref());
                if !is_raised(event) {
                    what.observe(event, by, known);
                } else if let Some(known) = known.filter(|_| what.is_same(by)) {
                    known.complete(event);
                }
                if is_raised(event) {
                    own.name(event, by);
                }
                event.id = by.id;
                replaced |= itself;
            } else if event.id == by.id {
                replaced |= self.lent == Lent::Below && itself && is_raised(event);
            }
        }
        replaced
    }

    /// Who asked for the call that it repeats.
    fn asks(&self) -> Option<UsageEvent> {
        let (own, by) = self.calls;
        let names = (self.nothing.provider(), self.nothing.model());
        let who = Some(self.who).filter(|_| own.is_same(by));
        who?.observation(by.id, names)
    }

    /// What it tells of the call that it repeats, where that one tells less of caches.
    fn lend(&self) -> Option<UsageEvent> {
        let (own, by) = self.calls;
        let split = self.split.as_ref().filter(|_| own.is_same(by) && own.tells_more(by));
        let mut told = split?.observation(by.id, self.nothing.at);
        if let Some(known) = &self.known {
            known.complete(&mut told);
        }
        own.name(&mut told, by);
        Some(told)
    }
}
