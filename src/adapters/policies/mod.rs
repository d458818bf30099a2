//! What the owner writes, read from TOML: budgets and their tests.

mod categories;
mod tests;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::adapters::owners::is_owners;
use crate::domain::amount::{amount_text, parse_amount};
use crate::domain::budget::{Budget, BudgetPeriod, Scope, Threshold, ThresholdKind};
use crate::domain::dimension::Dimension;
use crate::domain::money::{Currency, Money};
use crate::domain::notification::Severity;
use crate::domain::period::{Calendar, Period};
use crate::domain::plausible::plausible;
use crate::domain::similar::{doubled, suggestion};
use crate::domain::spend::Basis;
use crate::domain::written::instant;

pub use tests::{TestFile, Tests, load_tests};

/// The largest amount of a budget: percentages of it must fit into 28 digits.
const MAX_AMOUNT: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);

/// A policy file cannot be used.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// Could not be read.
    #[error("cannot read `{path}`: {cause}")]
    Read {
        /// The file or folder.
        path: String,
        /// Why.
        cause: String,
    },
    /// Is not what a policy looks like. The cause names line and column.
    #[error("`{path}` is not usable: {cause}")]
    Parse {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// A value makes no sense.
    #[error("`{path}`: budget `{budget}`: {cause}")]
    Value {
        /// The file.
        path: String,
        /// The budget's name.
        budget: String,
        /// Why.
        cause: String,
    },
}

impl PolicyError {
    /// What to do: what was probably meant by a name that is not known, else where every key is described.
    #[must_use]
    pub fn hint(&self) -> String {
        let meant = match self {
            PolicyError::Parse { cause, .. } => cause.lines().find_map(suggestion).or_else(|| doubled(cause)),
            PolicyError::Read { .. } => Some("check the path and its permissions".to_owned()),
            PolicyError::Value { .. } => None,
        };
        meant.unwrap_or_else(|| "`finops config schema --policies` describes every key".to_owned())
    }
}

/// A file below `policies/budgets/`.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetFile {
    /// The budgets.
    #[serde(default, rename = "budget")]
    pub budgets: Vec<BudgetPolicy>,
}

/// One or several patterns.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Patterns {
    /// One.
    One(String),
    /// Any of several.
    Many(Vec<String>),
}

impl Patterns {
    /// All of them; none: nothing can match.
    fn all(&self) -> &[String] {
        match self {
            Patterns::One(one) => std::slice::from_ref(one),
            Patterns::Many(many) => many,
        }
    }
}

/// When a budget begins anew.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeriodPolicy {
    /// Midnight to midnight.
    Day,
    /// Monday to Monday.
    Week,
    /// A calendar month.
    Month,
    /// Three calendar months.
    Quarter,
    /// A calendar year.
    Year,
    /// Once, from an instant to an instant.
    Custom {
        /// First instant.
        #[serde(deserialize_with = "instant")]
        #[schemars(with = "String")]
        start: DateTime<Utc>,
        /// First instant after.
        #[serde(deserialize_with = "instant")]
        #[schemars(with = "String")]
        end: DateTime<Utc>,
    },
}

/// One rung of the ladder.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThresholdPolicy {
    /// Percent of the amount.
    pub percent: u32,
    /// `actual` or `forecast`.
    pub kind: String,
    /// How urgent; by default `critical` from 100 % actual on, else `warning`.
    #[serde(default)]
    pub severity: Option<Severity>,
}

/// `[[budget]]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetPolicy {
    /// Unique name.
    pub name: String,
    /// Patterns per dimension; not given: everything.
    #[serde(default)]
    pub scope: BTreeMap<Dimension, Patterns>,
    /// How much, as text, so that it is exact: `"2000.00 USD"`.
    #[serde(deserialize_with = "amount_text")]
    pub amount: String,
    /// Currency, where the amount does not name it; dollars by default.
    #[serde(default)]
    pub currency: Option<String>,
    /// When it begins anew.
    pub period: PeriodPolicy,
    /// Time zone of its days, such as `Europe/Berlin`; UTC by default, and always for what bills say, which count by UTC days. Spend
    /// is kept by the UTC hour: where midnight lies within one, that hour counts to the day in which it began.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// `metered` (default), `billed`, `effective` or `billed, metered where late`.
    #[serde(default)]
    pub basis: Basis,
    /// FOCUS charge categories that count; by default those that `scope` asks for, else `Usage`.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Whether unpriced events count with what they may cost at most.
    #[serde(default)]
    pub count_unpriced_worst_case: bool,
    /// The ladder; 80 % forecast and 100 % actual by default.
    #[serde(default, rename = "threshold")]
    pub thresholds: Vec<ThresholdPolicy>,
    /// Who owns it.
    #[serde(default)]
    pub owner: Option<String>,
    /// Where it says what to do.
    #[serde(default)]
    pub runbook: Option<String>,
    /// Channels; all by default.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Hours after which a firing alert is told again; 24 by default, 0 for never.
    #[serde(default)]
    pub remind_every_hours: Option<u32>,
}

/// Whether there is a folder of budgets, be it empty; on one that cannot be looked at an error.
pub fn has_budgets(folder: &Path) -> Result<bool, PolicyError> {
    let folder = folder.join("budgets");
    folder.try_exists().map_err(|cause| PolicyError::Read {
        path: folder.display().to_string(),
        cause: cause.to_string(),
    })
}

/// Reads every budget of `<folder>/budgets/`, sorted by name. No folder: no budgets.
pub fn load_budgets(folder: &Path) -> Result<Vec<Budget>, PolicyError> {
    let mut budgets: Vec<(Budget, PathBuf)> = Vec::new();
    for path in toml_files(folder, false)? {
        let shown = path.display().to_string();
        let file = budget_file(&path)?;
        for policy in file.budgets {
            let name = policy.name.clone();
            let fail = |cause: String| PolicyError::Value {
                path: shown.clone(),
                budget: name.clone(),
                cause,
            };
            if let Some((_, first)) = budgets.iter().find(|(b, _)| b.name == name) {
                return Err(fail(format!("the name is taken already, in `{}`", first.display())));
            }
            budgets.push((policy.budget().map_err(fail)?, path.clone()));
        }
    }
    let mut budgets: Vec<Budget> = budgets.into_iter().map(|(b, _)| b).collect();
    budgets.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(budgets)
}

fn budget_file(path: &Path) -> Result<BudgetFile, PolicyError> {
    read(path)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, PolicyError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| {
        let (path, cause) = (shown.clone(), e.to_string());
        match e.kind() == ErrorKind::InvalidData {
            true => PolicyError::Parse { path, cause },
            false => PolicyError::Read { path, cause },
        }
    })?;
    toml::from_str(text.trim_start_matches('\u{feff}')).map_err(|e| PolicyError::Parse {
        path: shown,
        cause: e.to_string().trim().to_owned(),
    })
}

/// Folders beside the budgets of a policies folder: they are not read. Hidden ones are meant to be.
pub fn not_read(folder: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    if !has_budgets(folder)? {
        return Ok(Vec::new());
    }
    let mut others = entries(&folder.join("budgets"))?;
    others.retain(|(path, _)| path.is_dir());
    Ok(others.into_iter().map(|(path, _)| path).collect())
}

/// What a folder holds, with names in small letters. Hidden files are an editor's or a system's (`.#b.toml`, `._b.toml`), and nobody's policies.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, String)>, PolicyError> {
    let fail = |e: std::io::Error| PolicyError::Read {
        path: folder.display().to_string(),
        cause: e.to_string(),
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        found.push((entry.path(), entry.file_name().to_string_lossy().to_lowercase()));
    }
    found.sort();
    Ok(found)
}

/// The policies of a folder, or the tests beside them.
fn toml_files(folder: &Path, tests: bool) -> Result<Vec<PathBuf>, PolicyError> {
    if !has_budgets(folder)? {
        return Ok(Vec::new());
    }
    let mut files = entries(&folder.join("budgets"))?;
    files.retain(|(path, name)| is_owners(path) && name.ends_with(".test.toml") == tests && !path.is_dir());
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// The JSON Schema of every file below `policies/`, for editors: a file is one of these.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut generator = schemars::SchemaGenerator::default();
    let budgets = generator.subschema_for::<BudgetFile>();
    let tests = generator.subschema_for::<TestFile>();
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Policies of finops",
        "description": "Files below policies/budgets: NAME.toml holds budgets, NAME.test.toml their tests.",
        "anyOf": [budgets, tests],
        "$defs": generator.take_definitions(true),
    })
}

impl BudgetPolicy {
    /// The budget, checked.
    fn budget(self) -> Result<Budget, String> {
        if self.name.trim().is_empty() {
            return Err("a budget needs a name".to_owned());
        }
        let (amount, unit) = parse_amount(&self.amount).map_err(|e| format!("`amount`: {e}"))?;
        if amount.is_sign_negative() {
            return Err("`amount` is negative".to_owned());
        }
        if amount > MAX_AMOUNT {
            return Err(format!("`amount` is above {MAX_AMOUNT}: absurd"));
        }
        let named = self.currency.as_deref().map(str::parse::<Currency>).transpose();
        let currency = match (unit, named.map_err(|e| format!("`currency`: {e}"))?) {
            (Some(unit), Some(named)) if unit != named => {
                return Err(format!("`currency`: it is {named}, and `amount` is in {unit}"));
            }
            (unit, named) => unit.or(named).unwrap_or(Currency::USD),
        };
        let zone = self.time_zone.as_deref().unwrap_or("UTC");
        let zone: Tz = zone
            .parse()
            .map_err(|_| format!("`time_zone`: `{zone}` is not a time zone"))?;
        if zone != Tz::UTC && self.basis != Basis::Metered {
            let basis = self.basis.name();
            return Err(format!(
                "`time_zone`: bills count by UTC days, so that `basis = \"{basis}\"` cannot follow {zone}; leave it out"
            ));
        }
        let period = match self.period {
            PeriodPolicy::Day => BudgetPeriod::Calendar(Calendar::Day),
            PeriodPolicy::Week => BudgetPeriod::Calendar(Calendar::Week),
            PeriodPolicy::Month => BudgetPeriod::Calendar(Calendar::Month),
            PeriodPolicy::Quarter => BudgetPeriod::Calendar(Calendar::Quarter),
            PeriodPolicy::Year => BudgetPeriod::Calendar(Calendar::Year),
            PeriodPolicy::Custom { start, end } if start < end => {
                let (start, end) = (plausible(start)?, plausible(end)?);
                BudgetPeriod::Custom(Period::new(start, end))
            }
            PeriodPolicy::Custom { .. } => return Err("`period`: the end is not after the start".to_owned()),
        };
        let mut thresholds = Vec::new();
        for t in &self.thresholds {
            let kind: ThresholdKind = t.kind.parse().map_err(|e| format!("`threshold.kind`: {e}"))?;
            let grave = kind == ThresholdKind::Actual && t.percent >= 100;
            let severity = t
                .severity
                .unwrap_or(if grave { Severity::Critical } else { Severity::Warning });
            thresholds.push(Threshold {
                percent: t.percent.into(),
                kind,
                severity,
            });
        }
        if thresholds.is_empty() {
            thresholds = Budget::default_ladder();
        }
        if let Some((dimension, _)) = self.scope.iter().find(|(_, patterns)| patterns.all().is_empty()) {
            return Err(format!(
                "`scope.{dimension}` names nothing, so that nothing would count"
            ));
        }
        let categories = categories::counted(self.categories, &self.scope)?;
        let scope = self.scope.into_iter().map(|(dimension, patterns)| match patterns {
            Patterns::One(one) => (dimension, vec![one]),
            Patterns::Many(many) => (dimension, many),
        });
        Ok(Budget {
            name: self.name,
            scope: Scope(scope.collect()),
            amount: Money::new(amount, currency),
            period,
            zone,
            basis: self.basis,
            categories,
            count_unpriced: self.count_unpriced_worst_case,
            thresholds,
            owner: self.owner,
            runbook: self.runbook,
            channels: self.channels,
            remind_every_hours: self.remind_every_hours.unwrap_or(24),
        })
    }
}
