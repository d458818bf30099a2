//! The receipt of one call: lines that add up exactly to its charge.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime};
use rust_decimal::Decimal;

use super::book::Allowance;
use super::books::{Books, SearchTerms};
use super::card::{Prepared, Rated, effective};
use super::plan::{Chosen, Plan, unpriced};
use super::units::search_fee;
use crate::domain::charge::{Charge, UnpricedReason};
use crate::domain::money::{MoneyError, add_exact, bounded, mul_bounded, mul_exact, mul_fine};
use crate::domain::usage::{Bucket, Extras, UsageEvent};

/// One line: quantity × rate ÷ per × factor = amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptLine {
    /// The bucket's name, `reasoning`, a fee such as `web_search`, a unit such as `audio_in_second`, or `minimum`.
    pub what: String,
    /// Tokens, searches, or units such as seconds and pictures.
    pub quantity: Decimal,
    /// USD per `per`.
    pub rate: Decimal,
    /// 1,000,000 for tokens, 1,000 for fees, 1 for units.
    pub per: u32,
    /// Product of the factors that apply.
    pub factor: Decimal,
    /// USD, exact.
    pub amount: Decimal,
    /// Which rate of the entry it is: `standard`, `batch`, `prompt > 200000`, …
    pub rule: String,
}

/// A charge with its receipt.
#[derive(Clone, Debug, PartialEq)]
pub struct Quote {
    /// The charge, the same as [`Books::charge`] gives.
    pub charge: Charge,
    /// Lines; empty when unpriced.
    pub lines: Vec<ReceiptLine>,
    /// The book's name.
    pub book: String,
    /// The book's version.
    pub version: String,
    /// The provider under which the entry stands.
    pub provider: String,
    /// The entry's key.
    pub entry: String,
    /// First day of the price, empty when the book gives none.
    pub valid_from: String,
    /// How the name led to the entry.
    pub matched_by: String,
    /// Factors on the token cost, in order.
    pub factors: Vec<(String, Decimal)>,
    /// Searches that cost nothing, which are taken off where calls are added up.
    pub allowance: Option<Allowance>,
    /// What else is to be known.
    pub notes: Vec<String>,
    /// Where the rates are published.
    pub source: String,
    /// As of when they were gathered.
    pub checked: String,
}

impl Books {
    /// What a call costs, with its receipt.
    #[must_use]
    pub fn quote(&self, event: &UsageEvent) -> Quote {
        self.quote_by(&self.plan(event), event)
    }

    /// What the same call costs at the prices of another day. The time of day and the weekday are those of the call: what
    /// differs by them has not changed.
    #[must_use]
    pub fn quote_as_of(&self, event: &UsageEvent, day: NaiveDate) -> Quote {
        self.quote_by(&self.plan_as_of(event, day), event)
    }

    fn plan_as_of(&self, event: &UsageEvent, day: NaiveDate) -> Arc<Plan> {
        let mut that_day = *event;
        that_day.at = day.and_time(NaiveTime::MIN).and_utc();
        self.plan(&that_day)
    }

    /// What web searches of calls like this one cost, where the book has a fee for them: at the prices of its day, or of another one.
    #[must_use]
    pub fn search_terms(&self, event: &UsageEvent, as_of: Option<NaiveDate>) -> Option<SearchTerms> {
        let plan = as_of.map_or_else(|| self.plan(event), |day| self.plan_as_of(event, day));
        let prepared = plan.choose(event.at).ok()?.prepared;
        // Sums do not tell how much each search read: rather too little is taken off than too much.
        let fees = &prepared.price_fees;
        let least = fees.search_context.values().copied().chain(fees.web_search).min()?;
        let rate = mul_bounded(least, Decimal::new(1, 3)).ok()?;
        Some(SearchTerms {
            rate,
            free: prepared.price_fees.free_searches.clone(),
        })
    }

    fn quote_by(&self, plan: &Plan, event: &UsageEvent) -> Quote {
        let charge = self.charge_with(plan, event);
        let chosen = plan.choose(event.at);
        let mut quote = blank(
            charge,
            chosen
                .as_ref()
                .map_or(&unpriced(UnpricedReason::UnknownModel), |c| c.plan),
        );
        if charge.is_priced()
            && let Ok(Chosen { segment, prepared, .. }) = chosen
        {
            quote.valid_from.clone_from(&segment.from);
            quote.factors.clone_from(&prepared.factors);
            quote.allowance.clone_from(&prepared.price_fees.free_searches);
            quote.notes.clone_from(&prepared.notes);
            if let Some(hours) = &segment.hours {
                quote.notes.push(format!(
                    "from {} to {} {}",
                    hours.from.format("%H:%M"),
                    hours.to.format("%H:%M"),
                    hours.zone.name()
                ));
            }
            if let Some(free) = prepared
                .price_fees
                .free_searches
                .as_ref()
                .filter(|_| event.requests.web_searches > 0)
            {
                quote.notes.push(format!(
                    "{} searches a {} are free, shared by `{}`: taken off where calls are added up, the earliest first",
                    free.count,
                    free.per.name(),
                    free.group
                ));
            }
            let executions = event.requests.code_executions;
            if executions > 0 && prepared.price_fees.code_execution == Some(Decimal::ZERO) {
                quote.notes.push(format!(
                    "{executions} code executions are not paid by their number: hours of machines beyond those that are free are in the provider's costs"
                ));
            }
            if prepared.by_unit && event.tokens.total() > 0 {
                quote
                    .notes
                    .push("tokens are not charged: the book has a price by unit only".to_owned());
            }
            if let Ok((_, without)) = prepared.unit_lines(event) {
                for key in without {
                    quote.notes.push(format!(
                        "{key} is not charged apart: the book prices this call by tokens"
                    ));
                }
            }
            if let Some(longest) = Extras::of(event.extras).longest_prompt {
                quote.notes.push(format!(
                    "the model was asked several times, with prompts of {longest} tokens at most, to the thousand: these are compared with thresholds"
                ));
            }
            if let Some(size) = Extras::of(event.extras).search_context
                && event.requests.web_searches > 0
                && !prepared.price_fees.search_context.contains_key(&size)
            {
                quote.notes.push(format!(
                    "the book has no fee of its own for the {} search context",
                    size.name()
                ));
            }
            // The charge has been computed from the same figures, so that no line can be out of range.
            quote.lines = lines(prepared, event).unwrap_or_default();
        } else if charge.is_priced() {
            "rule".clone_into(&mut quote.book);
            "rule: a report that holds no usage any more costs nothing".clone_into(&mut quote.matched_by);
        }
        quote
    }
}

fn blank(charge: Charge, plan: &Plan) -> Quote {
    Quote {
        charge,
        lines: Vec::new(),
        book: plan.book.clone(),
        version: plan.version.clone(),
        provider: plan.provider.clone(),
        entry: plan.entry.clone(),
        valid_from: String::new(),
        matched_by: plan.matched.clone(),
        factors: Vec::new(),
        allowance: None,
        notes: Vec::new(),
        source: plan.source.clone(),
        checked: plan.checked.clone(),
    }
}

fn lines(prepared: &Prepared, event: &UsageEvent) -> Result<Vec<ReceiptLine>, MoneyError> {
    let mut factor = Decimal::ONE;
    for (_, one) in &prepared.factors {
        factor = mul_fine(factor, *one)?;
    }
    let mut lines = Vec::new();
    let Some(card) = prepared.card(event.prompt_size()) else {
        return Ok(lines);
    };
    let mut add = |what: &str, quantity: u64, rated: &Rated| -> Result<(), MoneyError> {
        if quantity > 0 {
            let rate = mul_exact(effective(rated.list, factor)?, Decimal::new(1, 6))?;
            let amount = mul_exact(Decimal::from(quantity), rate)?.normalize();
            let (what, rule) = (what.to_owned(), rated.rule.clone());
            lines.push(ReceiptLine {
                what,
                quantity: Decimal::from(quantity),
                rate: rated.list.normalize(),
                per: 1_000_000,
                factor,
                amount,
                rule,
            });
        }
        Ok(())
    };
    // Where units are paid for alone, tokens are not.
    let paid = event.tokens.iter().zip(&card.buckets).filter(|_| !prepared.by_unit);
    for ((bucket, count), rated) in paid {
        let mut count = count;
        if bucket == Bucket::Output
            && let Some(reasoning) = &card.reasoning
        {
            let part = event.tokens.reasoning.min(count);
            count -= part;
            add("reasoning", part, reasoning)?;
        }
        if let Some(rated) = rated {
            add(bucket.name(), count, rated)?;
        }
    }
    let size = Extras::of(event.extras).search_context;
    for (fee, count) in prepared.fees(&event.requests) {
        let (mut rate, mut rule) = (fee.rate, "fee".to_owned());
        if fee.what == "web_search"
            && let (Some(size), Some((own, true))) = (size, search_fee(&prepared.price_fees, size))
        {
            (rate, rule) = (own.normalize(), format!("fee, {} search context", size.name()));
        }
        lines.push(ReceiptLine {
            what: fee.what.to_owned(),
            quantity: Decimal::from(count),
            rate,
            per: 1_000,
            factor: Decimal::ONE,
            amount: mul_exact(Decimal::from(count), mul_bounded(rate, Decimal::new(1, 3))?)?.normalize(),
            rule,
        });
    }
    let (units, _) = prepared.unit_lines(event)?;
    lines.extend(units);
    if let Some(least) = prepared.minimum.map(bounded) {
        let mut sum = Decimal::ZERO;
        for line in &lines {
            sum = add_exact(sum, line.amount)?;
        }
        if sum < least {
            let missing = add_exact(least, -sum)?.normalize();
            lines.push(ReceiptLine {
                what: "minimum".to_owned(),
                quantity: Decimal::ONE,
                rate: missing,
                per: 1,
                factor: Decimal::ONE,
                amount: missing,
                rule: format!("a call costs at least {}", least.normalize()),
            });
        }
    }
    Ok(lines)
}
