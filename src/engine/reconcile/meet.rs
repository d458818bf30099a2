//! Lets the two sides of a day meet: a log names a snapshot or a profile where the bill names an edition, and a bill has
//! fees in rows of their own where the meter has them with the call.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use super::gather::{Named, Part, Place, Sides};
use super::rows::Whose;
use crate::domain::charge::Outcome;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::period::Hour;
use crate::domain::price::{model_family, model_snapshot};
use crate::domain::spend::TokenSums;
use crate::domain::usage::{Bucket, EventId, Tokens, UsageEvent};
use crate::ports::Pricer;

/// Tokens and requests of which a rate is asked: few enough to stay below every threshold.
pub(super) const SAMPLE: u32 = 1_000;

/// A call that asks for a rate.
pub(super) fn sample(day: Hour, provider: Label, model: Label, account: Label) -> UsageEvent {
    let mut call = UsageEvent::new(EventId([0; 16]), day.start(), provider, model);
    call.dimensions = call.dimensions.with(Dimension::Account, account.as_str());
    call
}

/// The models of one day of a bill, by family.
type Groups = BTreeMap<Label, BTreeMap<Label, Sides>>;

/// The models of each day of a bill, brought together.
pub(super) fn meet(
    pricer: &dyn Pricer,
    cells: BTreeMap<Named, Sides>,
    without_models: &BTreeSet<Whose>,
) -> Result<BTreeMap<Place, Sides>, MoneyError> {
    let mut days: BTreeMap<(Hour, Whose), Groups> = BTreeMap::new();
    for ((at, family, model), sides) in cells {
        let groups = days.entry(at).or_default();
        groups.entry(family).or_default().insert(model, sides);
    }
    let mut out = BTreeMap::new();
    for ((day, whose), groups) in days {
        let all = || groups.values().flatten();
        let named = |(model, sides): (&Label, &Sides)| sides.use_rows > 0 && !model.is_empty();
        let uses = all().any(|(_, sides)| sides.use_rows > 0);
        let by_model = all().any(named) || (!uses && !without_models.contains(&whose));
        let mut met = if by_model {
            by_family(rest(by_name(groups)?)?)?
        } else {
            BTreeMap::from([(Label::EMPTY, together(groups.into_values().flatten())?)])
        };
        fees_apart(pricer, day, whose.0, &mut met)?;
        out.extend(met.into_iter().map(|(model, sides)| ((day, whose, model), sides)));
    }
    Ok(out)
}

fn together(all: impl Iterator<Item = (Label, Sides)>) -> Result<Sides, MoneyError> {
    let mut sum = Sides::default();
    for (_, sides) in all {
        sum.add(&sides)?;
    }
    Ok(sum)
}

/// The families of the names met so far.
pub(super) struct Families<'p> {
    pricer: &'p dyn Pricer,
    known: FxHashMap<(Label, Label, Label), Label>,
}

impl<'p> Families<'p> {
    pub(super) fn new(pricer: &'p dyn Pricer) -> Self {
        let known = FxHashMap::default();
        Families { pricer, known }
    }

    /// By the entry that prices it, which the owner's map may name, account by account; by its own name where nothing does.
    pub(super) fn of(&mut self, day: Hour, provider: Label, model: Label, account: Label) -> Label {
        if model.is_empty() {
            return model;
        }
        let pricer = self.pricer;
        *self.known.entry((provider, model, account)).or_insert_with(|| {
            let mut call = sample(day, provider, model, account);
            call.tokens = Tokens::default().with(Bucket::InputUncached, u64::from(SAMPLE));
            let entry = match pricer.price(&call).outcome {
                // book/provider/entry@day
                Outcome::Priced(entry) => entry.as_str().splitn(3, '/').nth(2),
                Outcome::Unpriced(_) => None,
            };
            let entry = entry.and_then(|entry| entry.rsplit_once('@')).map(|(name, _)| name);
            Label::new(&model_family(entry.unwrap_or(model.as_str())))
        })
    }
}

/// Calls go with the bill that has their name where no others are of that bill's family: it may name another account, for which the
/// owner's map of names does not hold.
fn by_name(mut groups: Groups) -> Result<Groups, MoneyError> {
    let mut alone: Vec<(Label, Label)> = Vec::new();
    for (family, group) in &groups {
        if !group.values().any(Sides::is_metered) {
            let billed = group.iter().filter(|(_, sides)| sides.use_rows > 0);
            alone.extend(billed.map(|(model, _)| (*family, *model)));
        }
    }
    for (family, model) in alone {
        let others = groups.iter_mut().filter(|(other, _)| **other != family);
        let calls = others.filter_map(|(_, group)| match group.get(&model)?.is_metered() {
            true => group.remove(&model),
            false => None,
        });
        let calls: Vec<Sides> = calls.collect();
        let bill = groups.entry(family).or_default().entry(model).or_default();
        calls.iter().try_for_each(|sides| bill.add(sides))?;
    }
    Ok(groups)
}

/// Rows that count tokens and name no model, beside rows that name one, are of models that no row of the day names: what was metered of those
/// stands with them.
fn rest(mut groups: Groups) -> Result<Groups, MoneyError> {
    let unnamed = |groups: &Groups| groups.get(&Label::EMPTY)?.get(&Label::EMPTY).map(Sides::counts_tokens);
    if unnamed(&groups) != Some(true) {
        return Ok(groups);
    }
    let billed = |group: &BTreeMap<Label, Sides>| group.values().any(|sides| sides.use_rows > 0);
    let others = groups.iter().filter(|(_, group)| !billed(group));
    let others: Vec<Label> = others.map(|(family, _)| *family).collect();
    let calls = together(others.into_iter().filter_map(|family| groups.remove(&family)).flatten())?;
    let rest = groups.entry(Label::EMPTY).or_default().entry(Label::EMPTY).or_default();
    rest.add(&calls)?;
    Ok(groups)
}

/// Names of one family become one, unless both sides use the same ones: then the finer comparison is right.
fn by_family(groups: Groups) -> Result<BTreeMap<Label, Sides>, MoneyError> {
    let mut out: BTreeMap<Label, Sides> = BTreeMap::new();
    for (family, group) in groups {
        let apart = is_alike(&group).then(Vec::new).or_else(|| snapshots(family, &group));
        let Some(dates) = apart else {
            out.entry(family).or_default().add(&together(group.into_iter())?)?;
            continue;
        };
        for (model, sides) in group {
            // Under one name, however the two sides write that of a snapshot.
            let date = model_snapshot(model.as_str());
            let name = dates
                .iter()
                .find(|(day, _)| date == Some(*day))
                .map_or(model, |(_, name)| *name);
            out.entry(name).or_default().add(&sides)?;
        }
    }
    Ok(out)
}

fn is_alike(group: &BTreeMap<Label, Sides>) -> bool {
    group.len() == 1 || group.values().all(|sides| sides.is_metered() == (sides.use_rows > 0))
}

/// The snapshots of a family with a name of each, where all its names are of one, and some of them stand on both sides: then no call is
/// of another one. A name without a date may be of any.
fn snapshots(family: Label, group: &BTreeMap<Label, Sides>) -> Option<Vec<(NaiveDate, Label)>> {
    let mut dates: BTreeMap<NaiveDate, (Label, bool, bool)> = BTreeMap::new();
    for (model, sides) in group {
        let date = model_snapshot(model.as_str()).filter(|_| model_family(model.as_str()) == family.as_str())?;
        let (_, metered, billed) = dates.entry(date).or_insert((*model, false, false));
        *metered |= sides.is_metered();
        *billed |= sides.use_rows > 0;
    }
    let meets = dates.values().any(|(_, metered, billed)| *metered && *billed);
    (meets && dates.len() > 1).then(|| dates.into_iter().map(|(date, (name, ..))| (date, name)).collect())
}

/// Where a bill has rows of use that name no model beside rows that do, fees are among these: what the meter has of fees stands
/// beside them, not with the tokens of its model.
fn fees_apart(
    pricer: &dyn Pricer,
    day: Hour,
    provider: Label,
    models: &mut BTreeMap<Label, Sides>,
) -> Result<(), MoneyError> {
    let apart = models.len() > 1 && models.get(&Label::EMPTY).is_some_and(|sides| sides.use_rows > 0);
    if !apart {
        return Ok(());
    }
    let mut fees = Sides::default();
    for (_, sides) in models.iter_mut().filter(|(model, _)| !model.is_empty()) {
        let list = fee(pricer, day, provider, sides)?.min(sides.metered.list);
        if list <= Decimal::ZERO {
            continue;
        }
        let part = |of: Decimal| -> Result<Decimal, MoneyError> {
            let part = list
                .checked_mul(of)
                .and_then(|part| part.checked_div(sides.metered.list));
            Ok(part.ok_or(MoneyError::Overflow)?.round_dp(super::gap::DECIMALS))
        };
        let (contracted, effective) = (part(sides.metered.contracted)?, part(sides.metered.effective)?);
        for (from, to, part) in [
            (&mut sides.metered.list, &mut fees.metered.list, list),
            (&mut sides.metered.contracted, &mut fees.metered.contracted, contracted),
            (&mut sides.metered.effective, &mut fees.metered.effective, effective),
        ] {
            *from = add_exact(*from, -part)?;
            *to = add_exact(*to, part)?;
        }
        fees.free = add_exact(fees.free, std::mem::take(&mut sides.free))?;
        for part in sides.parts.iter_mut().filter(|part| part.requests != [0; 4]) {
            fees.parts.push(Part {
                tokens: TokenSums::default(),
                ..*part
            });
            part.requests = [0; 4];
        }
    }
    if let Some(rest) = models.get_mut(&Label::EMPTY) {
        rest.add(&fees)?;
    }
    Ok(())
}

/// What the requests of a cell cost beside its tokens, at list price.
pub(super) fn fee(pricer: &dyn Pricer, day: Hour, provider: Label, sides: &Sides) -> Result<Decimal, MoneyError> {
    let mut all = Decimal::ZERO;
    for part in sides.parts.iter().filter(|part| part.requests != [0; 4]) {
        let mut call = sample(day, provider, part.model, part.account);
        call.tokens = Tokens::default().with(Bucket::InputUncached, u64::from(SAMPLE));
        let plain = pricer.price(&call).cost;
        for (kind, count) in part.requests.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let mut asked = call;
            let slots = [
                &mut asked.requests.web_searches,
                &mut asked.requests.web_fetches,
                &mut asked.requests.code_executions,
                &mut asked.requests.file_searches,
            ];
            if let Some(slot) = slots.into_iter().nth(kind) {
                *slot = SAMPLE;
            }
            let charge = pricer.price(&asked);
            if !charge.is_priced() {
                continue;
            }
            let rate = add_exact(charge.cost, -plain)?
                .checked_div(Decimal::from(SAMPLE))
                .ok_or(MoneyError::Overflow)?;
            let amount = rate.checked_mul(Decimal::from(count)).ok_or(MoneyError::Overflow)?;
            all = add_exact(all, amount)?;
        }
    }
    // What the cell has of them: without the searches that are free.
    add_exact(all, -sides.free)
}
