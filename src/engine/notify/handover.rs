//! Messages for channels that are configured no more: handed to those of now, or dropped where everyone else hears the same.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::alert::{Alert, digest, message_id};
use crate::domain::notification::Notification;
use crate::ports::{AlertCommit, AlertsAndOutbox, Clock, Pending, StoreError};

/// Where alerts are told now.
pub struct Routes<'a> {
    /// Names of all configured channels, also of those that cannot be used now.
    pub configured: &'a [String],
    /// The channels that an alert's policy names; none: all.
    pub named: &'a dyn Fn(&Alert) -> Vec<String>,
}

/// What happened to messages for a channel that is configured no more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Handed {
    /// The channel.
    pub channel: String,
    /// Who hears of it instead: channels that the messages were handed to or that were told the same.
    pub to: Vec<String>,
    /// Whether the messages were dropped: those channels had been told.
    pub dropped: bool,
    /// How many.
    pub messages: u64,
}

impl Routes<'_> {
    fn has(&self, channel: &String) -> bool {
        self.configured.contains(channel)
    }

    /// Who is told of an alert of which nobody that was told is left.
    fn now(&self, alert: Option<&Alert>) -> Vec<String> {
        let mut named = alert.map(self.named).unwrap_or_default();
        named.retain(|channel| self.has(channel));
        if named.is_empty() {
            self.configured.to_vec()
        } else {
            named
        }
    }
}

/// Answers what waits afterwards, in its order, and what was done. An alert that a run changes meanwhile is left to the next one.
pub fn hand_over(
    store: &mut dyn AlertsAndOutbox,
    pending: Vec<Pending>,
    routes: &Routes<'_>,
    clock: &dyn Clock,
) -> Result<(Vec<Pending>, Vec<Handed>), StoreError> {
    let gone = |p: &&Pending| !routes.has(&p.message.channel);
    let alerts: BTreeSet<&str> = pending
        .iter()
        .filter(gone)
        .map(|p| p.message.alert_id.as_str())
        .collect();
    // With nobody to tell, what waits has to wait.
    if alerts.is_empty() || routes.configured.is_empty() {
        return Ok((pending, Vec::new()));
    }
    let known = store.alerts(None)?;
    let mut moves: BTreeMap<&str, Move> = BTreeMap::new();
    for id in alerts {
        let of_alert: Vec<&Pending> = pending
            .iter()
            .filter(gone)
            .filter(|p| p.message.alert_id == id)
            .collect();
        let alert = known.iter().find(|alert| alert.id == id);
        if let Some(done) = Move::make(store, alert, &of_alert, routes, clock.now())? {
            moves.insert(id, done);
        }
    }
    let mut counts: BTreeMap<(&String, &Vec<String>, bool), u64> = BTreeMap::new();
    let mut left = Vec::new();
    for waiting in &pending {
        match moves.get(waiting.message.alert_id.as_str()).filter(|_| gone(&waiting)) {
            Some(done) => {
                let messages = done.messages.get(&waiting.message.id).cloned().unwrap_or_default();
                left.extend(messages.into_iter().map(Pending::new));
                *counts
                    .entry((&waiting.message.channel, &done.to, done.dropped))
                    .or_default() += 1;
            }
            None => left.push(waiting.clone()),
        }
    }
    let handed = counts.into_iter().map(|((channel, to, dropped), messages)| Handed {
        channel: channel.clone(),
        to: to.clone(),
        dropped,
        messages,
    });
    let handed = handed.collect();
    Ok((left, handed))
}

/// What becomes of one alert's messages.
struct Move {
    to: Vec<String>,
    dropped: bool,
    /// The new messages by the old one's id.
    messages: BTreeMap<String, Vec<Notification>>,
}

impl Move {
    /// The new messages are stored before the old ones leave: whoever dies in between leaves them to be dropped, since others
    /// are told the same by then.
    fn make(
        store: &mut dyn AlertsAndOutbox,
        alert: Option<&Alert>,
        pending: &[&Pending],
        routes: &Routes<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, StoreError> {
        let mut to = alert.map(|alert| alert.told_to.clone()).unwrap_or_default();
        to.retain(|channel| routes.has(channel));
        let test = pending.iter().all(|p| p.message.test);
        let dropped = test || !to.is_empty();
        let mut messages: BTreeMap<String, Vec<Notification>> = BTreeMap::new();
        if !dropped {
            to = routes.now(alert);
            let mut known = BTreeSet::new();
            for old in pending.iter().map(|p| &p.message) {
                let new = to.iter().map(|channel| Notification {
                    id: new_id(alert, old, channel),
                    channel: channel.clone(),
                    ..old.clone()
                });
                // Two channels that are gone may have been told the same.
                let new = new.filter(|message| known.insert(message.id.clone())).collect();
                messages.insert(old.id.clone(), new);
            }
        }
        let told_to = |alert: &Alert| Alert {
            told_to: to.clone(),
            ..alert.clone()
        };
        let commit = AlertCommit {
            alerts: alert.filter(|_| !test).map(told_to).into_iter().collect(),
            transitions: Vec::new(),
            messages: messages.values().flatten().cloned().collect(),
        };
        match store.commit(&commit) {
            Err(StoreError::Conflict { .. }) => return Ok(None),
            outcome => outcome?,
        }
        let whom = to.join(", ");
        let why = match (test, dropped) {
            (true, _) => "a test of a channel that is not configured any more".to_owned(),
            (false, true) => format!("the channel is not configured any more; told to {whom}"),
            (false, false) => format!("the channel is not configured any more; handed to {whom}"),
        };
        for old in pending {
            store.withdrawn(&old.message.id, &why, now)?;
        }
        Ok(Some(Move { to, dropped, messages }))
    }
}

/// The identity that the message would have had for that channel.
fn new_id(alert: Option<&Alert>, old: &Notification, channel: &str) -> String {
    let telling = alert.and_then(|alert| {
        let mut telling = alert.clone();
        (1..=alert.tellings).rev().find_map(|number| {
            telling.tellings = number;
            (message_id(&telling, &old.channel) == old.id).then(|| message_id(&telling, channel))
        })
    });
    telling.unwrap_or_else(|| digest(&["message", &old.id, channel]))
}
