//! Lets the two sides of a day meet: a log names a snapshot or a profile where the bill names an edition, and a bill has
//! fees in rows of their own where the meter has them with the call.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rust_decimal::Decimal;

use super::gather::{Place, Sides};
use crate::domain::charge::Outcome;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::period::Hour;
use crate::domain::price::model_family;
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

/// The models of each day and provider, brought together.
pub(super) fn meet(
    pricer: &dyn Pricer,
    cells: BTreeMap<Place, Sides>,
    without_models: &BTreeSet<Label>,
) -> Result<BTreeMap<Place, Sides>, MoneyError> {
    let mut days: BTreeMap<(Hour, Label), BTreeMap<Label, Sides>> = BTreeMap::new();
    for ((day, provider, model), sides) in cells {
        days.entry((day, provider)).or_default().insert(model, sides);
    }
    let mut families = Families::new(pricer);
    let mut out = BTreeMap::new();
    for ((day, provider), models) in days {
        let named = |(model, sides): (&Label, &Sides)| sides.use_rows > 0 && !model.is_empty();
        let uses = models.values().any(|sides| sides.use_rows > 0);
        let by_model = models.iter().any(named) || (!uses && !without_models.contains(&provider));
        let mut met = if by_model {
            families.meet(day, provider, models)?
        } else {
            BTreeMap::from([(Label::EMPTY, together(models.into_values())?)])
        };
        fees_apart(pricer, day, provider, &mut met)?;
        out.extend(met.into_iter().map(|(model, sides)| ((day, provider, model), sides)));
    }
    Ok(out)
}

fn together(all: impl Iterator<Item = Sides>) -> Result<Sides, MoneyError> {
    let mut sum = Sides::default();
    for sides in all {
        sum.add(&sides)?;
    }
    Ok(sum)
}

/// The families of the names met so far.
struct Families<'p> {
    pricer: &'p dyn Pricer,
    known: HashMap<(Label, Label, Label), Label>,
}

impl<'p> Families<'p> {
    fn new(pricer: &'p dyn Pricer) -> Self {
        let known = HashMap::new();
        Families { pricer, known }
    }

    /// By the entry that prices it, which the owner's map may name; by its own name where nothing does.
    fn of(&mut self, day: Hour, provider: Label, model: Label, account: Label) -> Label {
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

    /// Names of one family become one, unless both sides use the same ones: then the finer comparison is right.
    fn meet(
        &mut self,
        day: Hour,
        provider: Label,
        models: BTreeMap<Label, Sides>,
    ) -> Result<BTreeMap<Label, Sides>, MoneyError> {
        let mut groups: BTreeMap<Label, Vec<(Label, Sides)>> = BTreeMap::new();
        for (model, sides) in models {
            let family = if model.is_empty() {
                model
            } else {
                self.of(day, provider, model, sides.account)
            };
            groups.entry(family).or_default().push((model, sides));
        }
        let mut out = BTreeMap::new();
        for (family, group) in groups {
            let alike = group.iter().all(|(_, s)| s.is_metered() == (s.use_rows > 0));
            if alike || group.len() == 1 {
                out.extend(group);
                continue;
            }
            // The rates of the model of the calls hold for both sides.
            let priced_as = group.iter().find(|(_, s)| s.is_metered()).map(|(model, _)| *model);
            let mut sum = together(group.into_iter().map(|(_, sides)| sides))?;
            sum.priced_as = priced_as.unwrap_or_default();
            out.insert(family, sum);
        }
        Ok(out)
    }
}

/// Where a bill has rows of use that name no model beside rows that do, these are fees: what the meter has of fees stands
/// beside them, not with the tokens.
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
    for (model, sides) in models.iter_mut().filter(|(model, _)| !model.is_empty()) {
        let list = fee(pricer, day, provider, *model, sides)?.min(sides.metered.list);
        if list <= Decimal::ZERO {
            continue;
        }
        let contracted = list
            .checked_mul(sides.metered.contracted)
            .and_then(|part| part.checked_div(sides.metered.list))
            .ok_or(MoneyError::Overflow)?
            .round_dp(super::gap::DECIMALS);
        for (from, to, part) in [
            (&mut sides.metered.list, &mut fees.metered.list, list),
            (&mut sides.metered.contracted, &mut fees.metered.contracted, contracted),
        ] {
            *from = add_exact(*from, -part)?;
            *to = add_exact(*to, part)?;
        }
        sides.requests = [0; 4];
    }
    if let Some(rest) = models.get_mut(&Label::EMPTY) {
        rest.add(&fees)?;
    }
    Ok(())
}

/// What the requests of a cell cost beside its tokens, at list price.
fn fee(pricer: &dyn Pricer, day: Hour, provider: Label, model: Label, sides: &Sides) -> Result<Decimal, MoneyError> {
    let mut all = Decimal::ZERO;
    let mut call = sample(day, provider, sides.rates_of(model), sides.account);
    call.tokens = Tokens::default().with(Bucket::InputUncached, u64::from(SAMPLE));
    let plain = pricer.price(&call).cost;
    for (kind, count) in sides.requests.into_iter().enumerate().filter(|(_, count)| *count > 0) {
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
    // What the cell has of them: without the searches that are free.
    add_exact(all, -sides.free)
}
