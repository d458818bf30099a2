//! Budgets: what may be spent, on what, until when, and who is told.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::dimension::{Dimension, Dimensions};
use super::money::{Currency, Money, MoneyError, add_most};
use super::notification::Severity;
use super::period::{Calendar, Hour, Period};
use super::spend::{Basis, SpendKey, Sums};

/// Which charges something is about: for each named dimension, patterns of which one must match. Empty: all charges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(pub BTreeMap<Dimension, Vec<String>>);

impl Scope {
    /// Whether charges with these dimensions are inside.
    #[must_use]
    pub fn matches(&self, dimensions: &Dimensions) -> bool {
        self.0
            .iter()
            .all(|(d, patterns)| patterns.iter().any(|p| dimensions.are_like(*d, p)))
    }

    /// The same scope however it was written: values in order and each once, and in small letters where they are meant in any case.
    #[must_use]
    pub fn meant(&self) -> Scope {
        let meant = |(dimension, patterns): (&Dimension, &Vec<String>)| {
            let patterns = patterns.iter().map(|pattern| match dimension.is_in_any_case() {
                true => pattern.to_lowercase(),
                false => pattern.clone(),
            });
            let patterns: BTreeSet<String> = patterns.collect();
            (*dimension, patterns.into_iter().collect())
        };
        Scope(self.0.iter().map(meant).collect())
    }

    /// The scope in words: `team=search`, or `everything`.
    #[must_use]
    pub fn text(&self) -> String {
        if self.0.is_empty() {
            return "everything".to_owned();
        }
        self.0
            .iter()
            .map(|(d, p)| format!("{d}={}", p.join("|")))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// What a threshold is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ThresholdKind {
    /// What has been spent.
    Actual,
    /// What will have been spent when the period ends.
    Forecast,
}

impl ThresholdKind {
    /// The name in policies and alert kinds.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ThresholdKind::Actual => "actual",
            ThresholdKind::Forecast => "forecast",
        }
    }
}

impl FromStr for ThresholdKind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "actual" => Ok(ThresholdKind::Actual),
            "forecast" => Ok(ThresholdKind::Forecast),
            other => Err(format!("`{other}` is neither `actual` nor `forecast`")),
        }
    }
}

/// One rung of a budget's ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// Percent of the amount.
    pub percent: Decimal,
    /// What is compared.
    pub kind: ThresholdKind,
    /// How urgent a breach is.
    pub severity: Severity,
}

/// The time a budget is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetPeriod {
    /// Recurring.
    Calendar(Calendar),
    /// Once.
    Custom(Period),
}

/// What may be spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Unique name.
    pub name: String,
    /// What it is about.
    pub scope: Scope,
    /// How much.
    pub amount: Money,
    /// For which time.
    pub period: BudgetPeriod,
    /// The zone whose days and months count.
    pub zone: Tz,
    /// Metered or billed spend.
    pub basis: Basis,
    /// FOCUS charge categories that count. Credits count only where named, so that they never mask usage.
    pub categories: Vec<String>,
    /// Whether unpriced events count with what they may cost at most.
    pub count_unpriced: bool,
    /// The ladder.
    pub thresholds: Vec<Threshold>,
    /// Who owns it.
    pub owner: Option<String>,
    /// Where it says what to do.
    pub runbook: Option<String>,
    /// Channels; empty: all.
    pub channels: Vec<String>,
    /// Hours after which a firing, unacknowledged alert is told again; 0: never.
    pub remind_every_hours: u32,
}

impl Budget {
    /// 80 % forecast and 100 % actual.
    #[must_use]
    pub fn default_ladder() -> Vec<Threshold> {
        vec![
            Threshold {
                percent: Decimal::from(80),
                kind: ThresholdKind::Forecast,
                severity: Severity::Warning,
            },
            Threshold {
                percent: Decimal::ONE_HUNDRED,
                kind: ThresholdKind::Actual,
                severity: Severity::Critical,
            },
        ]
    }

    /// The period around an instant; a custom period is itself.
    #[must_use]
    pub fn period_at(&self, now: DateTime<Utc>) -> Period {
        match self.period {
            BudgetPeriod::Calendar(calendar) => calendar.around(now, self.zone),
            BudgetPeriod::Custom(period) => period,
        }
    }

    /// The periods that ended so lately that spend of theirs may still come in, the latest first. A custom period is not
    /// among them: it stays the period that the budget is about.
    #[must_use]
    pub fn ended(&self, now: DateTime<Utc>) -> Vec<Period> {
        let BudgetPeriod::Calendar(calendar) = self.period else {
            return Vec::new();
        };
        let since = now - self.late();
        let mut ended = Vec::new();
        let mut next = calendar.around(now, self.zone);
        loop {
            next = calendar.around(next.start - TimeDelta::seconds(1), self.zone);
            if next.end <= since {
                return ended;
            }
            ended.push(next);
        }
    }

    /// The days of UTC, by their first hour, within which a period begins or ends that figures are told of: only by its hours it is known
    /// what of such a day counts.
    pub fn divided_days(&self, now: DateTime<Utc>) -> impl Iterator<Item = Hour> + use<> {
        let periods = self.ended(now).into_iter().chain([self.period_at(now)]);
        let edges = periods.flat_map(|period| [period.start, period.end]);
        edges
            .map(|at| (at, Hour::of(at).day()))
            .filter(|(at, day)| day.start() != *at)
            .map(|(_, day)| day)
    }

    /// How long after the end of a period spend of it that comes in late is still told: logs come with the next run, or when a
    /// laptop is opened again; bills some days into the next month. What ended earlier is history.
    #[must_use]
    pub fn late(&self) -> TimeDelta {
        let days = match self.period {
            BudgetPeriod::Calendar(Calendar::Day) if self.basis == Basis::Metered => 3,
            BudgetPeriod::Calendar(Calendar::Week) if self.basis == Basis::Metered => 7,
            BudgetPeriod::Calendar(_) | BudgetPeriod::Custom(_) => return Self::LATEST,
        };
        TimeDelta::days(days)
    }

    /// The longest that anything is told late.
    pub const LATEST: TimeDelta = TimeDelta::days(10);

    /// What a row of spend costs as it counts: with the worst case of what has no price, where it is asked for.
    ///
    /// # Errors
    /// A sum that is out of range.
    pub fn cost_of(&self, sums: &Sums) -> Result<Decimal, MoneyError> {
        match self.count_unpriced {
            true => add_most(sums.cost, sums.unpriced_worst_case),
            false => Ok(sums.cost),
        }
    }

    /// Whether a row of spend counts.
    #[must_use]
    pub fn counts(&self, key: &SpendKey) -> bool {
        key.basis == self.basis && self.covers(key)
    }

    /// The same on whatever basis.
    #[must_use]
    pub fn covers(&self, key: &SpendKey) -> bool {
        let category = key.dimensions.get(Dimension::Category);
        key.currency == self.amount.currency()
            && self
                .categories
                .iter()
                .any(|c| c.eq_ignore_ascii_case(category.as_str()))
            && self.scope.matches(&key.dimensions)
    }

    /// What keeps calls from counting, whatever is recorded: they are priced in dollars. What is agreed, as seats, may be in another currency.
    #[must_use]
    pub fn counts_no_calls(&self) -> Option<String> {
        let currency = self.amount.currency();
        let agreed = self.categories.iter().any(|c| c.eq_ignore_ascii_case("Purchase"));
        (self.basis == Basis::Metered && currency != Currency::USD && !agreed).then(|| {
            format!("calls are priced in USD, so that nothing counts to an amount in {currency}; write it in USD")
        })
    }

    /// The period in words: `month`.
    #[must_use]
    pub fn period_name(&self) -> &'static str {
        match self.period {
            BudgetPeriod::Calendar(Calendar::Day) => "day",
            BudgetPeriod::Calendar(Calendar::Week) => "week",
            BudgetPeriod::Calendar(Calendar::Month) => "month",
            BudgetPeriod::Calendar(Calendar::Quarter) => "quarter",
            BudgetPeriod::Calendar(Calendar::Year) => "year",
            BudgetPeriod::Custom(_) => "period",
        }
    }

    /// What counts, in words: its scope, and the charge categories wherever there are others that do not count. An invoice has tax and credits;
    /// calls are use.
    #[must_use]
    pub fn about(&self) -> String {
        let scope = self.scope.text();
        let one = |name: &str| matches!(self.categories.as_slice(), [only] if only.eq_ignore_ascii_case(name));
        let asked = self.scope.0.get(&Dimension::Category);
        let told = match asked {
            Some(asked) => {
                let is_asked = |category: &String| asked.iter().any(|name| name.eq_ignore_ascii_case(category));
                self.categories.len() == asked.len() && self.categories.iter().all(is_asked)
            }
            None => self.basis == Basis::Metered && one("Usage"),
        };
        match told {
            true => scope,
            false => format!("{scope}, {} only", self.categories.join(", ")),
        }
    }

    /// A digest of the definition: the alert names the version it was decided by.
    #[must_use]
    pub fn version(&self) -> String {
        short_digest(&format!("{self:?}"))
    }

    /// A digest of what decides where it stands: not of the ladder, nor of who is told of it and how often.
    #[must_use]
    pub fn definition(&self) -> String {
        self.definition_over(&self.scope.meant())
    }

    /// The same as versions had it that told scopes apart by the way in which they are written.
    #[must_use]
    pub fn definition_as_written(&self) -> String {
        self.definition_over(&self.scope)
    }

    fn definition_over(&self, scope: &Scope) -> String {
        let mut categories: Vec<String> = self.categories.iter().map(|c| c.to_ascii_lowercase()).collect();
        categories.sort_unstable();
        short_digest(&format!(
            "{:?}",
            (
                (&self.name, &scope.0, self.basis.name(), categories),
                (self.amount.amount().normalize(), self.amount.currency().code()),
                (&self.period, self.zone.name(), self.count_unpriced),
            )
        ))
    }
}

fn short_digest(text: &str) -> String {
    let digest = blake3::hash(text.as_bytes()).to_hex();
    digest.chars().take(12).collect()
}
