//! All amounts of a price by name: what two versions of a book are compared by.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::book::{Above, Book, Entry, Hours, NameMap, Price, Rates, Tier};
use super::units::UnitRate;
use crate::domain::money::mul_fine;
use crate::domain::usage::{Bucket, UnitKey};

/// Amounts by what they are of: `input_uncached`, `batch output`, `> 200000 output`, `web_search`, `22:00-06:00 input_uncached`.
pub type Parts = BTreeMap<String, Decimal>;

impl Entry {
    /// All amounts that hold on a day, those of some hours behind these hours.
    #[must_use]
    pub fn parts_on(&self, day: chrono::NaiveDate) -> Parts {
        self.parts_by(day, Price::parts)
    }

    /// The same as what calls pay that name no place: one book has a factor for these, another has it in its rates.
    #[must_use]
    pub fn paid_on(&self, day: chrono::NaiveDate) -> Parts {
        self.parts_by(day, |price| price.without_place().parts())
    }

    fn parts_by(&self, day: chrono::NaiveDate, parts_of: impl Fn(&Price) -> Parts) -> Parts {
        let mut parts = Parts::new();
        for price in self.all_on(day) {
            let hours = price.hours.as_ref().map(named).unwrap_or_default();
            for (name, amount) in parts_of(price) {
                parts.entry(format!("{hours}{name}")).or_insert(amount);
            }
        }
        parts
    }

    /// The days on which a price begins or ends.
    pub fn turns(&self) -> impl Iterator<Item = chrono::NaiveDate> + '_ {
        self.prices.iter().flat_map(|p| [p.from, p.to]).flatten()
    }
}

impl Book {
    /// The owner's names, the first that holds before the others.
    #[must_use]
    pub fn maps(&self) -> &[NameMap] {
        &self.maps
    }
}

fn named(hours: &Hours) -> String {
    // A zone is told where it is not the usual one.
    let of = |zone: Tz, usual: Tz| match zone == usual {
        true => String::new(),
        false => format!(" {}", zone.name()),
    };
    let days: String = hours.weekdays.iter().map(ToString::to_string).collect();
    let on = if days.is_empty() {
        String::new()
    } else {
        format!(" on {days}{}", of(hours.weekday_zone, hours.zone))
    };
    let (from, to) = (hours.from.format("%H:%M"), hours.to.format("%H:%M"));
    format!("{from}-{to}{}{on} ", of(hours.zone, Tz::UTC))
}

impl Price {
    /// The price with the factor of calls that name no place in its rates.
    fn without_place(&self) -> Price {
        let mut price = self.clone();
        let Some(factor) = price.geographies.remove("") else {
            return price;
        };
        scale_rates(&mut price.rates, &mut price.above, &mut price.units, factor);
        for tier in price.tiers.values_mut() {
            scale_rates(&mut tier.rates, &mut tier.above, &mut tier.units, factor);
        }
        price
    }

    /// All amounts of the price; of a tier those that its calls pay, whether it has them itself or by a factor.
    #[must_use]
    pub fn parts(&self) -> Parts {
        let mut parts = Parts::new();
        put_rates(&mut parts, "", &self.rates);
        for above in &self.above {
            put_rates(&mut parts, &size(above), &above.rates);
        }
        put_units(&mut parts, "", &self.units);
        for (name, tier) in &self.tiers {
            put_tier(&mut parts, name, tier, self);
        }
        for (of, factors) in [("speed", &self.speeds), ("geography", &self.geographies)] {
            for (name, factor) in factors {
                let name = if name.is_empty() { "(none)" } else { name };
                parts.insert(format!("{of} {name}"), *factor);
            }
        }
        let fees = &self.fees;
        let mut fee = |name: &str, amount: Option<Decimal>| {
            if let Some(amount) = amount {
                parts.insert(name.to_owned(), amount);
            }
        };
        fee("web_search", fees.web_search);
        for (size, amount) in &fees.search_context {
            fee(&format!("web_search {}", size.name()), Some(*amount));
        }
        if let Some(free) = &fees.free_searches {
            fee("free searches", Some(free.count.into()));
            let terms = format!("free searches a {}, shared by {}", free.per.name(), free.group);
            fee(&terms, Some(Decimal::ONE));
        }
        fee("file_search", fees.file_search);
        fee("code_execution", fees.code_execution);
        fee("request", fees.request);
        fee("minimum", self.minimum);
        fee("audio as text", self.audio_as_text.then_some(Decimal::ONE));
        parts
    }
}

fn size(above: &Above) -> String {
    format!("{} {} ", if above.inclusive { "≥" } else { ">" }, above.prompt)
}

fn put_rates(parts: &mut Parts, of: &str, rates: &Rates) {
    for (bucket, rate) in rates.iter() {
        parts.insert(format!("{of}{}", bucket.name()), rate);
    }
    if let Some(rate) = rates.reasoning {
        parts.insert(format!("{of}reasoning"), rate);
    }
}

fn put_units(parts: &mut Parts, of: &str, units: &BTreeMap<UnitKey, UnitRate>) {
    for (key, unit) in units {
        parts.insert(format!("{of}{key}"), unit.rate);
        for (name, amount) in [("least", unit.least), ("step", unit.step)] {
            if !amount.is_zero() {
                parts.insert(format!("{of}{key} {name}"), amount);
            }
        }
    }
}

fn put_tier(parts: &mut Parts, name: &str, tier: &Tier, price: &Price) {
    parts.insert(format!("{name} tier"), Decimal::ONE);
    put_rates(
        parts,
        &format!("{name} "),
        &paid(&tier.rates, &price.rates, tier.factor),
    );
    let levels = price.above.iter().chain(&tier.above);
    for level in levels {
        let at = |list: &[Above]| list.iter().find(|a| a.prompt == level.prompt).map(|a| a.rates);
        let (own, standard) = (at(&tier.above), at(&price.above));
        let rates = paid(&own.unwrap_or_default(), &standard.unwrap_or_default(), tier.factor);
        put_rates(parts, &format!("{name} {}", size(level)), &rates);
    }
    put_units(parts, &format!("{name} "), &tier.units);
}

fn scale_rates(rates: &mut Rates, above: &mut [Above], units: &mut BTreeMap<UnitKey, UnitRate>, factor: Decimal) {
    for rates in std::iter::once(rates).chain(above.iter_mut().map(|a| &mut a.rates)) {
        *rates = paid(&Rates::default(), rates, Some(factor));
    }
    for unit in units.values_mut() {
        unit.rate = mul_fine(unit.rate, factor).unwrap_or(unit.rate);
    }
}

/// A tier's own rates, and its factor on those that it has not.
fn paid(own: &Rates, standard: &Rates, factor: Option<Decimal>) -> Rates {
    let by_factor = |rate: Option<Decimal>| mul_fine(rate?, factor?).ok().map(|rate| rate.normalize());
    let mut rates = Rates::default();
    rates.reasoning = own.reasoning.or_else(|| by_factor(standard.reasoning));
    for bucket in Bucket::ALL {
        if let Some(rate) = own.get(bucket).or_else(|| by_factor(standard.get(bucket))) {
            rates.set(bucket, rate);
        }
    }
    rates
}
