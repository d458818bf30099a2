//! Which of the calls that were met side by side tell one call: each goes to the nearest in time, and a nearer one takes its place.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::super::tags::is_given;
use super::super::names::Name;
use super::super::node::{Call, SpanKey};
use super::super::nodes::Nodes;
use super::super::split::Split;
use super::Told;
use crate::domain::label::Label;
use crate::domain::usage::{EventId, UsageEvent};

/// Spans above and below each other that are remembered of a call.
const TELLERS: usize = 4;
/// By how much clocks of different fineness may disagree on what is within what.
const FINENESS: TimeDelta = TimeDelta::milliseconds(5);
/// How many calls may change places for one that comes.
const STEPS: usize = 32;

/// Spans above and below each other that tell one call.
#[derive(Clone)]
pub(super) struct Unit {
    /// What the lowest of them tells.
    pub call: Call,
    /// The response and the form of its id, where one of them tells it: another response of that form is another call. A gateway that speaks
    /// for another provider may give an id of its own.
    pub answer: Option<(EventId, u8)>,
    /// What the lowest of them calls the model.
    pub name: Name,
    /// Whether nothing beside it may be it.
    pub alone: bool,
    /// The spans, and from whom they are.
    pub tellers: [(SpanKey, Label); TELLERS],
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    /// What they told, while they count as a call beside them: they may have to count as themselves yet.
    pub told: Vec<UsageEvent>,
}

impl Unit {
    /// One of a single span.
    pub fn of(key: SpanKey, event: &UsageEvent, told: &Told, end: DateTime<Utc>) -> Self {
        let mut unit = Unit {
            call: Call::of_span(key, event),
            answer: told.named.map(|form| (event.id, form)),
            name: Name::of(event, told.answer, told.asked),
            alone: false,
            tellers: [(0, Label::EMPTY); TELLERS],
            start: event.at,
            end,
            told: Vec::new(),
        };
        unit.add(key, told.emitter);
        unit
    }

    /// The spans with their emitters.
    pub fn spans(&self) -> impl Iterator<Item = (SpanKey, Label)> {
        self.tellers.into_iter().filter(|(key, _)| *key != 0)
    }

    /// Whether this span is one of them.
    pub fn has(&self, key: SpanKey) -> bool {
        self.tellers.iter().any(|(known, _)| *known == key)
    }

    /// Whether it has this identity, or its response.
    pub fn tells(&self, call: EventId) -> bool {
        self.call.id == call || self.answer.is_some_and(|(answer, _)| answer == call)
    }

    /// Adds a span, where there is room.
    pub fn add(&mut self, key: SpanKey, emitter: Label) {
        if !self.has(key)
            && let Some(free) = self.tellers.iter_mut().find(|(key, _)| *key == 0)
        {
            *free = (key, emitter);
        }
    }

    /// Adds the spans of another.
    pub fn absorb(&mut self, other: &Unit) {
        other.spans().for_each(|(key, emitter)| self.add(key, emitter));
        self.answer = self.answer.or(other.answer);
    }

    /// Whether an emitter told both: each tells a call once.
    fn shares(&self, other: &Unit) -> bool {
        self.spans().any(|(_, one)| other.spans().any(|(_, two)| one == two))
    }

    /// Whether both cannot be one call: their responses are two, or an emitter told both.
    pub fn is_other(&self, other: &Unit) -> bool {
        let answers = self.answer.zip(other.answer);
        answers.is_some_and(|(one, two)| one.0 != two.0 && one.1 == two.1 && is_given(one.1)) || self.shares(other)
    }

    /// Whether both were in the air at once, told by others.
    pub fn is_together(&self, other: &Unit) -> bool {
        self.start <= other.end && other.start <= self.end && !self.is_other(other)
    }

    /// Whether both may be one call.
    fn fits(&self, other: &Unit) -> bool {
        let within = |one: &Unit, two: &Unit| one.start + FINENESS >= two.start && one.end <= two.end + FINENESS;
        let open = !self.alone && !other.alone;
        let one_model = self.call.is_of(other.call) || self.name.is_asked_as(other.name);
        open && one_model && self.is_together(other) && (within(self, other) || within(other, self))
    }

    /// How far their times are from each other.
    fn distance(&self, other: &Unit) -> u64 {
        let square = |one: DateTime<Utc>, two: DateTime<Utc>| {
            let apart = (one - two).num_microseconds().map_or(u64::MAX, i64::unsigned_abs);
            apart.min(1 << 31).pow(2)
        };
        square(self.start, other.start) + square(self.end, other.end)
    }

    /// Whether one lies below the other, whatever is between them.
    fn is_related(&self, other: &Unit, tree: &Nodes) -> bool {
        let ([(one, _), ..], [(two, _), ..]) = (self.tellers, other.tellers);
        tree.ancestors(one).any(|above| above == two) || tree.ancestors(two).any(|above| above == one)
    }
}

/// A call that was met.
#[derive(Clone)]
pub(super) struct Seen {
    pub trace: u64,
    /// What it counts as.
    pub own: Unit,
    /// What was told of it beside that.
    pub beside: Vec<Unit>,
}

impl Seen {
    /// One that stands for itself.
    pub fn of(trace: u64, own: Unit) -> Self {
        Seen {
            trace,
            own,
            beside: Vec::new(),
        }
    }

    /// All that tells it.
    pub fn units(&self) -> impl Iterator<Item = &Unit> + Clone {
        std::iter::once(&self.own).chain(&self.beside)
    }

    /// The one that this span is of.
    pub fn unit_mut(&mut self, key: SpanKey) -> Option<&mut Unit> {
        std::iter::once(&mut self.own)
            .chain(&mut self.beside)
            .find(|unit| unit.has(key))
    }

    /// Makes one unit of two: that of a span, and that of one below it.
    pub fn join(&mut self, upper: SpanKey, lower: SpanKey) {
        let key = if self.own.has(upper) { lower } else { upper };
        let Some(place) = self.beside.iter().position(|unit| unit.has(key)) else {
            return;
        };
        let one = self.beside.remove(place);
        let key = if key == lower { upper } else { lower };
        let own = self.own.has(key);
        if let Some(unit) = self.unit_mut(key) {
            unit.absorb(&one);
            if !own {
                unit.told.extend(one.told);
            }
        }
    }

    /// What the model is called by all that tells the call, and what by all but a span's unit.
    pub fn names(&self, key: SpanKey) -> (Option<Name>, Option<Name>) {
        let all = Name::best(self.units().map(|unit| unit.name));
        let others = self.units().filter(|unit| !unit.has(key)).map(|unit| unit.name);
        (all, Name::best(others))
    }

    /// Takes out what cannot stand beside the unit of a span, since its emitter told both; or that one.
    pub fn strangers(&mut self, key: SpanKey) -> Vec<Unit> {
        if self.own.has(key) {
            return self.beside.extract_if(.., |unit| unit.is_other(&self.own)).collect();
        }
        let Some(place) = self.beside.iter().position(|unit| unit.has(key)) else {
            return Vec::new();
        };
        let one = self.beside.remove(place);
        if self.units().any(|other| other.is_other(&one)) {
            return vec![one];
        }
        self.beside.push(one);
        Vec::new()
    }
}

/// What counts as another call than it did.
pub(in super::super) struct Move {
    /// The spans.
    pub spans: Vec<SpanKey>,
    /// What they told.
    pub told: Vec<UsageEvent>,
    /// As what it counted.
    pub from: Call,
    /// As what it counts.
    pub to: Call,
    /// What is told of that, as far as it is known.
    pub known: Option<Split>,
    /// What the model is called by all that tells that, where these are not all; and whether these decide it.
    pub named: Option<(Label, bool)>,
    /// Whether that is a call below it.
    pub above: bool,
    /// Whether that is itself.
    pub as_itself: bool,
}

impl Move {
    pub(super) fn of(unit: &Unit, from: Call, to: Call) -> Self {
        Move {
            spans: unit.spans().map(|(key, _)| key).collect(),
            told: unit.told.clone(),
            from,
            to,
            known: None,
            named: None,
            above: false,
            as_itself: from.id != to.id && to.id == unit.call.id,
        }
    }
}

/// What has no place, and as what it counted.
pub(super) struct Waiting {
    pub unit: Unit,
    pub from: Option<Call>,
}

/// Finds places for what waits in a trace, the last first. What counts as itself does so from then on; all else may change places.
pub(super) fn place(
    known: &mut VecDeque<Seen>,
    trace: u64,
    mut waiting: Vec<Waiting>,
    tree: &Nodes,
    moves: &mut Vec<Move>,
) {
    let mut steps = 0..STEPS;
    while let Some(Waiting { mut unit, from }) = waiting.pop() {
        let places = Places { known, trace, tree };
        let way = match steps.next() {
            Some(_) => places.way(&unit).unwrap_or_default(),
            None => Vec::new(),
        };
        if way.is_empty() {
            let to = unit.call;
            moves.extend(from.map(|from| Move::of(&unit, from, to)));
            unit.told = Vec::new();
            known.push_back(Seen::of(trace, unit));
            continue;
        }
        let mut moving = vec![Waiting { unit, from }];
        for place in way {
            let Some(host) = known.get_mut(place) else {
                break;
            };
            let (to, mut next) = (host.own.call, Vec::new());
            for Waiting { unit, from } in moving {
                let from = from.filter(|from| from.id != to.id);
                moves.extend(from.map(|from| Move::of(&unit, from, to)));
                let others = host.beside.extract_if(.., |other| other.is_other(&unit));
                next.extend(others.map(|unit| Waiting { unit, from: Some(to) }));
                host.beside.reserve_exact(1);
                host.beside.push(unit);
            }
            moving = next;
        }
        waiting.extend(moving);
    }
}

/// Where something may stand beside a call of a trace.
struct Places<'k> {
    known: &'k VecDeque<Seen>,
    trace: u64,
    tree: &'k Nodes,
}

impl Places<'_> {
    /// The call that this may be told beside, the one to which what stands there goes, and so on: the nearest that have room, so that nothing is left over;
    /// else the nearest where what stands is farther, and is left over.
    fn way(&self, unit: &Unit) -> Option<Vec<usize>> {
        if self.hosts(unit).is_empty() {
            return None;
        }
        let found = self.search(unit, true, &mut Vec::new());
        let found = found.or_else(|| self.search(unit, false, &mut Vec::new()));
        found.or_else(|| {
            let mut hosts = self.hosts(unit).into_iter();
            let nearer = |(distance, _, host): &(u64, usize, &Seen)| {
                let mut others = host.beside.iter().filter(|other| other.is_other(unit));
                others.all(|other| other.distance(&host.own) > *distance) && !host.own.is_related(unit, self.tree)
            };
            hosts.find(nearer).map(|(_, place, _)| vec![place])
        })
    }

    /// The calls that this may be told beside, the nearest first.
    fn hosts(&self, unit: &Unit) -> Vec<(u64, usize, &Seen)> {
        let all = self.known.iter().enumerate();
        let fit = all.filter(|(_, seen)| seen.trace == self.trace && seen.own.fits(unit));
        let mut hosts: Vec<_> = fit
            .map(|(place, seen)| (seen.own.distance(unit), place, seen))
            .collect();
        hosts.sort_by_key(|(distance, place, _)| (*distance, *place));
        hosts
    }

    /// The way along calls that were not `met`, and, where `near`, only to those to which each is nearer than what it pushes away.
    fn search(&self, unit: &Unit, near: bool, met: &mut Vec<usize>) -> Option<Vec<usize>> {
        let hosts = self.hosts(unit);
        for (distance, place, host) in hosts {
            let mut others = host.beside.iter().filter(|other| other.is_other(unit));
            let (other, more) = (others.next(), others.next());
            let stays = |other: &Unit| near && other.distance(&host.own) <= distance;
            if more.is_some() || other.is_some_and(stays) || met.len() >= STEPS || met.contains(&place) {
                continue;
            }
            if host.own.is_related(unit, self.tree) {
                continue;
            }
            met.push(place);
            let rest = match other {
                None => Some(Vec::new()),
                Some(other) => self.search(other, near, met),
            };
            if let Some(mut rest) = rest {
                rest.insert(0, place);
                return Some(rest);
            }
        }
        None
    }
}
