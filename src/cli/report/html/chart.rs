//! Pictures of amounts as inline SVG. Their geometry is in whole thousandths, by exact division: it is a picture.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::{amount, escaped};
use crate::cli::report::table::days_until;
use crate::cli::text::money;
use crate::domain::money::Money;
use crate::engine::report::{Axis, AxisValue, Report, Row, Section};

/// Height of a picture, in its own units.
const FULL: u32 = 1000;

/// The smallest bar of something that is not nothing.
const VISIBLE: u32 = 12;

/// Width of a bar with its gap, and without.
const STEP: usize = 10;
const BAR: usize = 8;

/// Bars of a chart; more would be thinner than a line.
const MAX_BARS: usize = 400;

/// Thousandths of the whole, above 0 for everything that is not nothing.
fn thousandths(part: Decimal, whole: Decimal) -> u32 {
    if part <= Decimal::ZERO || whole <= Decimal::ZERO {
        return 0;
    }
    let scaled = (part * Decimal::from(FULL)).checked_div(whole).unwrap_or_default();
    u32::try_from(scaled.round().mantissa())
        .unwrap_or(FULL)
        .clamp(VISIBLE, FULL)
}

fn bars(values: &[Decimal], label: impl Fn(usize, Decimal) -> Option<String>) -> String {
    let most = values.iter().copied().max().unwrap_or_default();
    let mut out = String::new();
    for (at, value) in values.iter().enumerate() {
        let height = thousandths(*value, most);
        if height == 0 {
            continue;
        }
        let (x, y) = (at * STEP + 1, FULL - height);
        let title = label(at, *value).map_or_else(String::new, |text| format!("<title>{}</title>", escaped(&text)));
        out.push_str(&format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{BAR}\" height=\"{height}\">{title}</rect>"
        ));
    }
    out
}

/// A row's days as small bars. The figures stand beside it: for those who do not see it there is nothing to miss.
pub fn sparkline(row: &Row, days: usize) -> String {
    let values = row.daily.series(days);
    let width = values.len().max(1) * STEP;
    format!(
        "<svg viewBox=\"0 0 {width} {FULL}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{}</svg>",
        bars(&values, |_, _| None)
    )
}

/// A row's share of the total, as a number and a bar.
pub fn share(row: &Row, section: &Section) -> String {
    let total = section.total.sums.cost;
    if row.sums.cost <= Decimal::ZERO || total <= Decimal::ZERO {
        return String::new();
    }
    let percent = (row.sums.cost * Decimal::ONE_HUNDRED)
        .checked_div(total)
        .unwrap_or_default();
    let shown = match percent.round_dp(1) {
        p if p.is_zero() => "&lt;0.1".to_owned(),
        p => format!("{p:.1}"),
    };
    let width = thousandths(row.sums.cost, total);
    format!(
        "{shown} %<svg viewBox=\"0 0 {FULL} 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect width=\"{width}\" height=\"10\"></rect></svg>"
    )
}

/// What was spent when: a bar per day of the period, or per span of time that the report is by; with the same as a table. Those without
/// spend have their place, so that two pictures of one period show one course.
pub fn by_day(report: &Report, section: &Section, now: DateTime<Utc>) -> String {
    let (names, values, axis) = series(report, section, now);
    let what = axis.name();
    if values.len() < 2 || values.len() > MAX_BARS {
        return String::new();
    }
    let shown = |value: Decimal| money(Money::new(value, section.currency));
    let (at, most) = values
        .iter()
        .enumerate()
        .max_by_key(|(at, value)| (**value, std::cmp::Reverse(*at)))
        .map_or((0, Decimal::ZERO), |(at, value)| (at, *value));
    let name = |at: usize| names.get(at).map(String::as_str).unwrap_or_default();
    let width = values.len() * STEP;
    let when = match axis {
        Axis::Hour => format!("at {}", name(at)),
        Axis::Week => format!("in the week of {}", name(at)),
        Axis::Month => format!("in {}", name(at).get(..7).unwrap_or_default()),
        Axis::Day | Axis::Session | Axis::Of(_) => format!("on {}", name(at)),
    };
    let caption = format!("Spend by {what}; the highest is {} {when}", shown(most));
    let picture = bars(&values, |at, value| Some(format!("{}: {}", name(at), shown(value))));
    let rows: String = values
        .iter()
        .enumerate()
        .map(|(at, value)| {
            let name = escaped(name(at));
            format!(
                "<tr><th scope=\"row\" class=\"name\">{name}</th><td>{}</td></tr>\n",
                amount(*value, section)
            )
        })
        .collect();
    format!(
        "<figure>\n<figcaption>{caption}</figcaption>\n\
         <svg class=\"chart\" viewBox=\"0 0 {width} {FULL}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{caption}\">{picture}</svg>\n\
         <div class=\"axis\" aria-hidden=\"true\"><span>{}</span><span>{}</span></div>\n\
         <details><summary>As a table</summary>\n<table>\n<thead><tr><th scope=\"col\" class=\"name\">{}</th><th scope=\"col\">Cost</th></tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n</details>\n</figure>\n",
        escaped(name(0)),
        escaped(name(values.len().saturating_sub(1))),
        super::capitalised(what),
        caption = escaped(&caption),
    )
}

fn series(report: &Report, section: &Section, now: DateTime<Utc>) -> (Vec<String>, Vec<Decimal>, Axis) {
    let query = &report.query;
    if let Some((at, axis)) = query.by.iter().enumerate().find(|(_, axis)| axis.is_time()) {
        let period = match query.period.contains(now) {
            // The day, or hour, of now has begun.
            true => query.period.until(now + TimeDelta::nanoseconds(1)),
            false => query.period,
        };
        let all = axis.spans(period, query.zone, MAX_BARS + 1).into_iter();
        let mut spans: BTreeMap<AxisValue, Decimal> = all.map(|span| (span, Decimal::ZERO)).collect();
        for row in &section.rows {
            if let Some(value) = row.key.get(at) {
                // A picture: a sum that is too large to be added stays as it is.
                let slot = spans.entry(*value).or_default();
                *slot = slot.checked_add(row.sums.cost).unwrap_or(*slot);
            }
        }
        // Where there are too many, those that have something: the course of them is more than no picture.
        if spans.len() > MAX_BARS {
            spans.retain(|_, cost| !cost.is_zero());
        }
        let names = spans.keys().map(ToString::to_string).collect();
        return (names, spans.into_values().collect(), *axis);
    }
    let first: NaiveDate = query.period.start.with_timezone(&query.zone).date_naive();
    let days = days_until(report, now);
    let values = section.total.daily.series(days);
    let name = |at: usize| (first + Days::new(at as u64)).to_string();
    ((0..values.len()).map(name).collect(), values, Axis::Day)
}
