//! OpenAI's costs: what a line item says of the model, the tier and the kind of token, and how much of it was charged.

use chrono::{DateTime, Utc};

use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::money::Currency;
use crate::domain::price::tier_key;
use crate::domain::spend::TokenSums;
use crate::domain::usage::Bucket as TokenKind;

use super::super::bills::BillRow;
use super::super::focus_tokens;
use super::super::line::{Context, Fault};
use super::openai::Row;

pub(super) fn cost(row: &Row<'_>, at: DateTime<Utc>, context: &mut Context) -> Result<BillRow, Fault> {
    let amount = row.amount.as_ref().ok_or_else(|| Fault::field("amount", "missing"))?;
    let value = amount
        .value
        .map(|raw| raw.get().trim_matches('"'))
        .ok_or_else(|| Fault::field("amount.value", "missing"))?;
    let value = context
        .amount(value)
        .map_err(|e| Fault::field("amount.value", e.to_string()))?;
    let currency: Currency = amount
        .currency
        .str()
        .to_ascii_uppercase()
        .parse()
        .map_err(|_| Fault::field("amount.currency", "not a currency code of three letters"))?;
    let mut dimensions = Dimensions::default();
    let item = Item::of(context.label(&row.line_item, "line_item")?.as_str());
    let model = context.labels.get(&item.model);
    for (dimension, label) in [
        (Dimension::Provider, context.labels.get("openai")),
        (Dimension::Model, model),
        (Dimension::Tier, context.labels.get(&item.tier)),
        (Dimension::Service, context.labels.get("OpenAI API")),
        (Dimension::Category, context.labels.get("Usage")),
        (Dimension::Project, context.label(&row.project_id, "project_id")?),
        (Dimension::User, context.label(&row.user_id, "user_id")?),
    ] {
        dimensions.set(dimension, label);
    }
    Ok(BillRow {
        tokens: tokens(row, &item),
        at,
        currency,
        dimensions,
        billed: value,
        effective: value,
    })
}

/// A line item, such as `gpt-5-2025-08-07, input_tokens`, `priority | gpt-5-2025-08-07, output, long context` or
/// `gpt-audio-mini-2025-12-15 audio, cached input`.
#[derive(Default)]
struct Item<'a> {
    tier: String,
    /// As usage names it; empty where what is charged is of no model.
    model: String,
    /// What of text, audio and images is charged, where it says so.
    medium: &'a str,
    /// What is charged, with all that is said of it.
    kind: &'a str,
}

impl<'a> Item<'a> {
    fn of(text: &'a str) -> Self {
        let (tier, rest) = text.split_once(" | ").unwrap_or(("", text));
        let Some((name, kind)) = rest.split_once(", ") else {
            return Item {
                kind: text,
                ..Item::default()
            };
        };
        let (name, medium) = name
            .rsplit_once(' ')
            .filter(|(_, word)| matches!(*word, "audio" | "text" | "image"))
            .unwrap_or((name, ""));
        // Models that were tuned are called otherwise where they are used.
        let model = match name.strip_prefix("ft-") {
            Some(base) => format!("ft:{base}"),
            None => name.to_owned(),
        };
        Item {
            tier: match tier {
                "" => String::new(),
                tier => tier_key(tier),
            },
            model,
            medium,
            kind,
        }
    }

    /// The kind of token. What OpenAI writes to a cache stays for half an hour unless the item says otherwise; what is read from one counts
    /// together, whatever it is.
    fn bucket(&self) -> Option<TokenKind> {
        let bucket = focus_tokens::bucket(self.kind)?;
        if bucket == TokenKind::CacheWrite5m && !self.kind.contains("5m") {
            return Some(TokenKind::CacheWrite30m);
        }
        if !self.medium.is_empty() && [TokenKind::InputUncached, TokenKind::Output].contains(&bucket) {
            return focus_tokens::bucket(&format!("{} {}", self.medium, self.kind));
        }
        Some(bucket)
    }
}

/// The tokens that a line item counts, in the unit that is told; a quantity without one is of tokens where the item is.
fn tokens(row: &Row<'_>, item: &Item<'_>) -> TokenSums {
    let mut sums = TokenSums::default();
    let scale = match row.quantity_unit.str() {
        "tokens" => 1,
        "" if item.kind.contains("token") => 1,
        "1000_tokens" => 1_000,
        _ => return sums,
    };
    let quantity = row.quantity.map_or("", |raw| raw.get().trim_matches('"'));
    let count = focus_tokens::count(quantity, scale).ok().filter(|count| *count > 0);
    if let (Some(count), Some(bucket)) = (count, item.bucket()) {
        sums.set(bucket, count);
    }
    sums
}
