//! What a call without a price costs at most.

use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use super::book::{Book, Rates};
use super::name::provider_key;
use crate::domain::money::{add_exact, mul_exact};
use crate::domain::usage::{Bucket, Extras, Tokens, Unit, UsageEvent};

/// The highest rates of the books.
#[derive(Debug, Default)]
pub(super) struct Worst {
    by_provider: FxHashMap<String, Rates>,
    of_all: Rates,
    /// The highest rate of a unit by provider; the empty provider is any.
    units: FxHashMap<(String, Unit), Decimal>,
}

impl Worst {
    pub(super) fn of(books: &[Book]) -> Self {
        let mut highest = Worst::default();
        for (provider, entry) in books.iter().flat_map(Book::entries) {
            let Some(price) = entry.prices.iter().rev().find(|p| p.to.is_none()) else {
                continue;
            };
            let units = price.tiers.values().flat_map(|t| &t.units).chain(&price.units);
            for (key, rate) in units {
                for who in [provider, ""] {
                    let slot = highest.units.entry((who.to_owned(), key.unit)).or_default();
                    *slot = rate.rate.max(*slot);
                }
            }
            let tiers = price.tiers.values();
            let all = std::iter::once(&price.rates)
                .chain(price.above.iter().map(|a| &a.rates))
                .chain(tiers.flat_map(|t| std::iter::once(&t.rates).chain(t.above.iter().map(|a| &a.rates))));
            let Worst {
                by_provider, of_all, ..
            } = &mut highest;
            for rates in all {
                for sum in [by_provider.entry(provider.to_owned()).or_default(), &mut *of_all] {
                    rates
                        .iter()
                        .for_each(|(b, r)| sum.set(b, sum.get(b).map_or(r, |s| s.max(r))));
                }
            }
        }
        highest
    }

    /// The highest rates of the provider's entries, or of all when it has none, on these tokens.
    pub(super) fn case(&self, event: &UsageEvent) -> Decimal {
        let provider = provider_key(event.provider().as_str());
        let rates = self.by_provider.get(&provider).unwrap_or(&self.of_all);
        let mut sum = worst_sum(rates, &event.tokens);
        if !event.extras.is_empty() {
            for (key, amount) in Extras::of(event.extras).units() {
                let of = |who: &str| self.units.get(&(who.to_owned(), key.unit)).copied();
                let rate = of(&provider).or_else(|| of("")).unwrap_or_default();
                sum = sum.and_then(|sum| add_exact(sum, mul_exact(*amount, rate).ok()?).ok());
            }
        }
        sum.unwrap_or(Decimal::MAX)
    }
}

/// A bucket that no entry has a rate for is taken at the highest one of its kind: prompt or answer, text or anything.
fn worst_sum(rates: &Rates, tokens: &Tokens) -> Option<Decimal> {
    let highest = |wanted: &dyn Fn(Bucket) -> bool| {
        let of = Bucket::ALL.into_iter().filter(|b| wanted(*b));
        of.filter_map(|b| rates.get(b)).max().unwrap_or_default()
    };
    let text_in = highest(&|b| !b.is_output() && Bucket::TEXT.contains(&b));
    let mut sum = Decimal::ZERO;
    for (bucket, count) in tokens.iter().filter(|(_, count)| *count > 0) {
        let rate = rates.get(bucket).unwrap_or_else(|| {
            if bucket.is_output() {
                highest(&Bucket::is_output)
            } else if Bucket::TEXT.contains(&bucket) {
                text_in
            } else {
                highest(&|b| !b.is_output())
            }
        });
        let rate = mul_exact(rate, Decimal::new(1, 6)).ok()?;
        sum = add_exact(sum, mul_exact(Decimal::from(count), rate).ok()?).ok()?;
    }
    Some(sum.normalize())
}
