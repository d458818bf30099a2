//! Reports over a fake ledger.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::*;
use crate::domain::charge::Charge;
use crate::domain::period::Hour;
use crate::domain::spend::{Bill, KnownBill, Restatement, SpendKey};
use crate::domain::usage::{EventId, UsageEvent};
use crate::ports::{Checkpoints, Pricer, Recharged, RecordBatch, Recorded, Retention};

/// Answers rows; everything else is empty.
pub struct Rows(pub Vec<(SpendKey, Sums)>);

impl Ledger for Rows {
    fn record(&mut self, _: &RecordBatch, _: &dyn Pricer, _: DateTime<Utc>) -> Result<Recorded, StoreError> {
        Ok(Recorded::default())
    }
    fn replace_bill(&mut self, _: &Bill, _: DateTime<Utc>) -> Result<Vec<Restatement>, StoreError> {
        Ok(Vec::new())
    }
    fn bills(&mut self) -> Result<Vec<KnownBill>, StoreError> {
        Ok(Vec::new())
    }
    fn checkpoints(&mut self, _: &str) -> Result<Checkpoints, StoreError> {
        Ok(HashMap::new())
    }
    fn spend(&mut self, period: Period, visit: &mut dyn FnMut(&SpendKey, &Sums)) -> Result<(), StoreError> {
        let rows = self.0.iter().filter(|(key, _)| period.contains(key.hour.start()));
        rows.for_each(|(key, sums)| visit(key, sums));
        Ok(())
    }
    fn span(&mut self) -> Result<Option<Period>, StoreError> {
        Ok(None)
    }
    fn event(&mut self, _: EventId) -> Result<Option<(UsageEvent, Charge)>, StoreError> {
        Ok(None)
    }
    fn events(
        &mut self,
        _: Period,
        _: &mut dyn FnMut(&UsageEvent, &Charge) -> std::ops::ControlFlow<()>,
    ) -> Result<(), StoreError> {
        Ok(())
    }
    fn recharge(&mut self, _: &[EventId], _: &dyn Pricer, _: DateTime<Utc>) -> Result<Recharged, StoreError> {
        Ok(Recharged::default())
    }
    fn restatements(&mut self) -> Result<Vec<Restatement>, StoreError> {
        Ok(Vec::new())
    }
    fn expire(&mut self, _: Retention, _: &BTreeSet<Hour>, _: DateTime<Utc>) -> Result<u64, StoreError> {
        Ok(0)
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn spend(hour: &str, model: &str, team: &str, cost: &str) -> (SpendKey, Sums) {
    let key = SpendKey {
        hour: Hour::of(at(hour)),
        basis: Basis::Metered,
        currency: Currency::USD,
        dimensions: Dimensions::default()
            .with(Dimension::Model, model)
            .with(Dimension::Team, team),
    };
    let sums = Sums {
        events: 1,
        cost: cost.parse().unwrap(),
        ..Sums::default()
    };
    (key, sums)
}

fn november(by: &str) -> ReportQuery {
    ReportQuery {
        is_late: false,
        by: by.split(',').map(|axis| axis.parse().unwrap()).collect(),
        period: Period::new(at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z")),
        previous: Period::new(at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z")),
        basis: Basis::Metered,
        filters: Vec::new(),
        top: None,
        zone: Tz::UTC,
        tokens: true,
    }
}

fn shown(rows: &[(SpendKey, Sums)], query: ReportQuery) -> String {
    let report = report(&mut Rows(rows.to_vec()), query).unwrap();
    let mut out = String::new();
    for section in &report.sections {
        for row in section.rows.iter().chain([&section.total]) {
            let key: Vec<String> = row.key.iter().map(ToString::to_string).collect();
            out += &format!(
                "{} {} {} before {}\n",
                section.currency,
                key.join("/"),
                row.sums.cost,
                row.previous.cost
            );
        }
    }
    out
}

fn sample() -> Vec<(SpendKey, Sums)> {
    vec![
        spend("2026-10-02T09:00:00Z", "opus", "search", "5"),
        spend("2026-10-31T23:00:00Z", "gone", "ads", "7"),
        spend("2026-11-02T09:00:00Z", "opus", "search", "2"),
        spend("2026-11-02T10:00:00Z", "haiku", "search", "1"),
        spend("2026-11-02T23:00:00Z", "opus", "ads", "4"),
        spend("2026-11-30T23:00:00Z", "mini", "", "0.5"),
        spend("2026-12-01T00:00:00Z", "opus", "ads", "100"),
    ]
}

#[test]
fn rows_are_sorted_by_time_then_cost_and_know_what_was_before() {
    insta::assert_snapshot!(shown(&sample(), november("model")), @r#"
    USD opus 6 before 5
    USD haiku 1 before 0
    USD mini 0.5 before 0
    USD  7.5 before 12
    "#);
    insta::assert_snapshot!(shown(&sample(), november("day,model")), @r#"
    USD 2026-11-02/opus 6 before 5
    USD 2026-11-02/haiku 1 before 0
    USD 2026-11-30/mini 0.5 before 0
    USD  7.5 before 12
    "#);
    insta::assert_snapshot!(shown(&sample(), november("week")), @r#"
    USD 2026-11-02 7 before 5
    USD 2026-11-30 0.5 before 7
    USD  7.5 before 12
    "#);
    insta::assert_snapshot!(shown(&sample(), november("hour")), @r#"
    USD 2026-11-02T09:00:00Z 2 before 5
    USD 2026-11-02T10:00:00Z 1 before 0
    USD 2026-11-02T23:00:00Z 4 before 0
    USD 2026-11-30T23:00:00Z 0.5 before 7
    USD  7.5 before 12
    "#);
}

#[test]
fn beyond_the_top_names_everything_is_other_per_day() {
    let query = ReportQuery {
        top: Some(1),
        ..november("day,model")
    };
    insta::assert_snapshot!(shown(&sample(), query), @r#"
    USD 2026-11-02/opus 6 before 5
    USD 2026-11-02/other 1 before 0
    USD 2026-11-30/other 0.5 before 7
    USD  7.5 before 12
    "#);
}

#[test]
fn what_was_before_adds_up_also_where_nothing_is_spent_now() {
    for by in ["model", "day,model", "hour", "week,team"] {
        for top in [None, Some(1)] {
            let query = ReportQuery { top, ..november(by) };
            let report = report(&mut Rows(sample()), query).unwrap();
            let [section] = report.sections.as_slice() else {
                panic!("one currency")
            };
            let rows = section.rows.iter().chain(&section.gone);
            let before: Decimal = rows.map(|row| row.previous.cost).sum();
            assert_eq!(before, section.total.previous.cost, "{by} {top:?}");
        }
    }
}

#[test]
fn filters_of_one_dimension_are_alternatives_and_of_two_are_conditions() {
    let filters = |texts: &[&str]| texts.iter().map(|text| Filter::parse(text).unwrap()).collect();
    let cost = |texts: &[&str]| {
        let query = ReportQuery {
            filters: filters(texts),
            ..november("model")
        };
        report(&mut Rows(sample()), query).unwrap().sections[0].total.sums.cost
    };
    assert_eq!(cost(&["team=search", "team=ads"]), Decimal::from(7));
    assert_eq!(cost(&["team=search", "model=op*"]), Decimal::from(2));
    assert_eq!(cost(&["team="]), Decimal::new(5, 1));
    assert_eq!(cost(&["team = search"]), cost(&["team=search"]));
    assert_eq!(cost(&["team= search"]), Decimal::ZERO);
    assert!(
        Filter::parse("teem=x")
            .unwrap_err()
            .contains("`teem` is none of provider")
    );
}

#[test]
fn currencies_and_bases_are_never_mixed() {
    let mut rows = sample();
    let (mut key, sums) = rows[2];
    key.currency = "EUR".parse().unwrap();
    rows.push((key, sums));
    key.basis = Basis::Billed;
    rows.push((key, sums));
    insta::assert_snapshot!(shown(&rows, november("team")), @r#"
    USD ads 4 before 7
    USD search 3 before 5
    USD  0.5 before 0
    USD  7.5 before 12
    EUR search 2 before 0
    EUR  2 before 0
    "#);
}

#[test]
fn days_are_those_of_the_zone() {
    let query = ReportQuery {
        zone: Tz::America__New_York,
        ..november("day")
    };
    let rows = [spend("2026-11-10T03:00:00Z", "m", "t", "1")];
    insta::assert_snapshot!(shown(&rows, query), @r#"
    USD 2026-11-09 1 before 0
    USD  1 before 0
    "#);
}

#[test]
fn a_day_is_compared_with_the_same_day_before_also_where_clocks_were_changed_in_between() {
    let berlin = |from: &str, to: &str, before: &str| ReportQuery {
        zone: Tz::Europe__Berlin,
        period: Period::new(at(from), at(to)),
        previous: Period::new(at(before), at(from)),
        ..november("day")
    };
    // Half past eleven in the evening of the 26th, and of the 10th when clocks were an hour ahead.
    let rows = [
        spend("2026-10-10T21:00:00Z", "m", "t", "1"),
        spend("2026-10-26T22:00:00Z", "m", "t", "2"),
        spend("2026-11-10T22:00:00Z", "m", "t", "4"),
        spend("2026-11-26T22:00:00Z", "m", "t", "8"),
    ];
    let month = berlin("2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z", "2026-09-30T22:00:00Z");
    insta::assert_snapshot!(shown(&rows, month), @r#"
    USD 2026-11-10 4 before 1
    USD 2026-11-26 8 before 2
    USD  12 before 3
    "#);
    // A week: the one of equal length before begins an hour late by the clocks.
    let rows = [
        spend("2026-10-26T22:00:00Z", "m", "t", "2"),
        spend("2026-11-02T22:00:00Z", "m", "t", "4"),
    ];
    let week = berlin("2026-10-31T23:00:00Z", "2026-11-07T23:00:00Z", "2026-10-24T23:00:00Z");
    insta::assert_snapshot!(shown(&rows, week), @r#"
    USD 2026-11-02 4 before 2
    USD  4 before 2
    "#);
}

#[test]
fn what_a_longer_month_had_at_its_end_is_in_the_last_span_of_this_one() {
    let query = |by: &str| ReportQuery {
        period: Period::new(at("2026-02-01T00:00:00Z"), at("2026-03-01T00:00:00Z")),
        previous: Period::new(at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z")),
        ..november(by)
    };
    let rows = [
        spend("2026-01-01T10:00:00Z", "m", "t", "1"),
        spend("2026-01-28T10:00:00Z", "m", "t", "2"),
        spend("2026-01-31T23:00:00Z", "m", "t", "4"),
        spend("2026-02-28T10:00:00Z", "m", "t", "8"),
    ];
    insta::assert_snapshot!(shown(&rows, query("month")), @r#"
    USD 2026-02-01 8 before 7
    USD  8 before 7
    "#);
    insta::assert_snapshot!(shown(&rows, query("day")), @r#"
    USD 2026-02-28 8 before 6
    USD  8 before 7
    "#);
}

#[test]
fn costs_by_day_are_the_same_in_whatever_order_they_come() {
    let ten = Decimal::TEN;
    let mut daily = Daily::default();
    for day in [3, 3, 1, 5, 1, 0] {
        daily.add(day, ten).unwrap();
    }
    let mut other = Daily::default();
    for day in [2, 5] {
        other.add(day, ten).unwrap();
    }
    daily.absorb(&other).unwrap();
    let series: Vec<u32> = [10, 20, 10, 20, 0, 20, 0].to_vec();
    let series: Vec<Decimal> = series.into_iter().map(Decimal::from).collect();
    assert_eq!(daily.series(7), series);
    assert_eq!(daily.series(2), [ten, ten + ten]);
}
