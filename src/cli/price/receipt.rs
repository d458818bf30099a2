//! A receipt as people and programs read it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{shown, table};
use crate::cli::text::Room;
use crate::domain::charge::Outcome;
use crate::domain::contract::{Agreed, Terms};
use crate::domain::money::MoneyError;
use crate::domain::price::Quote;
use crate::domain::usage::UsageEvent;

/// The columns of a receipt's lines.
pub const HEADER: [&str; 7] = ["what", "quantity", "usd_rate", "per", "factor", "usd_amount", "rule"];

/// The lines as cells.
#[must_use]
pub fn rows(quote: &Quote) -> Vec<Vec<String>> {
    let row = |l: &crate::domain::price::ReceiptLine| {
        vec![
            l.what.clone(),
            l.quantity.to_string(),
            l.rate.to_string(),
            l.per.to_string(),
            l.factor.normalize().to_string(),
            l.amount.to_string(),
            l.rule.clone(),
        ]
    };
    quote.lines.iter().map(row).collect()
}

/// The whole receipt: lines, total, book, entry, what else is to be known.
#[must_use]
pub fn text(quote: &Quote) -> String {
    if let Outcome::Unpriced(reason) = quote.charge.outcome {
        let worst = quote.charge.worst_case.normalize();
        return format!("unpriced: {reason}; at most {worst} USD by the provider's highest rates\n");
    }
    let mut rows = rows(quote);
    let total = quote.charge.cost.normalize().to_string();
    let blank = String::new;
    rows.push(vec![
        "total".to_owned(),
        blank(),
        blank(),
        blank(),
        blank(),
        total,
        "USD".to_owned(),
    ]);
    let mut text = table(&HEADER, &rows, Room::ANY);
    let since = if quote.valid_from.is_empty() {
        String::new()
    } else {
        format!(", valid from {}", quote.valid_from)
    };
    let _ = writeln!(
        text,
        "book     {}, entry {}/{}{since}",
        format!("{} {}", quote.book, quote.version).trim_end(),
        quote.provider,
        shown(&quote.entry)
    );
    let _ = writeln!(text, "matched  by {}", quote.matched_by);
    for (what, factor) in &quote.factors {
        let _ = writeln!(text, "factor   {} × {}", factor.normalize(), shown(what));
    }
    for note in &quote.notes {
        let _ = writeln!(text, "note     {}", shown(note));
    }
    if !quote.source.is_empty() {
        let _ = match quote.checked.as_str() {
            "" => writeln!(text, "source   {}", shown(&quote.source)),
            day => writeln!(text, "source   {} (figures as of {})", shown(&quote.source), shown(day)),
        };
    }
    text
}

/// What the account has agreed on this call.
pub fn agreed(terms: &Terms, event: &UsageEvent, quote: &Quote) -> Result<Agreed, MoneyError> {
    terms.agreed(&event.dimensions, event.at, quote.charge.cost)
}

/// The lines from list to effective cost; nothing where nothing is agreed.
#[must_use]
pub fn agreed_text(quote: &Quote, agreed: &Agreed) -> String {
    if agreed.lines.is_empty() || !quote.charge.is_priced() {
        return String::new();
    }
    let mut text = format!("list        {} USD\n", quote.charge.cost.normalize());
    for line in &agreed.lines {
        let sign = if line.amount.is_sign_negative() { "" } else { "+" };
        let _ = writeln!(
            text,
            "  {sign}{} USD  {}: {}",
            line.amount.normalize(),
            shown(&line.name),
            line.what
        );
    }
    let _ = writeln!(text, "contracted  {} USD", agreed.contracted.normalize());
    let _ = writeln!(text, "effective   {} USD", agreed.effective.normalize());
    text
}

/// The same for programs, added to a receipt.
pub fn add_agreed(document: &mut Value, quote: &Quote, agreed: &Agreed) {
    let Some(object) = document.as_object_mut().filter(|_| quote.charge.is_priced()) else {
        return;
    };
    let lines: Vec<Value> = agreed
        .lines
        .iter()
        .map(|l| json!({"name": l.name, "what": l.what, "amount_usd": l.amount.normalize().to_string()}))
        .collect();
    let amount = |d: rust_decimal::Decimal| Value::from(d.normalize().to_string());
    object.insert("list_cost_usd".to_owned(), amount(quote.charge.cost));
    object.insert("contract".to_owned(), lines.into());
    object.insert("contracted_cost_usd".to_owned(), amount(agreed.contracted));
    object.insert("effective_cost_usd".to_owned(), amount(agreed.effective));
}

/// The whole receipt for programs, without a schema version.
#[must_use]
pub fn document(quote: &Quote) -> Value {
    if let Outcome::Unpriced(reason) = quote.charge.outcome {
        return json!({
            "priced": false, "reason": reason, "text": reason.text(),
            "worst_case_usd": quote.charge.worst_case.normalize().to_string(),
        });
    }
    let lines: Vec<Value> = quote
        .lines
        .iter()
        .map(|l| {
            json!({
                "what": l.what, "quantity": number(l.quantity), "rate_usd": l.rate.to_string(), "per": l.per,
                "factor": l.factor.normalize().to_string(), "amount_usd": l.amount.to_string(), "rule": l.rule,
            })
        })
        .collect();
    let factors: Vec<Value> = quote
        .factors
        .iter()
        .map(|(what, f)| json!({"what": what, "factor": f.normalize().to_string()}))
        .collect();
    json!({
        "priced": true, "cost_usd": quote.charge.cost.normalize().to_string(),
        "receipt": lines, "factors": factors, "book": quote.book, "book_version": quote.version,
        "provider": quote.provider, "entry": quote.entry, "valid_from": none_if_empty(&quote.valid_from),
        "matched_by": quote.matched_by, "notes": quote.notes, "source": none_if_empty(&quote.source),
        "checked": none_if_empty(&quote.checked),
    })
}

/// A number as JSON writes it: whole where it is.
#[must_use]
pub fn number(quantity: rust_decimal::Decimal) -> Value {
    serde_json::from_str(&quantity.normalize().to_string()).unwrap_or_default()
}

fn none_if_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
