//! Alerts on what the provider says: its anomalies, its budgets that are spent, its budgets that see nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::{Condition, fact};
use crate::domain::alert::Alert;
use crate::domain::billed::biller;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::money::{Money, add_exact};
use crate::domain::notification::{Fact, Severity};
use crate::domain::period::Period;
use crate::domain::signal::{ProviderAnomaly, ProviderBudget, Signals};
use crate::domain::spend::Basis;
use crate::engine::explain::always;
use crate::ports::{Ledger, StoreError};

/// The kinds of these alerts.
pub const ANOMALY: &str = "aws_anomaly";
/// See [`ANOMALY`].
pub const BUDGET: &str = "aws_budget";
/// See [`ANOMALY`].
pub const DEAD: &str = "aws_budget_dead";

/// What a person may say of an anomaly that ends the alert on it.
const CALLED: [(&str, &str); 2] = [
    ("NO", "a person said at AWS that it was none"),
    ("PLANNED_ACTIVITY", "a person said at AWS that it was planned"),
];

/// How the title of an alert on an anomaly begins, before its impact.
pub(super) const SEES: &str = "AWS sees an anomaly of ";

/// Why an alert ends whose part of what AWS says is switched off.
pub const OFF: &str = "AWS is no longer asked about it, so that nobody knows";

/// How long into a period AWS may still answer with what was spent in the one before: it counts two or three times a day.
const SETTLING: TimeDelta = TimeDelta::hours(12);

/// Days after which an anomaly that ended is no longer told.
const RECENT: TimeDelta = TimeDelta::days(3);

/// Days of a period, or since it was made or changed, before a budget that sees nothing is called dead: AWS answers $0 until it has counted.
const PATIENCE: TimeDelta = TimeDelta::days(3);

/// After how long what was used is in the figure of a budget.
const COUNTED: TimeDelta = TimeDelta::days(2);

/// Anomalies that hold: going on or just ended, and not called none by a person. A growing impact changes the alert, it does
/// not make a second one.
pub fn anomalies(signals: &Signals, now: DateTime<Utc>) -> Vec<Condition> {
    let holds = |a: &&ProviderAnomaly| a.end.is_none_or(|end| now - end < RECENT) && called(a).is_none();
    signals
        .anomalies
        .iter()
        .filter(holds)
        .map(|a| anomaly(a, now))
        .collect()
}

fn called(a: &ProviderAnomaly) -> Option<&'static str> {
    let said = a.feedback.as_deref()?;
    CALLED.into_iter().find(|(word, _)| *word == said).map(|(_, why)| why)
}

/// Why an alert ends whose condition does not hold any more.
pub fn over(alert: &Alert, signals: &[Signals], now: DateTime<Utc>) -> &'static str {
    match alert.kind.as_str() {
        ANOMALY => {
            let mut all = signals.iter().flat_map(|s| &s.anomalies);
            let of_it = all.find(|a| anomaly(a, now).alert.id == alert.id);
            of_it.and_then(called).unwrap_or("the anomaly has ended")
        }
        DEAD if alert.period.end <= now => "its period has ended",
        DEAD => {
            let mut all = signals.iter().flat_map(|s| &s.budgets);
            match all.find(|b| b.name == alert.policy) {
                None => "AWS tells of no such budget any more",
                Some(b) if b.actual.is_some_and(|actual| !actual.is_zero()) => "the budget sees spend now",
                Some(_) => "the budget was changed, or of what it is about nothing is known to be billed any more",
            }
        }
        _ => "the budget is no longer spent, its period is over, or our own alert on it says so now",
    }
}

fn anomaly(a: &ProviderAnomaly, now: DateTime<Utc>) -> Condition {
    let impact = Money::new(a.impact, crate::domain::money::Currency::USD);
    let first = a.causes.first().map_or("several services", String::as_str);
    let mut facts = vec![
        fact("Impact", impact.to_string()),
        fact("Since", a.start.format("%Y-%m-%d").to_string()),
    ];
    for (label, value) in [("Spent", a.actual), ("Expected", a.expected)] {
        facts.extend(value.map(|v| fact(label, Money::new(v, crate::domain::money::Currency::USD).to_string())));
    }
    facts.push(fact("Anomaly", a.id.clone()));
    facts.extend(a.causes.iter().take(5).map(|cause| fact("Cause", cause.clone())));
    let identity = Identity {
        kind: ANOMALY,
        policy: "cost anomaly detection",
        threshold: "anomaly",
        scope: &a.id,
        period: Period::new(a.start, always().end),
    };
    let mut condition = identity.condition(
        format!("{SEES}{impact}: {first}"),
        format!(
            "`finops anomaly feedback {} yes|no|planned` tells AWS what it was.",
            a.id
        ),
        facts,
        serde_json::json!({ "anomaly": a, "witnesses": ["aws"] }),
        now,
    );
    condition.impact = Some(a.impact);
    condition
}

/// Budgets of AWS that are spent, unless an alert of ours on a budget of the same name says so already: then AWS is its second
/// witness, and the alert stays one.
pub fn spent(signals: &Signals, ours: &[Alert], now: DateTime<Utc>) -> Vec<Condition> {
    let told = |name: &str| ours.iter().any(|alert| says_spent(alert, name, now));
    let over = signals
        .budgets
        .iter()
        .filter(|b| b.is_spent() && b.is_current(now) && !told(&b.name))
        .filter(|b| is_settled(b, signals.asked_at));
    over.map(|b| budget(b, View::Spent, now)).collect()
}

/// Whether an alert of ours says that all of the budget of a name is spent: a lower rung says less.
fn says_spent(alert: &Alert, name: &str, now: DateTime<Utc>) -> bool {
    let percent = alert.threshold.split(' ').next().and_then(|text| text.parse().ok());
    let is_all = percent.is_some_and(|percent: Decimal| percent >= Decimal::ONE_HUNDRED);
    let is_on = alert.policy == name && alert.kind == "budget_actual" && alert.period.contains(now);
    is_on && is_all && alert.state.is_active()
}

/// Whether what AWS counts is about the period that runs: not at its very beginning. A day is too short to wait for that.
fn is_settled(b: &ProviderBudget, asked_at: DateTime<Utc>) -> bool {
    b.period
        .is_none_or(|p| p.end - p.start <= TimeDelta::days(1) || asked_at - p.start >= SETTLING)
}

/// The names of budgets on which AWS and we agree: one alert, two witnesses.
#[must_use]
pub fn second_witness(signals: &Signals, ours: &[Alert]) -> Vec<String> {
    let asked = signals.asked_at;
    let is_over = |b: &&ProviderBudget| b.is_spent() && b.is_current(asked) && is_settled(b, asked);
    let over = signals.budgets.iter().filter(is_over);
    let both = over.filter(|b| ours.iter().any(|alert| says_spent(alert, &b.name, asked)));
    both.map(|b| b.name.clone()).collect()
}

/// How a budget of AWS stands.
#[derive(Clone, Copy)]
enum View {
    /// It is spent.
    Spent,
    /// It sees nothing of what its account was billed.
    Nothing,
    /// It sees nothing, and may count credits or discounts that come to as much as was used.
    Covered,
    /// It sees nothing, and its filter cannot be followed.
    Filtered,
}

fn budget(b: &ProviderBudget, view: View, now: DateTime<Utc>) -> Condition {
    let money = |amount| Money::new(amount, b.currency).to_string();
    let actual = b.actual.unwrap_or_default();
    let mut facts = vec![fact("Spent", money(actual)), fact("Budget", money(b.limit))];
    facts.extend(b.forecast.map(|f| fact("AWS expects", money(f))));
    facts.push(fact("Account", b.account.clone()));
    let name = &b.name;
    let quiet = || format!("AWS budget {name} has seen nothing since its period began, while there is spend");
    let (title, summary, severity) = match view {
        View::Spent => (
            format!("AWS budget {name} is spent: {} of {}", money(actual), money(b.limit)),
            "So says AWS Budgets; no alert of ours on a budget of this name does.",
            Severity::Warning,
        ),
        View::Nothing => (
            format!("AWS budget {name} sees nothing while there is spend"),
            "Its account was billed for what it is about and it counts none of that, so that it can never warn. Look at its filter and the \
             kinds of charges that it counts.",
            Severity::Warning,
        ),
        View::Covered => (
            quiet(),
            "Credits, refunds or discounts come to all that was used. A budget that counts them, as AWS's do unless told otherwise, warns \
             only when they have ended.",
            Severity::Info,
        ),
        // What its filter leaves may well be nothing: a team that spends nothing is fine.
        View::Filtered => (
            quiet(),
            "Is its filter right? Tag filters are written `user:KEY$VALUE`. Where nothing was spent of what it is about, all is well.",
            Severity::Info,
        ),
    };
    let (kind, threshold) = match view {
        View::Spent => (BUDGET, "100 % actual"),
        View::Nothing | View::Covered | View::Filtered => (DEAD, "sees nothing"),
    };
    let identity = Identity {
        kind,
        policy: &b.name,
        threshold,
        scope: &b.account,
        period: b
            .calendar
            .or(b.period)
            .unwrap_or(Period::new(DateTime::UNIX_EPOCH, always().end)),
    };
    let data = serde_json::json!({ "budget": b, "witnesses": ["aws"] });
    let mut condition = identity.condition(title, summary.to_owned(), facts, data, now);
    condition.alert.severity = severity;
    condition
}

/// Budgets that see nothing while what they are about is spent on. One of which AWS has not said yet what was spent is not one.
pub fn dead(signals: &Signals, ledger: &mut dyn Ledger, now: DateTime<Utc>) -> Result<Vec<Condition>, StoreError> {
    let mut found = Vec::new();
    let asked = signals.asked_at;
    // A change that lies ahead is one of another time than the one that is looked at.
    let is_known = |b: &ProviderBudget| {
        b.changed_at
            .is_none_or(|changed| changed > asked || asked - changed >= PATIENCE)
    };
    let sees_nothing = |b: &&ProviderBudget| b.actual.is_some_and(|actual| actual.is_zero()) && is_known(b);
    for b in signals.budgets.iter().filter(sees_nothing) {
        let Some(period) = b.period.filter(|p| p.contains(now) && asked - p.start >= PATIENCE) else {
            continue;
        };
        let seen = seen(b, period.until(asked - COUNTED), ledger)?;
        // It is told to a cent at best.
        let least = Decimal::new(1, 2);
        if seen.usage < least {
            continue;
        }
        let view = match add_exact(seen.usage, seen.taken_off)? < least {
            true => View::Covered,
            false if b.filtered => View::Filtered,
            false => View::Nothing,
        };
        let mut condition = budget(b, view, now);
        let money = |amount| Money::new(amount, b.currency).to_string();
        condition.facts.push(fact("We see", money(seen.usage)));
        if !seen.taken_off.is_zero() {
            condition.facts.push(fact("Taken off", money(seen.taken_off)));
        }
        found.push(condition);
    }
    Ok(found)
}

/// What was billed of what a budget is about.
#[derive(Default)]
struct Seen {
    usage: Decimal,
    /// By credits, refunds and discounts, as far as it may count them: below zero.
    taken_off: Decimal,
}

/// Of a budget whose filter is followed only what its own account was billed: an account that pays for others sees theirs too, and nobody says
/// which ones do. Of one that is filtered by something else anything that AWS bills may be meant.
fn seen(b: &ProviderBudget, period: Period, ledger: &mut dyn Ledger) -> Result<Seen, StoreError> {
    let (mut seen, mut failed) = (Seen::default(), None);
    let mut billers: BTreeMap<Label, bool> = BTreeMap::new();
    ledger.spend(period, &mut |key, sums| {
        let of = |dimension| key.dimensions.get(dimension);
        if key.basis != Basis::Billed || key.currency != b.currency {
            return;
        }
        let provider = of(Dimension::Provider);
        let is_aws = billers
            .entry(provider)
            .or_insert_with(|| biller(provider.as_str()) == "aws");
        let (service, account) = (of(Dimension::Service), of(Dimension::Account));
        // Where a bill names no account it is that of whoever reads it.
        let is_own = account.is_empty() || account.as_str() == b.account;
        let about = b.services.is_empty() || b.services.iter().any(|s| is_same_service(s, service.as_str()));
        if !*is_aws || !about || (!b.filtered && !is_own) {
            return;
        }
        let sum = match of(Dimension::Category).as_str() {
            "Usage" => &mut seen.usage,
            "Credit" if b.gross => return,
            "Credit" | "Adjustment" if sums.cost < Decimal::ZERO => &mut seen.taken_off,
            _ => return,
        };
        match add_exact(*sum, sums.cost) {
            Ok(more) => *sum = more,
            Err(error) => failed = Some(error),
        }
    })?;
    failed.map_or(Ok(seen), |error| Err(error.into()))
}

/// Budgets name services in words, reports by a code that is often those words: `Amazon Bedrock`, `AmazonBedrock`.
fn is_same_service(a: &str, b: &str) -> bool {
    let plain = |name: &str| name.chars().filter(|c| *c != ' ').collect::<String>();
    a == b || plain(a).eq_ignore_ascii_case(&plain(b))
}

struct Identity<'a> {
    kind: &'a str,
    policy: &'a str,
    threshold: &'a str,
    scope: &'a str,
    period: Period,
}

impl Identity<'_> {
    fn condition(
        &self,
        title: String,
        summary: String,
        facts: Vec<Fact>,
        data: serde_json::Value,
        now: DateTime<Utc>,
    ) -> Condition {
        let threshold = self.threshold.to_owned();
        let (basis, severity) = (Basis::Billed.name(), Severity::Warning);
        let mut alert = Alert::new(
            self.policy,
            self.kind,
            threshold,
            self.scope,
            basis,
            self.period,
            severity,
            now,
        );
        alert.title = title;
        Condition {
            alert,
            channels: Vec::new(),
            summary,
            facts,
            labels: BTreeMap::from([("account".to_owned(), self.scope.to_owned())]),
            data,
            cost: None,
            impact: None,
        }
    }
}
