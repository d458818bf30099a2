//! A budget of AWS: what it counts, of when, and as far as can be told what its filter leaves.

use aws_sdk_budgets::types::{
    Budget, BudgetType, Dimension, Expression, ExpressionDimensionValues, MatchOption, Spend,
};
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::domain::money::{Currency, parse_decimal};
use crate::domain::period::{Calendar, Period};
use crate::domain::signal::ProviderBudget;

/// What kinds of charges are called: what was used, and what is given back.
const USAGE: &str = "Usage";
/// See [`USAGE`].
const GIVEN_BACK: [&str; 2] = ["Credit", "Refund"];

/// The end of the name of an account's own view of its bill. Others hold a part of it, or what others are charged.
const OWN_VIEW: &str = "/primary";

/// A budget as AWS answers it at `now`. Cost budgets only: usage and coverage are no money.
pub fn read(budget: &Budget, account: &str, now: DateTime<Utc>) -> Option<ProviderBudget> {
    if budget.budget_type() != &BudgetType::Cost {
        return None;
    }
    let money = |spend: &Spend| -> Option<(Decimal, Currency)> {
        let currency: Currency = spend.unit().parse().ok()?;
        Some((parse_decimal(spend.amount()).ok()?, currency))
    };
    let (limit, currency) = budget.budget_limit().and_then(money)?;
    let calculated = budget.calculated_spend();
    let actual = calculated.and_then(|c| c.actual_spend()).and_then(money);
    let forecast = calculated.and_then(|c| c.forecasted_spend()).and_then(money);
    let about = about(budget);
    Some(ProviderBudget {
        name: budget.budget_name().to_owned(),
        account: account.to_owned(),
        limit,
        actual: actual.filter(|(_, unit)| *unit == currency).map(|(amount, _)| amount),
        forecast: forecast.map(|(amount, _)| amount),
        currency,
        period: period(budget, now, true),
        calendar: period(budget, now, false),
        changed_at: budget.last_updated_time().and_then(instant),
        services: about.services,
        filtered: about.filtered,
        gross: about.gross,
    })
}

fn instant(time: &aws_sdk_budgets::primitives::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.secs(), 0)
}

/// The part of its time that a budget counts now; of one that has not begun the first, of one that has ended the last. It may begin or end within
/// the calendar's.
fn period(budget: &Budget, now: DateTime<Utc>, within: bool) -> Option<Period> {
    let bounds = budget.time_period();
    let start = bounds.and_then(|bounds| bounds.start()).and_then(instant);
    let end = bounds.and_then(|bounds| bounds.end()).and_then(instant);
    let calendar = match budget.time_unit().as_str() {
        "DAILY" => Calendar::Day,
        "MONTHLY" => Calendar::Month,
        "QUARTERLY" => Calendar::Quarter,
        "ANNUALLY" => Calendar::Year,
        "CUSTOM" => return start.zip(end).map(|(start, end)| Period::new(start, end)),
        _ => return None,
    };
    let at = end.map_or(now, |end| now.min(end - TimeDelta::seconds(1)));
    let at = start.map_or(at, |start| at.max(start));
    let whole = calendar.around(at, chrono_tz::Tz::UTC);
    if !within {
        return Some(whole);
    }
    Some(Period::new(
        start.map_or(whole.start, |start| whole.start.max(start)),
        end.map_or(whole.end, |end| whole.end.min(end)),
    ))
}

/// What a budget is about.
#[derive(Debug, Default, PartialEq, Eq)]
struct About {
    /// The services that it is about; none for all.
    services: Vec<String>,
    /// Whether it is filtered by anything else than services and kinds of charges.
    filtered: bool,
    /// Whether it leaves out what is given back.
    gross: bool,
}

fn about(budget: &Budget) -> About {
    #[expect(deprecated, reason = "budgets made before filter expressions still carry these")]
    let (old, kinds) = (budget.cost_filters(), budget.cost_types());
    let view = budget.billing_view_arn();
    let mut about = About {
        services: old.and_then(|f| f.get("Service")).cloned().unwrap_or_default(),
        filtered: old.is_some_and(|f| f.keys().any(|key| key != "Service"))
            || view.is_some_and(|arn| !arn.ends_with(OWN_VIEW)),
        // Both are counted unless it says otherwise.
        gross: kinds.is_some_and(|kinds| [kinds.include_credit(), kinds.include_refund()] == [Some(false); 2]),
    };
    if let Some(expression) = budget.filter_expression() {
        let parts = match expression.and() {
            [] => std::slice::from_ref(expression),
            parts => parts,
        };
        let mut services = Vec::new();
        for part in parts {
            match (kinds_of(part), services_of(part)) {
                (Some(gross), _) => about.gross |= gross,
                (None, Some(named)) => services.push(named),
                (None, None) => about.filtered = true,
            }
        }
        // Several lists of services leave what is in all of them.
        match services.as_slice() {
            [] => {}
            [only] => about.services.clone_from(only),
            _ => about.filtered = true,
        }
    }
    about
}

/// The dimension that a part of a filter names, with values that have to be met exactly.
fn plain(part: &Expression) -> Option<&ExpressionDimensionValues> {
    let named = part.dimensions()?;
    let exact = named.match_options().iter().all(|how| *how == MatchOption::Equals);
    exact.then_some(named)
}

/// Of a part that is about kinds of charges and leaves usage: whether it leaves out what is given back.
fn kinds_of(part: &Expression) -> Option<bool> {
    let named = plain(part.not().unwrap_or(part)).filter(|named| named.key() == &Dimension::RecordType)?;
    let leaves = |kind: &str| named.values().iter().any(|value| value == kind) != part.not().is_some();
    leaves(USAGE).then(|| !GIVEN_BACK.into_iter().any(leaves))
}

/// The services that a part names, if it is about nothing else.
fn services_of(part: &Expression) -> Option<Vec<String>> {
    if !part.or().is_empty() {
        let named: Option<Vec<_>> = part.or().iter().map(services_of).collect();
        return named.map(|named| named.concat());
    }
    let named = plain(part).filter(|named| named.key() == &Dimension::Service)?;
    Some(named.values().to_vec())
}

#[cfg(test)]
mod tests {
    use aws_sdk_budgets::types::{CostTypes, TagValues, TimePeriod, TimeUnit};

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn budget() -> aws_sdk_budgets::types::builders::BudgetBuilder {
        let limit = Spend::builder().amount("100").unit("USD").build().unwrap();
        Budget::builder()
            .budget_name("b")
            .budget_type(BudgetType::Cost)
            .time_unit(TimeUnit::Monthly)
            .budget_limit(limit)
    }

    fn of(key: Dimension, values: &[&str]) -> Expression {
        let named = ExpressionDimensionValues::builder().key(key);
        let named = named.set_values(Some(values.iter().map(|v| (*v).to_owned()).collect()));
        Expression::builder().dimensions(named.build().unwrap()).build()
    }

    fn services(values: &[&str]) -> Expression {
        of(Dimension::Service, values)
    }

    fn kinds(values: &[&str]) -> Expression {
        of(Dimension::RecordType, values)
    }

    fn not(inner: Expression) -> Expression {
        Expression::builder().not(inner).build()
    }

    fn all(parts: Vec<Expression>) -> Expression {
        Expression::builder().set_and(Some(parts)).build()
    }

    #[test]
    fn a_budget_counts_within_its_own_time() {
        let now = at("2026-11-10T12:00:00Z");
        let (november, december) = ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z");
        for (unit, start, end, expected) in [
            (TimeUnit::Monthly, None, None, (november, december)),
            (
                TimeUnit::Monthly,
                Some("2026-01-01T00:00:00Z"),
                Some("2087-06-15T00:00:00Z"),
                (november, december),
            ),
            (
                TimeUnit::Monthly,
                Some("2026-11-08T00:00:00Z"),
                None,
                ("2026-11-08T00:00:00Z", december),
            ),
            (
                TimeUnit::Monthly,
                Some(december),
                None,
                (december, "2027-01-01T00:00:00Z"),
            ),
            (
                TimeUnit::Monthly,
                None,
                Some(november),
                ("2026-10-01T00:00:00Z", november),
            ),
            (
                TimeUnit::Quarterly,
                None,
                Some("2026-11-20T00:00:00Z"),
                ("2026-10-01T00:00:00Z", "2026-11-20T00:00:00Z"),
            ),
            (
                TimeUnit::Custom,
                Some("2026-11-05T00:00:00Z"),
                Some(december),
                ("2026-11-05T00:00:00Z", december),
            ),
        ] {
            let time = |text: Option<&str>| {
                text.map(|text| aws_sdk_budgets::primitives::DateTime::from_secs(at(text).timestamp()))
            };
            let bounds = TimePeriod::builder().set_start(time(start)).set_end(time(end)).build();
            let budget = budget().time_unit(unit.clone()).time_period(bounds).build().unwrap();
            let read = read(&budget, "1", now).unwrap();
            let (found, calendar) = (read.period.unwrap(), read.calendar.unwrap());
            let expected = (at(expected.0), at(expected.1));
            assert_eq!((found.start, found.end), expected, "{unit} {start:?} {end:?}");
            // An alert is known by the calendar's, wherever within it the budget begins.
            assert!(calendar.start <= found.start && found.end <= calendar.end, "{unit}");
            let begins = budget.time_unit() != &TimeUnit::Custom && calendar.start < found.start;
            assert!(!begins || calendar.start.format("%d").to_string() == "01", "{unit}");
        }
    }

    #[test]
    fn a_filter_is_followed_where_it_says_which_usage_it_leaves() {
        let tag = Expression::builder()
            .tags(TagValues::builder().key("team").values("ads").build())
            .build();
        let either = Expression::builder()
            .or(services(&["Amazon Bedrock"]))
            .or(services(&["Amazon Kendra"]))
            .build();
        for (filter, named, filtered, gross) in [
            (services(&["Amazon Bedrock"]), &["Amazon Bedrock"][..], false, false),
            (either, &["Amazon Bedrock", "Amazon Kendra"], false, false),
            (not(kinds(&["Credit", "Refund"])), &[], false, true),
            (not(kinds(&["Credit"])), &[], false, false),
            (kinds(&["Usage", "Tax"]), &[], false, true),
            (kinds(&["Usage", "Credit"]), &[], false, false),
            // What was used is none of its business.
            (kinds(&["Tax"]), &[], true, false),
            (not(kinds(&["Usage"])), &[], true, false),
            (
                all(vec![not(kinds(&["Credit", "Refund"])), services(&["Amazon Bedrock"])]),
                &["Amazon Bedrock"],
                false,
                true,
            ),
            (
                all(vec![services(&["Amazon Bedrock"]), tag.clone()]),
                &["Amazon Bedrock"],
                true,
                false,
            ),
            (
                all(vec![services(&["Amazon Bedrock"]), services(&["Amazon Kendra"])]),
                &[],
                true,
                false,
            ),
            (tag, &[], true, false),
            (not(services(&["Amazon Bedrock"])), &[], true, false),
        ] {
            let expected = About {
                services: named.iter().map(|name| (*name).to_owned()).collect(),
                filtered,
                gross,
            };
            let budget = budget().filter_expression(filter.clone()).build().unwrap();
            assert_eq!(about(&budget), expected, "{filter:?}");
        }
    }

    #[test]
    fn kinds_of_charges_count_unless_they_are_left_out_and_a_view_may_be_a_part() {
        let types = |credit, refund| {
            let types = CostTypes::builder().set_include_credit(credit);
            types.set_include_refund(refund).build()
        };
        for (types, gross) in [
            (types(None, None), false),
            (types(Some(false), None), false),
            (types(Some(false), Some(true)), false),
            (types(Some(false), Some(false)), true),
        ] {
            #[expect(deprecated, reason = "budgets made before filter expressions still carry these")]
            let budget = budget().cost_types(types).build().unwrap();
            assert_eq!(about(&budget).gross, gross);
        }
        for (view, filtered) in [("primary", false), ("custom-1", true)] {
            let arn = format!("arn:aws:billing::123456789012:billingview/{view}");
            let budget = budget().billing_view_arn(arn).build().unwrap();
            assert_eq!(about(&budget).filtered, filtered, "{view}");
        }
    }
}
