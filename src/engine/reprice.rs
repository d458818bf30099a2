//! Prices recorded calls anew and writes the differences down as restatements.
//!
//! Safe to repeat and beside other runs: each step is one transaction of the ledger, which prices the calls as they are
//! stored at that moment; what has its price already is left alone.

mod given;

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use given::Named;
pub use given::{Given, Lacking, lacking};

use super::report::{Filter, selects, selects_call};
use crate::domain::charge::{Charge, Outcome};
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{MoneyError, add_exact};
use crate::domain::period::Period;
use crate::domain::spend::{Basis, Restatement};
use crate::domain::usage::{EventId, UsageEvent};
use crate::engine::view::allowance::of_calls;
use crate::ports::{Ledger, Pricer, StoreError};

/// Calls priced in one transaction: some megabytes of ids, and a kill loses at most this much work.
const STEP: usize = 200_000;

/// Which calls, and whether to store.
#[derive(Clone, Debug)]
pub struct RepriceQuery {
    /// Calls made within it.
    pub period: Period,
    /// Which of them.
    pub filters: Vec<Filter>,
    /// Only say what would change.
    pub dry_run: bool,
    /// Take the price away from calls that the books have none for any more.
    pub drop_prices: bool,
    /// What the settings give to calls that do not say, maybe since these were recorded.
    pub given: Given,
}

/// What changes for the calls of one model that were priced by one entry and are priced by another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// How many.
    pub calls: i64,
    /// Their cost as stored; none of calls that had no price.
    pub old: Option<Decimal>,
    /// Their cost now; none of calls that have no price.
    pub new: Option<Decimal>,
}

/// Provider, model, what priced the calls, what prices them now.
pub type ChangeKey = (Label, Label, String, String);

/// What pricing anew did, or would do.
#[derive(Clone, Debug, Default)]
pub struct Repriced {
    /// Calls looked at.
    pub calls: i64,
    /// Calls whose charge is another one.
    pub changed: i64,
    /// Calls that lacked what the settings give to those of their source.
    pub named: i64,
    /// Calls that were to get another charge, and got it by another run meanwhile.
    pub by_others: i64,
    /// Change of the total cost, USD.
    pub cost: Decimal,
    /// By model and entries.
    pub changes: BTreeMap<ChangeKey, Change>,
    /// Days whose cost was restated; empty for a dry run.
    pub restatements: Vec<Restatement>,
    /// Calls that have a price and would have none: left as they are, unless asked otherwise.
    pub kept_prices: i64,
    /// Their cost as it stays.
    pub kept_prices_cost: Decimal,
    /// Calls without detail: their sums cannot be priced anew exactly, since thresholds and tiers decide by the single
    /// call, and are left as they are.
    pub left_out: i64,
    /// Their cost as it stays.
    pub left_out_cost: Decimal,
}

/// Prices the calls of a period anew.
pub fn reprice(
    ledger: &mut dyn Ledger,
    pricer: &dyn Pricer,
    query: &RepriceQuery,
    now: DateTime<Utc>,
) -> Result<Repriced, StoreError> {
    let mut out = Repriced::default();
    let mut kept = Kept::default();
    let mut first = true;
    let mut written = (0, Decimal::ZERO);
    let mut tried = 0;
    // Calls and sums are compared as of one moment: what comes in between the two has not expired.
    let holds = !query.dry_run;
    if holds {
        ledger.hold(true)?;
    }
    loop {
        let (mut ids, mut named): (Vec<EventId>, Named) = (Vec::new(), Named::default());
        let mut failed: Option<MoneyError> = None;
        let mut looked = 0;
        ledger.events(query.period, &mut |event, charge| {
            let filled = query.given.to(event);
            let call = filled.as_ref().unwrap_or(event);
            if first && selects_call(&query.filters, &event.dimensions) {
                failed = failed.take().or_else(|| kept.add(event, charge).err());
            }
            if !selects_call(&query.filters, &call.dimensions) {
                return ControlFlow::Continue(());
            }
            looked += 1;
            let new = pricer.price(call);
            if charge.is_priced() && !new.is_priced() && !query.drop_prices {
                if first {
                    out.kept_prices += 1;
                    match add_exact(out.kept_prices_cost, charge.cost) {
                        Ok(sum) => out.kept_prices_cost = sum,
                        Err(error) => failed = Some(error),
                    }
                }
                return ControlFlow::Continue(());
            }
            let changes = new != *charge;
            if first {
                out.named += i64::from(filled.is_some());
                if changes && let Err(error) = note(&mut out, call, charge, &new) {
                    failed = Some(error);
                }
            }
            let room = match &filled {
                Some(_) => !named.is_full(),
                None => ids.len() < STEP,
            };
            if !query.dry_run && room {
                filled.iter().for_each(|filled| named.add(filled, charge));
                ids.extend(changes.then_some(event.id));
            }
            // The first visit sees everything, for the counts; later ones only what is left.
            if first || (ids.len() < STEP && !named.is_full()) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        if std::mem::take(&mut first) {
            out.calls = looked;
            leftovers(ledger, query, std::mem::take(&mut kept), &mut out)?;
            if holds {
                ledger.hold(false)?;
            }
        }
        if ids.is_empty() && named.len() == 0 {
            break;
        }
        named.record(ledger, pricer, now)?;
        tried += i64::try_from(named.len()).unwrap_or(i64::MAX);
        let done = ledger.recharge(&ids, pricer, now)?;
        written = (
            written.0 + i64::try_from(done.changed).unwrap_or(i64::MAX),
            add_exact(written.1, done.cost)?,
        );
        out.restatements.extend(done.restatements);
        // All that was seen has its price now, or someone else was faster. Where calls come in all the time there is no end of new ones.
        if (done.changed == 0 || written.0 >= out.changed) && tried >= out.named {
            break;
        }
    }
    if !query.dry_run {
        // What was seen is what this run was to do; what it wrote is what it did: less where another run was faster, more where calls came
        // in meanwhile at the prices of before.
        let more = written.0 - out.changed;
        out.by_others = (-more).max(0);
        out.calls += more.max(0);
        (out.changed, out.cost) = written;
    }
    Ok(out)
}

fn note(out: &mut Repriced, event: &UsageEvent, old: &Charge, new: &Charge) -> Result<(), MoneyError> {
    let by = |charge: &Charge| match charge.outcome {
        Outcome::Priced(entry) => entry.as_str().to_owned(),
        Outcome::Unpriced(reason) => format!("unpriced: {reason}"),
    };
    out.changed += 1;
    out.cost = add_exact(out.cost, add_exact(new.cost, -old.cost)?)?;
    let key = (event.provider(), event.model(), by(old), by(new));
    let change = out.changes.entry(key).or_default();
    change.calls += 1;
    for (sum, charge) in [(&mut change.old, old), (&mut change.new, new)] {
        if charge.is_priced() {
            *sum = Some(add_exact(sum.unwrap_or_default(), charge.cost)?);
        }
    }
    Ok(())
}

/// The calls that sums are compared with, as they are stored before anything is changed.
#[derive(Default)]
struct Kept {
    calls: i64,
    cost: Decimal,
    /// Those with searches, some of which may be free.
    searching: HashSet<EventId>,
}

impl Kept {
    fn add(&mut self, event: &UsageEvent, charge: &Charge) -> Result<(), MoneyError> {
        self.calls += 1;
        self.cost = add_exact(self.cost, charge.cost)?;
        if event.requests.web_searches > 0 {
            self.searching.insert(event.id);
        }
        Ok(())
    }
}

/// What the sums of the hours that the period touches have more than their calls.
fn leftovers(
    ledger: &mut dyn Ledger,
    query: &RepriceQuery,
    mut kept: Kept,
    out: &mut Repriced,
) -> Result<(), StoreError> {
    let (mut events, mut cost, mut failed) = (0, Decimal::ZERO, None);
    let hours = query.period.in_hours();
    let edges = [
        Period::new(hours.start, query.period.start),
        Period::new(query.period.end, hours.end),
    ];
    for edge in edges.into_iter().filter(|edge| edge.start < edge.end) {
        ledger.events(edge, &mut |event, charge| {
            if selects_call(&query.filters, &event.dimensions) {
                failed = failed.take().or_else(|| kept.add(event, charge).err());
            }
            ControlFlow::Continue(())
        })?;
    }
    ledger.spend(hours, &mut |key, sums| {
        // Flat costs are no calls.
        let purchase = key.dimensions.get(Dimension::Category).as_str() == "Purchase";
        if key.basis == Basis::Metered && !purchase && selects(&query.filters, &key.dimensions) {
            events += sums.events;
            match add_exact(cost, sums.cost) {
                Ok(sum) => cost = sum,
                Err(error) => failed = Some(error),
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(StoreError::from(error));
    }
    out.left_out = (events - kept.calls).max(0);
    if out.left_out > 0 {
        let mut left = add_exact(cost, -kept.cost)?;
        if !kept.searching.is_empty() {
            // The sums have free searches taken off, the calls have not.
            for (id, free) in of_calls(ledger, hours)? {
                if kept.searching.contains(&id) {
                    left = add_exact(left, free.amount)?;
                }
            }
        }
        out.left_out_cost = left;
    }
    Ok(())
}
