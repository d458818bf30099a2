//! Pictures of amounts as inline SVG. Their geometry is in whole thousandths, by exact division: it is a picture.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
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

/// What a part of a whole of the same sign takes of a length; visible if it is not nothing.
fn scaled(part: Decimal, whole: Decimal, length: u32) -> u32 {
    if part.is_zero() || whole.is_zero() {
        return 0;
    }
    let scaled = part.checked_mul(Decimal::from(length));
    let scaled = scaled.and_then(|scaled| scaled.checked_div(whole)).unwrap_or_default();
    u32::try_from(scaled.round().mantissa())
        .unwrap_or(length)
        .clamp(VISIBLE.min(length), length)
}

/// Bars on a line at zero; what is below zero, such as a credit, hangs from it.
fn bars(values: &[Decimal], label: impl Fn(usize, Decimal) -> Option<String>) -> String {
    let most = values.iter().copied().max().unwrap_or_default().max(Decimal::ZERO);
    let least = values.iter().copied().min().unwrap_or_default().min(Decimal::ZERO);
    let span = most.checked_sub(least).unwrap_or(most);
    let zero = match (most.is_zero(), least.is_zero()) {
        (_, true) => FULL,
        (true, false) => 0,
        (false, false) => scaled(most, span, FULL).min(FULL - VISIBLE),
    };
    let mut out = String::new();
    for (at, value) in values.iter().enumerate() {
        let (y, height, class) = match value.cmp(&Decimal::ZERO) {
            Ordering::Equal => continue,
            Ordering::Greater => {
                let height = scaled(*value, most, zero);
                (zero - height, height, "")
            }
            Ordering::Less => (zero, scaled(*value, least, FULL - zero), " class=\"below\""),
        };
        let x = at * STEP + 1;
        let title = label(at, *value).map_or_else(String::new, |text| format!("<title>{}</title>", escaped(&text)));
        out.push_str(&format!(
            "<rect{class} x=\"{x}\" y=\"{y}\" width=\"{BAR}\" height=\"{height}\">{title}</rect>"
        ));
    }
    if !least.is_zero() {
        let end = values.len() * STEP;
        out.push_str(&format!(
            "<line x1=\"0\" x2=\"{end}\" y1=\"{zero}\" y2=\"{zero}\"></line>"
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

/// A row's share of the total, as a number and a bar. With rows below zero the others are more than all of it: the bars are to one scale.
pub fn share(row: &Row, section: &Section) -> String {
    let total = section.total.sums.cost;
    if row.sums.cost.is_zero() || total <= Decimal::ZERO {
        return String::new();
    }
    let rows = section.rows.iter().map(|row| row.sums.cost.abs());
    let widest = rows.chain([total]).max().unwrap_or(total);
    let percent = (row.sums.cost * Decimal::ONE_HUNDRED)
        .checked_div(total)
        .unwrap_or_default();
    let shown = match percent.round_dp(1) {
        p if p.is_zero() && percent.is_sign_negative() => "&gt;-0.1".to_owned(),
        p if p.is_zero() => "&lt;0.1".to_owned(),
        p => format!("{p:.1}"),
    };
    let class = if percent.is_sign_negative() {
        " class=\"below\""
    } else {
        ""
    };
    let width = scaled(row.sums.cost.abs(), widest, FULL);
    format!(
        "{shown} %<svg viewBox=\"0 0 {FULL} 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect{class} width=\"{width}\" height=\"10\"></rect></svg>"
    )
}

/// What was spent when: a bar per day of the period (per month where these are too many), or per span of time that the report is by; with the same as a table. Those without
/// spend have their place, so that two pictures of one period show one course.
pub fn by_day(report: &Report, section: &Section, now: DateTime<Utc>) -> String {
    let (names, values, axis) = series(report, section, now);
    let what = axis.name();
    if values.len() < 2 || values.len() > MAX_BARS {
        return String::new();
    }
    let shown = |value: Decimal| money(Money::new(value, section.currency));
    let all = || values.iter().copied().enumerate();
    let highest = all()
        .max_by_key(|(at, value)| (*value, Reverse(*at)))
        .unwrap_or_default();
    let lowest = all().min_by_key(|(at, value)| (*value, *at)).unwrap_or_default();
    let name = |at: usize| names.get(at).map(String::as_str).unwrap_or_default();
    let width = values.len() * STEP;
    let when = |at: usize| match axis {
        Axis::Hour => format!("at {}", name(at)),
        Axis::Week => format!("in the week of {}", name(at)),
        Axis::Month => format!("in {}", name(at).get(..7).unwrap_or_default()),
        Axis::Day | Axis::Session | Axis::Of(_) => format!("on {}", name(at)),
    };
    let extreme = |what: &str, (at, value): (usize, Decimal)| format!("the {what} is {} {}", shown(value), when(at));
    let below = lowest.1 < Decimal::ZERO;
    let extremes = [
        (highest.1 > Decimal::ZERO || !below).then(|| extreme("highest", highest)),
        below.then(|| extreme("lowest", lowest)),
    ];
    let extremes: Vec<String> = extremes.into_iter().flatten().collect();
    let caption = format!("Spend by {what}; {}", extremes.join(", "));
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
    let day = |at: usize| first + Days::new(at as u64);
    if values.len() <= MAX_BARS {
        return (
            (0..values.len()).map(|at| day(at).to_string()).collect(),
            values,
            Axis::Day,
        );
    }
    // So many days are told by month.
    let mut months: BTreeMap<NaiveDate, Decimal> = BTreeMap::new();
    for (at, value) in values.iter().enumerate() {
        let month = day(at).with_day(1).unwrap_or(first);
        let slot = months.entry(month).or_default();
        *slot = slot.checked_add(*value).unwrap_or(*slot);
    }
    let names = months.keys().map(ToString::to_string).collect();
    (names, months.into_values().collect(), Axis::Month)
}
