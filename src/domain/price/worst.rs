//! What a call without a price costs at most.

use rust_decimal::{Decimal, RoundingStrategy};
use rustc_hash::FxHashMap;

use super::book::{Book, Price, Rates, Tier};
use super::card::RATE_SCALE;
use super::place::names_a_place;
use super::provider::provider_key;
use super::units::UnitRate;
use crate::domain::charge::MOST;
use crate::domain::label::Label;
use crate::domain::money::{FINEST, add_most, bounded, mul_bounded, mul_exact, mul_fine};
use crate::domain::usage::{Bucket, Extras, Tokens, Unit, UsageEvent};

/// Tiers that cost less than the standard one: of the factors of others they say nothing.
const LESS: [&str; 2] = ["batch", "flex"];

/// The highest rates of the books.
#[derive(Debug, Default)]
pub(super) struct Worst {
    by_provider: FxHashMap<String, Highest>,
    of_all: Highest,
    /// The rates of a unit by provider; the empty provider is any.
    units: FxHashMap<(String, Unit), Vec<UnitRate>>,
}

/// What is highest among the entries of a provider, or of all.
#[derive(Clone, Debug, Default)]
struct Highest {
    rates: Rates,
    /// Per thousand: web searches, file searches, code executions, calls.
    fees: [Decimal; 4],
    /// On the token cost, where a call names a tier, one of those that cost less, a speed, a place, and where it names no place.
    tier: Decimal,
    less: Decimal,
    speed: Decimal,
    place: Decimal,
    no_place: Decimal,
    /// What a call costs at least.
    minimum: Decimal,
}

impl Highest {
    fn take(&mut self, price: &Price) {
        let tiers = price.tiers.values();
        let all = std::iter::once(&price.rates)
            .chain(price.above.iter().map(|a| &a.rates))
            .chain(tiers.flat_map(|t| std::iter::once(&t.rates).chain(t.above.iter().map(|a| &a.rates))));
        // What a model has no rate of its own for and pays as its input, on its card.
        let text = [Bucket::CacheRead, Bucket::ImageIn, Bucket::VideoIn].into_iter();
        let as_input: Vec<Bucket> = text
            .chain(price.audio_as_text.then_some(Bucket::AudioIn))
            .filter(|b| price.rates.get(*b).is_none())
            .collect();
        for rates in all {
            let input = rates.get(Bucket::InputUncached);
            let paid_as_input = as_input.iter().filter(|b| rates.get(**b).is_none());
            let more = paid_as_input.filter_map(|b| Some((*b, input?)));
            for (bucket, rate) in rates.iter().chain(more) {
                let known = self.rates.get(bucket);
                self.rates.set(bucket, known.map_or(rate, |known| known.max(rate)));
            }
            self.rates.reasoning = self.rates.reasoning.max(rates.reasoning);
        }
        let fees = &price.fees;
        let search = fees.search_context.values().copied().chain(fees.web_search).max();
        let given = [search, fees.file_search, fees.code_execution, fees.request];
        for (slot, fee) in self.fees.iter_mut().zip(given) {
            *slot = fee.unwrap_or_default().max(*slot);
        }
        self.minimum = self.minimum.max(price.minimum.unwrap_or_default());
        let places = &price.geographies;
        let bare = places.get("").copied();
        let less = price.tiers.iter().filter(|(name, _)| LESS.contains(&name.as_str()));
        for (slot, factor) in [
            (&mut self.less, less.filter_map(|(_, t): (_, &Tier)| t.factor).max()),
            (&mut self.tier, price.tiers.values().filter_map(|t| t.factor).max()),
            (&mut self.speed, price.speeds.values().copied().max()),
            (&mut self.place, places.values().copied().max()),
            (&mut self.no_place, bare),
        ] {
            *slot = factor.unwrap_or(Decimal::ONE).max(*slot).max(Decimal::ONE);
        }
    }

    /// What the token cost is multiplied with at most.
    fn factor(&self, event: &UsageEvent) -> Option<Decimal> {
        let given = |name: Label| !matches!(name.as_str(), "" | "standard" | "default");
        let less = LESS.contains(&event.tier().as_str());
        let placed = !event.geo.is_empty() || names_a_place(event.model().as_str());
        let factors = [
            (given(event.tier()) && !less, self.tier),
            (less, self.less),
            (given(event.speed), self.speed),
            (placed, self.place),
            (!placed, self.no_place),
        ];
        let due = factors
            .into_iter()
            .filter(|(due, factor)| *due && *factor > Decimal::ONE);
        due.map(|(_, factor)| factor)
            .try_fold(Decimal::ONE, |all, one| mul_fine(all, one).ok())
    }
}

impl Worst {
    pub(super) fn of(books: &[Book]) -> Self {
        let mut highest = Worst::default();
        for (provider, entry) in books.iter().flat_map(Book::entries) {
            // Whichever of its prices held: what ended, or is to come, may be what such a call pays.
            for price in &entry.prices {
                let units = price.tiers.values().flat_map(|t| &t.units).chain(&price.units);
                for (key, rate) in units {
                    for who in [provider, ""] {
                        let rates = highest.units.entry((who.to_owned(), key.unit)).or_default();
                        if !rates.contains(rate) {
                            rates.push(*rate);
                        }
                    }
                }
                highest.by_provider.entry(provider.to_owned()).or_default().take(price);
                highest.of_all.take(price);
            }
        }
        highest
    }

    /// The highest rates, fees and factors of the provider's entries, or of all when it has none, on this call; what its record says that it
    /// cost, where that is more, as of a call without tokens.
    pub(super) fn case(&self, event: &UsageEvent) -> Decimal {
        let provider = provider_key(event.provider().as_str());
        let own = self.by_provider.get(&provider).unwrap_or(&self.of_all);
        let most = self.most(own, &provider, event).unwrap_or(MOST);
        let reported = event.reported_cost.unwrap_or_default();
        most.max(bounded(own.minimum)).max(bounded(reported))
    }

    fn most(&self, own: &Highest, provider: &str, event: &UsageEvent) -> Option<Decimal> {
        let factor = own.factor(event)?;
        let mut sum = self.tokens(&own.rates, factor, &event.tokens)?;
        if !event.extras.is_empty() {
            for (key, amount) in Extras::of(event.extras).units() {
                let of = |who: &str| {
                    let rates = self.units.get(&(who.to_owned(), key.unit))?;
                    let costs = rates.iter().map(|r| mul_bounded(r.billed(*amount)?, r.rate));
                    costs.collect::<Result<Vec<_>, _>>().ok()?.into_iter().max()
                };
                let own = of(provider).filter(|most| !most.is_zero());
                let most = own.or_else(|| of("")).unwrap_or_default();
                sum = add_most(sum, mul_bounded(most, factor).ok()?).ok()?;
            }
        }
        let requests = &event.requests;
        let counts = [
            requests.web_searches,
            requests.file_searches,
            requests.code_executions,
            1,
        ];
        for (n, (count, fee)) in counts.into_iter().zip(own.fees).enumerate() {
            // A provider without such a fee may have one for this; a fee for the call itself is rare.
            let any = self.of_all.fees.get(n).copied().unwrap_or_default();
            let fee = if fee.is_zero() && n < 3 { any } else { fee };
            if count > 0 && !fee.is_zero() {
                let one = mul_exact(up(fee, FINEST - 3), Decimal::new(1, 3)).ok()?;
                sum = add_most(sum, mul_bounded(Decimal::from(count), one).ok()?).ok()?;
            }
        }
        Some(sum.normalize())
    }

    /// A bucket that no entry of the provider has a rate for is taken at its highest one of the kind: prompt or answer, text or
    /// anything. What has none of that either costs what is highest anywhere: nothing is not known to be free.
    fn tokens(&self, own: &Rates, factor: Decimal, tokens: &Tokens) -> Option<Decimal> {
        let mut sum = Decimal::ZERO;
        for (bucket, count) in tokens.iter().filter(|(_, count)| *count > 0) {
            let known = most(own, bucket).filter(|_| Bucket::TEXT.contains(&bucket) || own.get(bucket).is_some());
            let of = if known.is_some() { own } else { &self.of_all.rates };
            let rate = most(of, bucket).unwrap_or_default();
            // A part of the output, which may be dearer.
            let thought = if bucket == Bucket::Output {
                tokens.reasoning.min(count)
            } else {
                0
            };
            let of_thoughts = of.reasoning.unwrap_or_default().max(rate);
            for (count, rate) in [(count - thought, rate), (thought, of_thoughts)] {
                let rate = up(mul_fine(rate, factor).ok()?, RATE_SCALE);
                let one = mul_exact(rate, Decimal::new(1, 6)).ok()?;
                sum = add_most(sum, mul_bounded(Decimal::from(count), one).ok()?).ok()?;
            }
        }
        Some(sum.normalize())
    }
}

/// A rate to as many digits as entries round it to, and never below it.
fn up(rate: Decimal, digits: u32) -> Decimal {
    rate.round_dp_with_strategy(digits, RoundingStrategy::AwayFromZero)
}

/// The highest rate of a bucket, or of its kind where it has none; nothing where all are zero.
fn most(rates: &Rates, bucket: Bucket) -> Option<Decimal> {
    let positive = |rate: &Decimal| *rate > Decimal::ZERO;
    let of = |wanted: &dyn Fn(Bucket) -> bool| {
        let of = Bucket::ALL.into_iter().filter(|b| wanted(*b));
        of.filter_map(|b| rates.get(b)).filter(positive).max()
    };
    let own = rates.get(bucket).filter(positive);
    own.or_else(|| match (bucket.is_output(), Bucket::TEXT.contains(&bucket)) {
        (true, _) => of(&Bucket::is_output),
        (false, true) => of(&|b| !b.is_output() && Bucket::TEXT.contains(&b)),
        (false, false) => of(&|b| !b.is_output()),
    })
}
