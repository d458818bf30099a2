//! Sums spend by chosen axes, with what the same was before.

mod axis;
mod build;
mod daily;

use std::ops::ControlFlow;

use chrono::TimeDelta;
use chrono_tz::Tz;

pub use axis::{Axis, AxisValue, UnknownAxis};
pub use daily::Daily;

use crate::domain::charge::Charge;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::money::Currency;
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, Sums, metered_dimensions};
use crate::domain::unpriced::{Unpriced, is_comparable};
use crate::domain::usage::UsageEvent;
use crate::engine::begin::{BEGINNING, is_known, tells};
use crate::engine::view::allowance::of_calls;
use crate::ports::{Ledger, StoreError};

/// What a report is asked for.
#[derive(Clone, Debug)]
pub struct ReportQuery {
    /// What the rows are summed by, in order.
    pub by: Vec<Axis>,
    /// Charges whose hour starts within it.
    pub period: Period,
    /// What the trend compares with. Its rows are moved forward by the distance of the two starts, and not beyond the period's end.
    pub previous: Period,
    /// Whether the period is not over and a bill tells it: it is compared with as much of the one before as is billed of it.
    pub is_late: bool,
    /// Where the figures come from.
    pub basis: Basis,
    /// Which spend counts.
    pub filters: Vec<Filter>,
    /// How many names are shown; the others become one row.
    pub top: Option<usize>,
    /// Whose days, weeks and months.
    pub zone: Tz,
    /// Whether tokens are told, and not calls and costs alone.
    pub tokens: bool,
}

/// Spend counts if its value of the dimension matches. Several filters of one dimension: any of them has to.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The dimension.
    pub dimension: Dimension,
    /// A pattern over its value, with `*` and `?` as in the scope of a budget.
    pub pattern: String,
}

impl Filter {
    /// A filter from `dimension=pattern`. The pattern is taken as it stands, since names may begin or end with a blank, but where a
    /// blank before the sign says that those are for the eye.
    pub fn parse(text: &str) -> Result<Filter, String> {
        let (name, pattern) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` is not of the form `dimension=pattern`"))?;
        if name.trim_end().ends_with('!') {
            return Err(format!("`{text}`: what is counted can be named, not what is left out"));
        }
        let dimension = name.trim().parse().map_err(|_| axis::unknown_dimension(name))?;
        let spaced = name.ends_with(char::is_whitespace);
        let pattern = if spaced { pattern.trim() } else { pattern };
        Ok(Filter {
            dimension,
            pattern: pattern.to_owned(),
        })
    }

    /// What may have been meant otherwise, to be said where nothing is met.
    #[must_use]
    pub fn taken_as_it_stands(&self) -> Option<String> {
        let (dimension, pattern) = (self.dimension, &self.pattern);
        (pattern.contains(['{', '[']) || pattern.trim() != pattern).then(|| {
            format!(
                "in `{dimension}={pattern}` brackets and blanks are taken as they stand: `*` and `?` alone stand for others, and one of several \
                 names is asked for by a `--where` for each"
            )
        })
    }
}

/// Whether spend with these values counts.
#[must_use]
pub fn selects(filters: &[Filter], dimensions: &Dimensions) -> bool {
    filters.iter().all(|filter| {
        filters
            .iter()
            .filter(|other| other.dimension == filter.dimension)
            .any(|other| dimensions.are_like(other.dimension, &other.pattern))
    })
}

/// Whether a single call counts: its category is the one that it is summed under.
#[must_use]
pub fn selects_call(filters: &[Filter], of_event: &Dimensions) -> bool {
    filters.is_empty() || selects(filters, &metered_dimensions(of_event))
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// A value per axis of the query.
    pub key: Vec<AxisValue>,
    /// The measures within the period.
    pub sums: Sums,
    /// The measures of the same in the period before.
    pub previous: Sums,
    /// Cost by day of the period; empty where rows are spans of time.
    pub daily: Daily,
}

impl Row {
    /// Whether the change since the period before says something, although calls without a price are in neither cost.
    #[must_use]
    pub fn is_comparable(&self) -> bool {
        let sides = [&self.previous, &self.sums];
        is_comparable(sides.map(|sums| sums.cost), sides.map(Unpriced::of))
    }
}

/// The rows of one currency: two currencies are never added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Of all its amounts.
    pub currency: Currency,
    /// Time ascending, then cost descending, then names.
    pub rows: Vec<Row>,
    /// What was only spent in the period before: it is in the total's trend, and a row of zeros would say nothing to people.
    pub gone: Vec<Row>,
    /// All of them together.
    pub total: Row,
    /// Days of the period, as far as costs are told by day; none where rows are spans of time.
    pub days: usize,
}

impl Section {
    /// What all names beyond the top ones are called together: `other`, unless something has that name.
    #[must_use]
    pub fn rest(&self) -> &'static str {
        let taken = |name: &str| {
            let mut values = self.rows.iter().chain(&self.gone).flat_map(|row| &row.key);
            values.any(|value| matches!(value, AxisValue::Name(given) if given.as_str() == name))
        };
        let names = ["other", "(other)", "(all others)"];
        names.into_iter().find(|name| !taken(name)).unwrap_or("(the rest)")
    }

    /// A value of one of its rows as programs read it.
    #[must_use]
    pub fn value(&self, value: &AxisValue) -> String {
        match value {
            AxisValue::Other => self.rest().to_owned(),
            AxisValue::Hour(_) | AxisValue::Date(_) | AxisValue::Name(_) | AxisValue::NoDetail => value.to_string(),
        }
    }
}

/// A report.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was asked.
    pub query: ReportQuery,
    /// One per currency, US dollars first; one without rows where there is no spend.
    pub sections: Vec<Section>,
    /// Whether the period before is known from its beginning, so that the two can be compared.
    pub compares: bool,
    /// What is estimated in it, and how.
    pub estimates: Vec<String>,
    /// What else is to be known of its figures.
    pub notes: Vec<String>,
}

impl Report {
    /// What its figures count: calls, or also rows of bills, which are sums of a day, a resource, a kind of token.
    #[must_use]
    pub fn counted(&self) -> &'static str {
        match self.query.basis {
            Basis::Metered => "calls",
            Basis::Billed | Basis::Effective | Basis::BilledFilled => "records",
        }
    }
}

/// The dimensions that a report tells spend apart by.
#[must_use]
pub fn wanted(by: &[Axis], filters: &[Filter]) -> Vec<Dimension> {
    let filtered = filters.iter().map(|filter| filter.dimension);
    // The name of a model may be asked for with its provider.
    let of_whom = filters
        .iter()
        .any(|f| f.dimension == Dimension::Model && f.pattern.contains('/'));
    let of_whom = of_whom.then_some(Dimension::Provider);
    by.iter()
        .filter_map(|axis| axis.dimension())
        .chain(filtered)
        .chain(of_whom)
        .collect()
}

/// Reads the ledger once per period and sums.
pub fn report(ledger: &mut dyn Ledger, mut query: ReportQuery) -> Result<Report, StoreError> {
    let mut previous = query.previous;
    let mut builder = build::Builder::new(&query);
    let mut failed = None;
    let wanted = wanted(&query.by, &query.filters);
    ledger.spend_by(query.period, &wanted, &mut |key, sums| {
        failed = failed.take().or_else(|| builder.add(key, sums).err());
    })?;
    if let Some(told) = builder.told_to().filter(|_| query.is_late) {
        previous.end = previous.end.min(previous.start + (told - query.period.start));
    }
    let mut begun = false;
    ledger.spend_by(previous, &wanted, &mut |key, sums| {
        begun |= tells(query.basis, key) && key.hour.start() < previous.start + BEGINNING;
        failed = failed.take().or_else(|| builder.add_previous(key, sums).err());
    })?;
    if query.by.contains(&Axis::Session) {
        for (period, is_previous) in [(query.period, false), (previous, true)] {
            // The sums that calls are moved out of have free searches taken off.
            let free = of_calls(ledger, period)?;
            visit_calls(ledger, period, &mut |event, charge| {
                let mut charge = *charge;
                if let Some(free) = free.get(&event.id) {
                    charge.cost -= free.amount;
                }
                failed = failed
                    .take()
                    .or_else(|| builder.move_call(event, &charge, is_previous).err());
            })?;
        }
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    let sections = builder.finish()?;
    let compares = begun || is_known(ledger, query.basis, previous)?;
    query.previous = previous;
    Ok(Report {
        query,
        sections,
        compares,
        estimates: Vec::new(),
        notes: Vec::new(),
    })
}

/// Visits the calls whose hour starts within the period, as sums count them.
fn visit_calls(
    ledger: &mut dyn Ledger,
    period: Period,
    visit: &mut dyn FnMut(&UsageEvent, &Charge),
) -> Result<(), StoreError> {
    let hours = Period::new(Hour::of(period.start).start(), period.end + TimeDelta::hours(1));
    ledger.events(hours, &mut |event, charge| {
        if period.contains(Hour::of(event.at).start()) {
            visit(event, charge);
        }
        ControlFlow::Continue(())
    })
}

#[cfg(test)]
mod tests;
