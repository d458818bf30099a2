//! The calls of a kind: where a span is, and how its unit leaves one call for another.

use std::collections::VecDeque;

use super::super::names::Name;
use super::super::node::{Call, SpanKey};
use super::super::nodes::Nodes;
use super::units::{Move, Seen, Unit, Waiting, place};
use super::{SUSPECTS, Twin};
use crate::domain::label::Label;
use crate::domain::usage::{EventId, UsageEvent};

/// Where a span is. What came last is asked for most.
pub(super) fn find(known: &VecDeque<Seen>, key: SpanKey) -> Option<usize> {
    known.iter().rposition(|seen| seen.units().any(|unit| unit.has(key)))
}

/// Where something goes by an identity that lies below a span, and its first span.
pub(super) fn below(known: &VecDeque<Seen>, upper: SpanKey, by: EventId, tree: &Nodes) -> Option<(usize, SpanKey)> {
    let seen = known.iter().enumerate().filter(|(_, seen)| seen.own.call.id == by);
    let mut units = seen.flat_map(|(at, seen)| seen.units().map(move |unit| (at, unit)));
    units.find_map(|(at, unit)| {
        let mut spans = unit.spans().map(|(key, _)| key);
        Some((at, spans.find(|key| *key != upper && tree.is_view(upper, *key))?))
    })
}

/// A span tells a response that another told. Answers as what that goes, as it was told before.
pub(super) fn answered(
    known: &mut VecDeque<Seen>,
    at: usize,
    (key, emitter): (SpanKey, Label),
    one: &Unit,
    tree: &Nodes,
    moves: &mut Vec<Move>,
) -> Option<Twin> {
    let call = one.call;
    let seen = known.get_mut(at)?;
    let of = seen.own.call;
    let mut units = std::iter::once(&mut seen.own).chain(&mut seen.beside);
    let unit = units.find(|unit| unit.tells(call.id))?;
    unit.add(key, emitter);
    unit.name = Name::best([unit.name, one.name].into_iter()).unwrap_or(unit.name);
    if call.id == unit.call.id && call.tells_more(unit.call) {
        unit.call = call.with(unit.call);
    }
    let [(first, _), ..] = unit.tellers;
    part(known, at, first, tree, moves);
    let now = find(known, first).and_then(|at| known.get(at))?.own.call;
    Some(Twin::Same(if now.id == of.id { of } else { now }))
}

/// Takes what tells a span out of where it is, for the unit of a call below it.
pub(super) fn take(
    known: &mut VecDeque<Seen>,
    at: usize,
    key: SpanKey,
    unit: &mut Unit,
    (waiting, gone): (&mut Vec<Waiting>, &mut Vec<Move>),
) {
    let Some(seen) = known.get_mut(at) else {
        return;
    };
    let from = seen.own.call;
    let taken = if seen.own.has(key) {
        let Some(seen) = known.remove(at) else {
            return;
        };
        let beside = seen.beside.into_iter();
        waiting.extend(beside.map(|unit| Waiting { unit, from: Some(from) }));
        seen.own
    } else {
        let Some(place) = seen.beside.iter().position(|unit| unit.has(key)) else {
            return;
        };
        let taken = seen.beside.remove(place);
        gone.push(Move::of(&taken, from, from));
        taken
    };
    unit.absorb(&taken);
}

/// What lies below a span was never met here, such as a call of an earlier run: the span stands for it from now on. Answers as what it goes.
pub(super) fn adopt(
    known: &mut VecDeque<Seen>,
    upper: SpanKey,
    by: Call,
    tree: &Nodes,
    moves: &mut Vec<Move>,
) -> Option<EventId> {
    if known.iter().any(|seen| seen.own.call.id == by.id) {
        return None;
    }
    let at = find(known, upper)?;
    let seen = known.get_mut(at)?;
    let trace = seen.trace;
    let mut unit = seen.unit_mut(upper)?.clone();
    (unit.call, unit.told) = (by, Vec::new());
    let (mut waiting, mut gone) = (Vec::new(), Vec::new());
    take(known, at, upper, &mut unit, (&mut waiting, &mut gone));
    known.push_back(Seen::of(trace, unit));
    place(known, trace, waiting, tree, moves);
    settle(known, upper, gone, None, moves);
    Some(by.id)
}

/// Lets what stands beside something go that is of the same emitter as a span which was added to it.
pub(super) fn part(known: &mut VecDeque<Seen>, at: usize, key: SpanKey, tree: &Nodes, moves: &mut Vec<Move>) {
    let Some(seen) = known.get_mut(at) else {
        return;
    };
    let (trace, from) = (seen.trace, Some(seen.own.call));
    let waiting = seen.strangers(key).into_iter().map(|unit| Waiting { unit, from });
    let waiting = waiting.collect();
    place(known, trace, waiting, tree, moves);
}

/// Tells what a span's call took from elsewhere as what it goes by now. Answers that, where it goes by another call, with which it may have to
/// part again.
pub(super) fn settle(
    known: &mut VecDeque<Seen>,
    key: SpanKey,
    gone: Vec<Move>,
    event: Option<&UsageEvent>,
    moves: &mut Vec<Move>,
) -> Option<Call> {
    let at = find(known, key)?;
    let seen = known.get_mut(at)?;
    let (to, own) = (seen.own.call, seen.own.has(key));
    let unit = seen.unit_mut(key)?;
    for gone in gone {
        if !own {
            unit.told.extend(&gone.told);
        }
        moves.push(Move {
            to,
            above: true,
            ..gone
        });
    }
    if let Some(event) = event.filter(|_| !own) {
        unit.told.reserve_exact(1);
        unit.told.push(*event);
    }
    (!own).then_some(to)
}

/// Who seems to have told a call too that stands alone.
pub(super) fn suspected(known: &VecDeque<Seen>, key: SpanKey) -> Option<Label> {
    let own = known
        .iter()
        .rev()
        .find(|seen| seen.own.has(key) && seen.beside.is_empty())?;
    let mut others = known.iter().rev().filter(|seen| !seen.own.has(key)).take(SUSPECTS);
    // One of the same identity counts once with it.
    let other = others
        .find(|seen| seen.own.call.id != own.own.call.id && seen.units().all(|unit| unit.is_together(&own.own)))?;
    other.own.spans().next().map(|(_, emitter)| emitter)
}
