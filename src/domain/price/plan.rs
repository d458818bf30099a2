//! How calls of one kind are charged on one day, and the plans made so far.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use super::book::{Entry, Price};
use super::card::{Prepared, Segment, Terms};
use super::units::UnitRate;
use crate::domain::charge::UnpricedReason;
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, Rank, Requests, Unit, UnitKey, UsageEvent};

/// What decides how a call is charged: provider, model, account, tier, speed, geography, day.
pub(super) type Key = (Label, Label, Label, Label, Label, Label, NaiveDate);

/// Plans that were made, and where the last ones are found fastest.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) plans: FxHashMap<Key, Arc<Plan>>,
    pub(super) recent: Vec<Option<(Key, Arc<Plan>)>>,
}

/// Places for the plans used last.
pub(super) const RECENT: usize = 64;

/// How one book charges calls of one kind on one day, and what is asked after it.
#[derive(Debug)]
pub(super) struct Plan {
    /// Tried in order; the first whose hours contain the call's.
    pub(super) segments: Vec<Segment>,
    pub(super) reason: Option<UnpricedReason>,
    pub(super) book: String,
    pub(super) version: String,
    pub(super) provider: String,
    pub(super) entry: String,
    pub(super) matched: String,
    pub(super) source: String,
    pub(super) checked: String,
    /// Whether any price of the next book will do where this one has none.
    pub(super) overlay: bool,
    /// The next book that knows the model.
    pub(super) next: Option<Box<Plan>>,
}

/// What prices a call.
pub(super) struct Chosen<'p> {
    pub(super) plan: &'p Plan,
    pub(super) segment: &'p Segment,
    pub(super) prepared: &'p Prepared,
}

impl Plan {
    fn at(&self, at: DateTime<Utc>) -> Result<(&Segment, &Prepared), UnpricedReason> {
        if let Some(reason) = self.reason {
            return Err(reason);
        }
        let segment = self
            .segments
            .iter()
            .find(|s| s.hours.as_ref().is_none_or(|h| h.contains(at)))
            .ok_or(UnpricedReason::NoPriceOnDate)?;
        match &segment.price {
            Ok(prepared) => Ok((segment, prepared)),
            Err(reason) => Err(*reason),
        }
    }

    /// The price at every hour, where the first book has one for all of them.
    #[inline]
    pub(super) fn only(&self) -> Option<(&Segment, &Prepared)> {
        let segment = self.segments.first().filter(|_| self.reason.is_none())?;
        match &segment.price {
            Ok(prepared) if segment.hours.is_none() => Some((segment, prepared)),
            _ => None,
        }
    }

    /// The price of the first book that has one at that instant, or why the first book that knows the model has none.
    pub(super) fn choose(&self, at: DateTime<Utc>) -> Result<Chosen<'_>, UnpricedReason> {
        let mut failed: Option<UnpricedReason> = None;
        let mut needs_date = false;
        let mut next = Some(self);
        while let Some(plan) = next {
            match plan.at(at) {
                // Where a book knows the model but has no price on that date, only one that is dated itself will do.
                Ok((segment, _)) if needs_date && !segment.dated => {}
                Ok((segment, prepared)) => {
                    return Ok(Chosen {
                        plan,
                        segment,
                        prepared,
                    });
                }
                Err(reason) => {
                    needs_date |= reason == UnpricedReason::NoPriceOnDate && !plan.overlay;
                    failed = failed.or(Some(reason));
                }
            }
            next = plan.next.as_deref();
        }
        Err(failed.unwrap_or(UnpricedReason::UnknownModel))
    }

    /// Whether it has a price at every hour of its day.
    pub(super) fn is_whole(&self) -> bool {
        let all = self.segments.last().is_some_and(|s| s.hours.is_none());
        self.reason.is_none() && all && self.segments.iter().all(|s| s.price.is_ok())
    }

    /// Whether a price of the next book will do as it is where this one has none.
    pub(super) fn is_open(&self) -> bool {
        self.overlay || self.is_whole()
    }
}

/// How a sum over no call is charged that no book has a price for.
pub(super) const OF_NOTHING: &str = "rule/nothing used";

/// Whether it is a sum over many calls that holds none, as what a report told before and tells no more: it costs nothing, whatever the
/// price of its model.
pub(super) fn is_of_nothing(event: &UsageEvent) -> bool {
    let is_sum = [Rank::REPORT, Rank::REPORT_LONG].contains(&event.rank.authority);
    let counts = event.tokens.total() > 0 || event.requests != Requests::default() || !event.extras.is_empty();
    is_sum && !counts && event.reported_cost.is_none()
}

/// Plans as one, each asked where those before it have no price.
pub(super) fn in_order(plans: Vec<Plan>) -> Plan {
    let all = plans.into_iter().rev().reduce(|next, mut plan| {
        plan.next = Some(Box::new(next));
        plan
    });
    all.unwrap_or_else(|| unpriced(UnpricedReason::UnknownModel))
}

pub(super) fn unpriced(reason: UnpricedReason) -> Plan {
    Plan {
        segments: Vec::new(),
        reason: Some(reason),
        book: String::new(),
        version: String::new(),
        provider: String::new(),
        entry: String::new(),
        matched: String::new(),
        source: String::new(),
        checked: String::new(),
        overlay: false,
        next: None,
    }
}

/// A rule that something costs nothing, which is not the same as having no price.
pub(super) fn free(rule: &str, matched: &str) -> Plan {
    let mut price = Price::default();
    let fees = [
        &mut price.fees.web_search,
        &mut price.fees.file_search,
        &mut price.fees.code_execution,
    ];
    fees.into_iter().for_each(|fee| *fee = Some(Decimal::ZERO));
    price.units = Unit::ALL
        .map(|unit| (UnitKey::new(unit, ""), UnitRate::default()))
        .into();
    Bucket::ALL.into_iter().for_each(|b| price.rates.set(b, Decimal::ZERO));
    let entry = Entry {
        id: rule.to_owned(),
        ..Entry::default()
    };
    let terms = Terms {
        tier: "",
        speed: "",
        geography: "",
        free: false,
    };
    let segment = Segment {
        hours: None,
        price: Prepared::new(&price, &entry, terms),
        from: String::new(),
        label: Label::new(&format!("rule/{rule}")),
        dated: false,
    };
    Plan {
        segments: vec![segment],
        reason: None,
        book: "rule".to_owned(),
        entry: rule.to_owned(),
        matched: matched.to_owned(),
        ..unpriced(UnpricedReason::UnknownModel)
    }
}
