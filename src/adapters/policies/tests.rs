//! The tests beside policies, read from `NAME.test.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PolicyError, budget_file, toml_files};
use crate::domain::amount::parse_amount;
use crate::domain::budget::{Budget, ThresholdKind};
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::money::parse_decimal;
use crate::domain::period::{Hour, midnight};
use crate::domain::plausible::plausible;
use crate::domain::policy_test::{Expectation, PolicyTest, Standing};
use crate::domain::spend::{Basis, SpendKey, Sums};
use crate::domain::written::{instants, optional_day};

/// Days of one row of spend: a year and a bit.
const MAX_DAYS: i64 = 400;

/// A file beside a file of budgets: `NAME.test.toml`.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestFile {
    /// The tests.
    #[serde(default, rename = "test")]
    pub tests: Vec<TestPolicy>,
}

/// One instant, or several in order.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Instants {
    /// One.
    One(#[schemars(with = "String")] DateTime<Utc>),
    /// Several: forecasts fire at the second of two evaluations in a row.
    Many(#[schemars(with = "Vec<String>")] Vec<DateTime<Utc>>),
}

impl<'de> Deserialize<'de> for Instants {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        instants(from).map(Instants::Many)
    }
}

/// `[[test]]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestPolicy {
    /// What it shows, in words.
    pub name: String,
    /// The budget that is tested; not needed where the file beside has only one.
    #[serde(default)]
    pub budget: Option<String>,
    /// When budgets are evaluated, RFC 3339; what is expected holds after the last.
    pub now: Instants,
    /// The spend that there is.
    #[serde(default)]
    pub spend: Vec<SpendPolicy>,
    /// How the thresholds stand. One that is not named is expected not to hold.
    #[serde(default)]
    pub expect: Vec<ExpectPolicy>,
    /// What is spent in the period so far, exactly.
    #[serde(default)]
    pub spent: Option<String>,
    /// What the period will end at, rounded to as many decimals as are given.
    #[serde(default)]
    pub forecast: Option<String>,
}

/// Spend of one day, or of each day of a span.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpendPolicy {
    /// The day, in the budget's time zone.
    #[serde(default, deserialize_with = "optional_day")]
    #[schemars(with = "Option<String>")]
    pub day: Option<NaiveDate>,
    /// The first day of a span.
    #[serde(default, deserialize_with = "optional_day")]
    #[schemars(with = "Option<String>")]
    pub from: Option<NaiveDate>,
    /// The day after the last day of a span.
    #[serde(default, deserialize_with = "optional_day")]
    #[schemars(with = "Option<String>")]
    pub to: Option<NaiveDate>,
    /// What each of these days costs, in the budget's currency, as text: `"12.50"`.
    #[serde(default)]
    pub cost: Option<String>,
    /// Dimensions of the spend: `{ team = "search" }`. Its category is `Usage` if it does not say.
    #[serde(default, rename = "where")]
    pub dimensions: BTreeMap<Dimension, String>,
    /// Where it comes from; by default what the budget counts.
    #[serde(default)]
    pub basis: Option<Basis>,
    /// The most that calls without a price may have cost on each of these days.
    #[serde(default)]
    pub unpriced_worst_case: Option<String>,
}

/// How one threshold is expected to stand.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectPolicy {
    /// The threshold: `"100 % actual"`.
    pub threshold: String,
    /// How it stands.
    pub state: Standing,
}

/// A file of tests.
#[derive(Debug)]
pub struct Tests {
    /// The file.
    pub path: PathBuf,
    /// Its tests.
    pub tests: Vec<PolicyTest>,
}

/// Reads the tests beside all budgets below `<folder>/budgets/`.
pub fn load_tests(folder: &Path, budgets: &[Budget]) -> Result<Vec<Tests>, PolicyError> {
    let mut all = Vec::new();
    for path in toml_files(folder, true)? {
        let shown = path.display().to_string();
        let beside = path.to_string_lossy().replace(".test.toml", ".toml");
        let file: TestFile = super::read(&path)?;
        let names: Vec<String> = match budget_file(Path::new(&beside)) {
            Ok(file) => file.budgets.into_iter().map(|b| b.name).collect(),
            Err(cause) => {
                return Err(PolicyError::Parse {
                    path: shown,
                    cause: format!("it tests the file beside it: {cause}"),
                });
            }
        };
        let mut tests = Vec::new();
        for test in file.tests {
            let name = test.name.clone();
            let read = test.read(&names, budgets);
            tests.push(read.map_err(|cause| PolicyError::Parse {
                path: shown.clone(),
                cause: format!("test `{name}`: {cause}"),
            })?);
        }
        all.push(Tests { path, tests });
    }
    Ok(all)
}

impl TestPolicy {
    fn read(self, names: &[String], budgets: &[Budget]) -> Result<PolicyTest, String> {
        let budget = match (&self.budget, names) {
            (Some(name), names) if names.contains(name) => name,
            (Some(name), names) => return Err(format!("`{name}` is not in the file beside it: {}", names.join(", "))),
            (None, [only]) => only,
            (None, _) => return Err(format!("name the `budget`: {}", names.join(", "))),
        };
        let budget = budgets.iter().find(|b| b.name == *budget);
        let budget = budget.ok_or("its budget is not in use")?;
        let evaluations = match self.now {
            Instants::One(now) => vec![now],
            Instants::Many(all) => all,
        };
        if evaluations.is_empty() || !evaluations.is_sorted() {
            return Err("`now` has to name one instant, or several in order".to_owned());
        }
        evaluations.iter().try_for_each(|now| plausible(*now).map(|_| ()))?;
        let mut rows: BTreeMap<SpendKey, Sums> = BTreeMap::new();
        for spend in &self.spend {
            spend.add(budget, &mut rows)?;
        }
        let mut expect = Vec::new();
        for expected in &self.expect {
            expect.push(expected.read()?);
        }
        let amount = |text: Option<&String>, key| text.map(|t| amount(t, budget, key)).transpose();
        Ok(PolicyTest {
            spent: amount(self.spent.as_ref(), "spent")?,
            forecast: amount(self.forecast.as_ref(), "forecast")?,
            budget: budget.name.clone(),
            name: self.name,
            evaluations,
            spend: rows.into_iter().collect(),
            expect,
        })
    }
}

/// An amount, with or without the budget's currency.
fn amount(text: &str, budget: &Budget, key: &str) -> Result<Decimal, String> {
    let (amount, unit) = parse_amount(text).map_err(|cause| format!("`{key}`: {cause}"))?;
    let currency = budget.amount.currency();
    if unit.is_some_and(|unit| unit != currency) {
        return Err(format!("`{key}`: the budget is in {currency}"));
    }
    Ok(amount)
}

impl SpendPolicy {
    fn days(&self) -> Result<(NaiveDate, NaiveDate), String> {
        let (from, to) = match (self.day, self.from, self.to) {
            (Some(day), None, None) => (plausible(day)?, day + Days::new(1)),
            (None, Some(from), Some(to)) => (plausible(from)?, plausible(to)?),
            _ => return Err("`spend` needs either `day`, or `from` and `to`".to_owned()),
        };
        match (to - from).num_days() {
            1..=MAX_DAYS => Ok((from, to)),
            ..1 => Err(format!(
                "`spend`: no day lies from {from} to {to}; `to` is the day after the last"
            )),
            _ => Err(format!("`spend`: more than {MAX_DAYS} days")),
        }
    }

    fn add(&self, budget: &Budget, rows: &mut BTreeMap<SpendKey, Sums>) -> Result<(), String> {
        let money = |text: &Option<String>, key| text.as_ref().map(|t| amount(t, budget, key)).transpose();
        let cost = money(&self.cost, "cost")?;
        let worst = money(&self.unpriced_worst_case, "unpriced_worst_case")?;
        if cost.is_none() && worst.is_none() {
            return Err("`spend` needs a `cost`".to_owned());
        }
        let mut dimensions = Dimensions::default().with(Dimension::Category, "Usage");
        for (dimension, value) in &self.dimensions {
            dimensions = dimensions.with(*dimension, value);
        }
        let (mut day, to) = self.days()?;
        while day < to {
            let key = SpendKey {
                // The first that counts to the day.
                hour: Hour::of(midnight(day, budget.zone) + TimeDelta::seconds(3599)),
                basis: self.basis.unwrap_or(budget.basis),
                currency: budget.amount.currency(),
                dimensions,
            };
            let sums = Sums {
                events: 1,
                cost: cost.unwrap_or_default(),
                unpriced_events: i64::from(worst.is_some()),
                unpriced_worst_case: worst.unwrap_or_default(),
                ..Sums::default()
            };
            rows.entry(key).or_default().add(&sums).map_err(|e| e.to_string())?;
            day = day + Days::new(1);
        }
        Ok(())
    }
}

impl ExpectPolicy {
    fn read(&self) -> Result<Expectation, String> {
        let wrong = || format!("`threshold`: `{}` is not of the form `100 % actual`", self.threshold);
        let (percent, kind) = self.threshold.split_once('%').ok_or_else(wrong)?;
        let kind: ThresholdKind = kind.trim().parse().map_err(|_| wrong())?;
        Ok(Expectation {
            percent: parse_decimal(percent.trim()).map_err(|_| wrong())?,
            kind,
            standing: self.state,
        })
    }
}
