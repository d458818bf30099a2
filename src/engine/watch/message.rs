//! What is told of alerts that are not about budgets: one message for each, or one for many that come at once.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{Telling, fact, provider, runs, unpriced};
use crate::domain::alert::{Alert, State, digest, message_id};
use crate::domain::money::{Currency, Money};
use crate::domain::notification::{Notification, Severity, Told};

/// Alerts of one kind in one run that are told one by one; more become one message.
const ONE_BY_ONE: usize = 10;

/// Alerts that such a message names.
const NAMED: usize = 200;

/// The messages of what is told in one run.
pub(super) fn messages(tellings: &[Telling<'_>], now: DateTime<Utc>) -> Vec<Notification> {
    let mut together: BTreeMap<(&str, u8), Vec<&Telling<'_>>> = BTreeMap::new();
    for telling in tellings {
        for channel in &telling.alert.told_to {
            together.entry((channel, telling.told as u8)).or_default().push(telling);
        }
    }
    let mut all = Vec::new();
    for telling in tellings {
        for channel in &telling.alert.told_to {
            let others = together.get_mut(&(channel.as_str(), telling.told as u8));
            match others {
                Some(others) if others.len() > ONE_BY_ONE => all.extend(bundle(std::mem::take(others), channel, now)),
                // Told already, with those that it came with.
                Some(others) if others.is_empty() => {}
                _ => all.push(message(telling, channel, now)),
            }
        }
    }
    all
}

/// What is called over by name. The job itself has one name for everything that is told of it.
fn subject(alert: &Alert) -> &str {
    if alert.policy == runs::POLICY {
        &alert.threshold
    } else if is_one_of_many(alert) {
        &alert.title
    } else {
        &alert.policy
    }
}

/// Anomalies have one name and threshold: what was told of each tells them apart.
fn is_one_of_many(alert: &Alert) -> bool {
    alert.kind == provider::ANOMALY
}

fn title(telling: &Telling<'_>) -> String {
    let alert = &telling.alert;
    if alert.state == State::Resolved {
        format!("{}: resolved, {}", subject(alert), telling.over)
    } else {
        alert.title.clone()
    }
}

fn message(telling: &Telling<'_>, channel: &str, now: DateTime<Utc>) -> Notification {
    let Telling {
        alert,
        told,
        condition,
        over,
    } = telling;
    let ended = alert.state == State::Resolved;
    Notification {
        id: message_id(alert, channel),
        channel: channel.to_owned(),
        alert_id: alert.id.clone(),
        told: *told,
        severity: if ended { Severity::Info } else { alert.severity },
        kind: alert.kind.clone(),
        title: title(telling),
        summary: condition.map_or_else(
            || format!("The alert on {} is over: {over}.", alert.threshold),
            |c| c.summary.clone(),
        ),
        facts: match condition {
            Some(condition) => condition.facts.clone(),
            None if is_one_of_many(alert) => alert.facts.clone(),
            None => Vec::new(),
        },
        lines: Vec::new(),
        owner: None,
        runbook: None,
        labels: condition
            .map(|c| c.labels.clone())
            .unwrap_or_else(|| BTreeMap::from([("policy".to_owned(), alert.policy.clone())])),
        data: condition.map_or_else(
            || serde_json::json!({ "policy": alert.policy, "reason": over }),
            |c| c.data.clone(),
        ),
        decided_at: now,
        test: false,
    }
}

/// One message for many alerts of a kind, the most expensive first. It goes under the first one's name.
fn bundle(mut tellings: Vec<&Telling<'_>>, channel: &str, now: DateTime<Utc>) -> Option<Notification> {
    let cost = |telling: &Telling<'_>| telling.condition.and_then(|c| c.cost.or(c.impact)).unwrap_or_default();
    tellings.sort_by_key(|telling| std::cmp::Reverse(cost(telling)));
    // Where all were cheaper than expected, the greatest is what was saved most.
    if tellings.first().is_some_and(|most| cost(most).is_sign_negative()) {
        tellings.reverse();
    }
    let first = tellings.first().copied()?;
    let single = message(first, channel, now);
    let ids: Vec<String> = tellings.iter().map(|t| message_id(&t.alert, channel)).collect();
    let parts: Vec<&str> = std::iter::once("messages")
        .chain(ids.iter().map(String::as_str))
        .collect();
    let count = tellings.len();
    let sum = tellings
        .iter()
        .try_fold(Decimal::ZERO, |sum, telling| sum.checked_add(cost(telling)));
    let sum = sum
        .filter(|sum| !sum.is_zero())
        .map(|sum| Money::new(sum, Currency::USD));
    let most = sum.map(|sum| format!(", at most {sum} in all")).unwrap_or_default();
    let impact = match sum {
        Some(sum) if sum.amount().is_sign_negative() => format!(", {} below what was expected in all", -sum),
        Some(sum) => format!(" of {sum} in all"),
        None => String::new(),
    };
    let (title, summary) = match (single.told, first.alert.kind.as_str()) {
        (Told::Resolved, _) => (
            format!("{count} alerts are resolved, the first: {}", single.title),
            single.summary.clone(),
        ),
        (_, unpriced::KIND) => (
            format!("{count} models have calls without a price{most}"),
            "Their cost is in no total. `finops price missing` says why, and what to write.".to_owned(),
        ),
        (_, provider::ANOMALY) => (
            format!("AWS sees {count} anomalies{impact}"),
            format!(
                "The greatest: {}. `finops anomaly list` has their ids; `finops anomaly feedback ID yes|no|planned` tells AWS what each was.",
                single.title.strip_prefix(provider::SEES).unwrap_or(&single.title)
            ),
        ),
        _ => (
            format!("{count} alerts at once, the first: {}", single.title),
            single.summary.clone(),
        ),
    };
    let mut lines: Vec<String> = tellings
        .iter()
        .take(NAMED)
        .map(|telling| self::title(telling))
        .collect();
    if count > NAMED {
        lines.push(format!("and {} more: `finops alert list`", count - NAMED));
    }
    let named = tellings.iter().take(NAMED);
    let alerts: Vec<serde_json::Value> = named
        .map(|t| serde_json::json!({ "alert_id": t.alert.id, "title": self::title(t), "data": t.condition.map(|c| &c.data) }))
        .collect();
    let mut facts = vec![fact("Alerts", count.to_string())];
    let label = if is_one_of_many(&first.alert) {
        "Impact"
    } else {
        "At most"
    };
    facts.extend(sum.map(|sum| fact(label, sum.to_string())));
    Some(Notification {
        id: digest(&parts),
        severity: tellings.iter().map(|t| message(t, channel, now).severity).max()?,
        title,
        summary,
        facts,
        lines,
        labels: BTreeMap::from([("alerts".to_owned(), count.to_string())]),
        data: serde_json::json!({ "count": count, "alerts": alerts }),
        ..single
    })
}
