//! Reports for programs: JSON, JSON lines, CSV, Markdown.

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::shown_name;
use crate::cli::CliError;
use crate::cli::text;
use crate::domain::money::{Currency, Money};
use crate::domain::spend::{Basis, Sums};
use crate::domain::usage::Bucket;
use crate::engine::report::{Axis, Report, Row, Section};

/// An exact amount without trailing zeros.
pub fn exact(amount: Decimal) -> String {
    amount.normalize().to_string()
}

fn number(value: i128) -> Value {
    i64::try_from(value).map_or_else(|_| Value::String(value.to_string()), Value::from)
}

/// The keys of the amounts: `cost_usd` in dollars, `cost` beside `currency` in all else.
fn cost_key(currency: Currency, name: &str) -> String {
    if currency == Currency::USD {
        format!("{name}_usd")
    } else {
        name.to_owned()
    }
}

/// What is told of sums; of tokens nothing, and not that there are none, where they are not `told`.
fn measures(sums: &Sums, currency: Currency, told: bool) -> Vec<(String, Value)> {
    let mut out = vec![("events".to_owned(), Value::from(sums.events))];
    if told {
        for bucket in Bucket::ALL {
            out.push((format!("{}_tokens", bucket.name()), number(sums.tokens.get(bucket))));
        }
        out.push(("reasoning_tokens".to_owned(), number(sums.tokens.reasoning)));
    }
    let [web_searches, web_fetches, code_executions, file_searches] = sums.requests;
    for (name, value) in [
        ("web_searches", web_searches),
        ("web_fetches", web_fetches),
        ("code_executions", code_executions),
        ("file_searches", file_searches),
    ] {
        out.push((name.to_owned(), Value::from(value)));
    }
    out.push(("currency".to_owned(), Value::from(currency.code())));
    let amounts = [
        ("cost", sums.cost),
        ("reported_cost", sums.reported_cost),
        ("unpriced_worst_case", sums.unpriced_worst_case),
    ];
    out.extend(amounts.map(|(name, amount)| (cost_key(currency, name), Value::from(exact(amount)))));
    out.push(("unpriced_events".to_owned(), Value::from(sums.unpriced_events)));
    out.push(("unpriced_tokens".to_owned(), number(sums.unpriced_tokens)));
    out
}

fn object(by: &[Axis], row: &Row, section: &Section, tokens: bool) -> Value {
    let currency = section.currency;
    let mut object = Map::new();
    for (axis, value) in by.iter().zip(&row.key) {
        object.insert(axis.name().to_owned(), Value::from(section.value(value)));
    }
    object.extend(measures(&row.sums, currency, tokens));
    object.insert(
        cost_key(currency, "previous_cost"),
        Value::from(exact(row.previous.cost)),
    );
    Value::Object(object)
}

/// The rows, each an object; those of which something was only spent before come last, so that what was before adds up, too.
pub fn rows(report: &Report) -> impl Iterator<Item = Value> + '_ {
    report.sections.iter().flat_map(|section| {
        let rows = section.rows.iter().chain(&section.gone);
        rows.map(|row| object(&report.query.by, row, section, report.query.tokens))
    })
}

/// The whole report. Several currencies have a total each, in `totals`.
pub fn document(report: &Report) -> Value {
    let query = &report.query;
    let totals: Vec<Value> = report
        .sections
        .iter()
        .map(|s| object(&[], &s.total, s, query.tokens))
        .collect();
    let mut document = json!({
        "schema_version": 1,
        "basis": query.basis.name(),
        "by": query.by.iter().map(|axis| axis.name()).collect::<Vec<_>>(),
        "zone": query.zone.name(),
        "period": query.period,
        "previous_period": query.previous,
        "rows": rows(report).collect::<Vec<_>>(),
        "total": totals.first(),
    });
    if !report.compares
        && let Some(object) = document.as_object_mut()
    {
        object.insert("previous_known".to_owned(), Value::from(false));
    }
    if query.basis == Basis::BilledFilled
        && let Some(object) = document.as_object_mut()
    {
        object.insert("estimates".to_owned(), Value::from(report.estimates.clone()));
    }
    if !report.notes.is_empty()
        && let Some(object) = document.as_object_mut()
    {
        object.insert("notes".to_owned(), Value::from(report.notes.clone()));
    }
    if totals.len() > 1
        && let Some(object) = document.as_object_mut()
    {
        object.insert("totals".to_owned(), Value::from(totals));
    }
    document
}

/// Comma-separated values with a header. All currencies share the columns, so that amounts stand beside `currency`.
pub fn csv(report: &Report) -> Result<Vec<u8>, CliError> {
    let failed = |cause: csv::Error| CliError::incomplete(format!("cannot write the output: {cause}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    let only_dollars = report.sections.iter().all(|section| section.currency == Currency::USD);
    for (at, section) in report.sections.iter().enumerate() {
        if at == 0 {
            let names = measures(
                &Sums::default(),
                header_currency(section, only_dollars),
                report.query.tokens,
            );
            let by = report.query.by.iter().map(|axis| axis.name().to_owned());
            writer
                .write_record(by.chain(names.into_iter().map(|(name, _)| name)))
                .map_err(failed)?;
        }
        for row in &section.rows {
            let key = row.key.iter().map(|value| text::csv_cell(&section.value(value)));
            let values = measures(&row.sums, section.currency, report.query.tokens)
                .into_iter()
                .map(|(_, value)| plain(&value));
            writer.write_record(key.chain(values)).map_err(failed)?;
        }
    }
    writer
        .into_inner()
        .map_err(|cause| CliError::incomplete(format!("cannot write the output: {cause}")))
}

fn header_currency(section: &Section, only_dollars: bool) -> Currency {
    if only_dollars {
        return Currency::USD;
    }
    // Any currency but dollars has the neutral names; `XXX` is the ISO 4217 code of "no currency".
    if section.currency == Currency::USD {
        "XXX".parse().unwrap_or(section.currency)
    } else {
        section.currency
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A Markdown table with the figures that people read.
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    let by = &report.query.by;
    let mut header: Vec<String> = by.iter().map(|axis| axis.name().to_owned()).collect();
    let mut rule = vec!["---"; header.len()];
    let tokens = ["input", "cache read", "cache write", "output"];
    let tokens = tokens.into_iter().filter(|_| report.query.tokens);
    for name in [report.counted()].into_iter().chain(tokens).chain(["cost", "unpriced"]) {
        header.push(name.to_owned());
        rule.push("---:");
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    out.push_str(&line(&header));
    out.push_str(&format!("|{}|\n", rule.join("|")));
    for section in &report.sections {
        for row in &section.rows {
            let mut cells: Vec<String> = by
                .iter()
                .zip(&row.key)
                .map(|(axis, value)| escape(&shown_name(*axis, section, value)))
                .collect();
            cells.extend(figures(&row.sums, section.currency, report.query.tokens));
            out.push_str(&line(&cells));
        }
        let mut cells = vec![String::new(); by.len()];
        if let Some(first) = cells.first_mut() {
            *first = "**total**".to_owned();
        }
        cells.extend(figures(&section.total.sums, section.currency, report.query.tokens));
        out.push_str(&line(&cells));
    }
    for unpriced in report.sections.iter().filter_map(super::table::unpriced) {
        out.push_str(&format!("\n{}\n", escape(&unpriced)));
    }
    for note in &report.estimates {
        out.push_str(&format!("\nEstimate: {}\n", escape(&text::clean(note))));
    }
    for note in &report.notes {
        out.push_str(&format!("\nNote: {}\n", escape(&text::clean(note))));
    }
    out
}

fn figures(sums: &Sums, currency: Currency, told: bool) -> Vec<String> {
    let mut out = vec![text::count(sums.events)];
    if told {
        out.extend([
            text::tokens(sums.tokens.get(Bucket::InputUncached)),
            text::tokens(sums.tokens.get(Bucket::CacheRead)),
            text::tokens(super::table::cache_writes(sums)),
            text::tokens(sums.tokens.get(Bucket::Output)),
        ]);
    }
    // What is not known is not nothing.
    out.push(match sums.cost.is_zero() && sums.unpriced_events > 0 {
        true => "unpriced".to_owned(),
        false => text::money(Money::new(sums.cost, currency)),
    });
    out.push(text::count(sums.unpriced_events));
    out
}

/// A name without anything that Markdown or HTML would obey.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out
}
