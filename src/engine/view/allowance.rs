//! Searches that cost nothing: the earliest of a day or month, over all models that share an allowance.

use std::collections::HashMap;

use rust_decimal::Decimal;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{Currency, MoneyError, mul_bounded};
use crate::domain::period::Period;
use crate::domain::price::{Allowance, Books, provider_key};
use crate::domain::spend::{Basis, SpendKey, Sums};
use crate::domain::usage::{EventId, UsageEvent};

pub(super) fn is_searching(key: &SpendKey, sums: &Sums) -> bool {
    let [searches, ..] = sums.requests;
    searches > 0 && key.basis == Basis::Metered && key.currency == Currency::USD
}

/// How much of each allowance is used.
pub(super) struct Allowances<'a> {
    books: &'a Books,
    /// By provider, account, group and day or month.
    used: HashMap<(String, Label, String, Period), u64>,
}

impl<'a> Allowances<'a> {
    pub(super) fn new(books: &'a Books) -> Self {
        Allowances {
            books,
            used: HashMap::new(),
        }
    }

    pub(super) fn of(&self, key: &SpendKey) -> Option<(Decimal, Allowance)> {
        let of = |d| key.dimensions.get(d);
        let (provider, model) = (of(Dimension::Provider), of(Dimension::Model));
        let mut call = UsageEvent::new(EventId([0; 16]), key.hour.start(), provider, model);
        call.dimensions = key.dimensions;
        let terms = self.books.search_terms(&call)?;
        Some((terms.rate, terms.free?))
    }

    /// Uses up the searches of a row; answers what of their fees is not due.
    pub(super) fn take(&mut self, key: &SpendKey, sums: &Sums) -> Result<Decimal, MoneyError> {
        let [searches, ..] = sums.requests;
        let (Some((rate, allowance)), Ok(searches)) = (self.of(key), u64::try_from(searches)) else {
            return Ok(Decimal::ZERO);
        };
        let period = allowance.per.around(key.hour.start());
        let of = |d| key.dimensions.get(d);
        let provider = provider_key(of(Dimension::Provider).as_str());
        let shared = (provider, of(Dimension::Account), allowance.group, period);
        let used = self.used.entry(shared).or_default();
        let free = searches.min(allowance.count.saturating_sub(*used));
        *used = used.saturating_add(searches);
        if sums.unpriced_events != 0 {
            // Which of them were charged is not known: rather too much than too little.
            return Ok(Decimal::ZERO);
        }
        Ok(mul_bounded(Decimal::from(free), rate)?.min(sums.cost.max(Decimal::ZERO)))
    }
}
