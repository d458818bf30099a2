//! The receipt of one call: lines that add up exactly to its charge.

use rust_decimal::Decimal;

use super::books::{Books, Plan};
use super::card::{Prepared, Rated};
use crate::domain::charge::Charge;
use crate::domain::money::{MoneyError, mul_exact};
use crate::domain::usage::{Bucket, UsageEvent};

/// One line: quantity × rate ÷ per × factor = amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptLine {
    /// The bucket's name, `reasoning` or `web_search`.
    pub what: String,
    /// Tokens or searches.
    pub quantity: u64,
    /// USD per `per`.
    pub rate: Decimal,
    /// 1,000,000 for tokens, 1,000 for searches.
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
        let charge = self.charge(event);
        let plan = self.plan(event);
        let mut quote = blank(charge, &plan);
        if charge.is_priced()
            && let Ok((segment, prepared)) = plan.at(event.at.date_naive(), event.at.time())
        {
            quote.valid_from.clone_from(&segment.from);
            quote.factors.clone_from(&prepared.factors);
            quote.notes.clone_from(&prepared.notes);
            if let Some(hours) = &segment.hours {
                quote.notes.push(format!(
                    "from {} to {} UTC",
                    hours.from.format("%H:%M"),
                    hours.to.format("%H:%M")
                ));
            }
            // The charge has been computed from the same figures, so that no line can be out of range.
            quote.lines = lines(prepared, event).unwrap_or_default();
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
        notes: Vec::new(),
        source: plan.source.clone(),
        checked: plan.checked.clone(),
    }
}

fn lines(prepared: &Prepared, event: &UsageEvent) -> Result<Vec<ReceiptLine>, MoneyError> {
    let mut factor = Decimal::ONE;
    for (_, one) in &prepared.factors {
        factor = mul_exact(factor, *one)?;
    }
    let mut lines = Vec::new();
    let Some(card) = prepared.card(event.prompt_size()) else {
        return Ok(lines);
    };
    let mut add = |what: &str, quantity: u64, rated: &Rated| -> Result<(), MoneyError> {
        if quantity > 0 {
            let rate = mul_exact(
                mul_exact(rated.list.normalize(), factor)?.normalize(),
                Decimal::new(1, 6),
            )?;
            let amount = mul_exact(Decimal::from(quantity), rate)?.normalize();
            let (what, rule) = (what.to_owned(), rated.rule.clone());
            lines.push(ReceiptLine {
                what,
                quantity,
                rate: rated.list.normalize(),
                per: 1_000_000,
                factor,
                amount,
                rule,
            });
        }
        Ok(())
    };
    for ((bucket, count), rated) in event.tokens.iter().zip(&card.buckets) {
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
    if let Some(rate) = prepared.web_search_1000
        && event.requests.web_searches > 0
    {
        let quantity = u64::from(event.requests.web_searches);
        lines.push(ReceiptLine {
            what: "web_search".to_owned(),
            quantity,
            rate: rate.normalize(),
            per: 1_000,
            factor: Decimal::ONE,
            amount: mul_exact(
                Decimal::from(quantity),
                mul_exact(rate.normalize(), Decimal::new(1, 3))?,
            )?
            .normalize(),
            rule: "fee".to_owned(),
        });
    }
    Ok(lines)
}
