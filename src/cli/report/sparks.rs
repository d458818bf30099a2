//! The column of days in a report: a small bar for each, and what stands for those below zero.

use chrono::Days;
use rust_decimal::Decimal;

use crate::cli::text::{self, money};
use crate::domain::money::Money;
use crate::engine::report::{Report, Section};

/// The header of the column.
pub const BY_DAY: &str = "by day";

/// Neighbouring days summed, so that a long period fits.
pub fn narrowed(days: &[Decimal], bars: usize) -> Vec<Decimal> {
    let per_bar = days.len().div_ceil(bars).max(1);
    days.chunks(per_bar).map(|chunk| chunk.iter().sum()).collect()
}

/// What the mark in the column of days is, where there is one, and how far below zero the lowest day is.
pub fn below_zero(report: &Report, section: &Section, days: usize, unicode: bool) -> Option<String> {
    let mut rows = section.rows.iter().chain([&section.total]);
    if !rows.any(|row| row.daily.series(days).iter().any(|cost| *cost < Decimal::ZERO)) {
        return None;
    }
    let mark = text::below_zero(unicode);
    let all = section.total.daily.series(days).into_iter().enumerate();
    let lowest = all
        .min_by_key(|(at, cost)| (*cost, *at))
        .filter(|(_, cost)| *cost < Decimal::ZERO);
    let lowest = lowest.map(|(at, cost)| {
        let first = report.query.period.start.with_timezone(&report.query.zone).date_naive();
        let day = first + Days::new(at as u64);
        format!(
            "; the lowest day is {day}: {}",
            money(Money::new(cost, section.currency))
        )
    });
    Some(format!(
        "{BY_DAY}: `{mark}` is below zero{}",
        lowest.unwrap_or_default()
    ))
}
