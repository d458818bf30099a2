//! Alerts, silences and the outbox on DynamoDB: one item each, changed together in transactions.

mod outbox;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::store::stamp;
use super::table::{Item, Key, Table, keyed, number, text};
use super::{damaged, failed};
use crate::adapters::aws::failure::Failure;
use crate::domain::alert::{Alert, Silence, Transition};
use crate::domain::notification::Notification;
use crate::ports::{AlertCommit, AlertStore, Clock, StoreError};

/// Writes of one transaction: DynamoDB's limit.
const WRITES: usize = 100;

/// Bytes of one transaction, below DynamoDB's 4 MB.
const BYTES: usize = 3_500_000;

/// How long the right to deliver lasts without a sign of life, unless told otherwise.
const LEASE: Duration = Duration::from_secs(300);

/// Days that resolved alerts and receipts are kept after the alert's period, for the history.
const KEPT_DAYS: i64 = 400;

/// Alerts in a DynamoDB table.
pub struct DynamoAlerts {
    table: Table,
    clock: Box<dyn Clock>,
    opened: DateTime<Utc>,
    owner: String,
    lease: Duration,
    /// Messages committed through this handle: numbers those of one instant.
    messages: usize,
}

impl DynamoAlerts {
    /// Alerts in `table`. What has outlived its time at `now` is not shown, whether DynamoDB has deleted it or not; `clock`
    /// times the right to deliver.
    #[must_use]
    pub fn new(table: Table, clock: Box<dyn Clock>, now: DateTime<Utc>) -> Self {
        DynamoAlerts {
            table,
            clock,
            opened: now,
            owner: format!("{:016x}", stamp()),
            lease: LEASE,
            messages: 0,
        }
    }

    /// The right to deliver lasts so long without a sign of life. It must be longer than delivering may take in all: a channel
    /// that says `Retry-After` is waited for without a word in between.
    #[must_use]
    pub fn holding_for(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// When the right to deliver ends if it is taken now.
    fn lease_end(&self) -> i64 {
        let seconds = i64::try_from(self.lease.as_secs()).unwrap_or(i64::MAX);
        self.clock.now().timestamp().saturating_add(seconds)
    }

    fn fail(&self) -> impl Fn(Failure) -> StoreError + use<> {
        let name = self.table.name().to_owned();
        move |failure| failed(&name, &failure)
    }

    /// The items of a partition that have not outlived their time.
    fn live(&mut self, pk: &str) -> Result<Vec<Item>, StoreError> {
        let fail = self.fail();
        let now = self.opened.timestamp();
        let mut items = self.table.query(pk).map_err(fail)?;
        items.retain(|item| number(item, "ttl").is_none_or(|ttl| ttl > now));
        Ok(items)
    }

    fn decoded<T: DeserializeOwned>(&self, item: &Item) -> Result<T, StoreError> {
        let body = text(item, "body").unwrap_or_default();
        serde_json::from_str(body).map_err(|e| {
            let key = |name| text(item, name).unwrap_or_default();
            let (pk, sk) = (key("pk"), key("sk"));
            let cause = format!(
                "the item `pk` = `{pk}`, `sk` = `{sk}` is not what this program writes ({e}): look at it, and bring it back from a \
                 point-in-time recovery or delete it"
            );
            damaged(self.table.name(), &cause)
        })
    }

    fn encoded<T: Serialize>(&self, key: Key, value: &T) -> Result<Item, StoreError> {
        let body = serde_json::to_string(value).map_err(|e| damaged(self.table.name(), &e.to_string()))?;
        let mut item = keyed(key);
        item.insert("body".to_owned(), AttributeValue::S(body));
        Ok(item)
    }

    fn put(&self, item: Item, condition: Option<(&str, Item)>) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(self.table.name()).set_item(Some(item));
        let put = match condition {
            Some((expression, values)) => put
                .condition_expression(expression)
                .set_expression_attribute_values(Some(values).filter(|v| !v.is_empty())),
            None => put,
        };
        let put = put.build().map_err(|e| damaged(self.table.name(), &e.to_string()))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// The writes of one alert with everything that tells of it.
    fn alert_writes(
        &self,
        alert: &Alert,
        commit: &AlertCommit,
        token: &str,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let next = Alert {
            version: alert.version + 1,
            ..alert.clone()
        };
        let mut item = self.encoded(alert_key(&alert.id), &next)?;
        item.insert("version".to_owned(), whole(next.version));
        item.insert("token".to_owned(), AttributeValue::S(token.to_owned()));
        if !next.is_open() {
            let until = next.period.end.max(next.evaluated_at).timestamp() + KEPT_DAYS * 86_400;
            item.insert("ttl".to_owned(), whole(until));
        }
        let condition = if alert.version == 0 {
            ("attribute_not_exists(pk)", Item::new())
        } else {
            let was = HashMap::from([(":was".to_owned(), whole(alert.version))]);
            ("version = :was", was)
        };
        let mut writes = vec![self.put(item, Some(condition))?];
        let own = commit.transitions.iter().filter(|t| t.alert_id == alert.id);
        for (n, transition) in own.enumerate() {
            let sk = format!("{:020}#{n:04}", next.version);
            let item = self.encoded((format!("history#{}", alert.id), sk), transition)?;
            writes.push(self.put(item, None)?);
        }
        Ok(writes)
    }

    fn message_write(
        &self,
        n: usize,
        message: &Notification,
        version: Option<u64>,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut item = self.encoded(outbox_key(&message.id), message)?;
        // A later commit may be decided at the same instant: its messages come after those that wait already.
        let order = format!("{:020}#{n:06}", message.decided_at.timestamp_micros());
        item.insert("position".to_owned(), AttributeValue::S(order));
        item.insert("attempts".to_owned(), whole(0));
        item.extend(version.map(|version| ("version".to_owned(), whole(version))));
        self.put(item, None)
    }

    /// Before a commit that takes several transactions: every alert is as it was read, or nothing is written at all.
    fn check_versions(&mut self, alerts: &[Alert]) -> Result<(), StoreError> {
        let fail = self.fail();
        let found = self
            .table
            .get_all(alerts.iter().map(|a| alert_key(&a.id)))
            .map_err(fail)?;
        for alert in alerts {
            let known = found
                .get(&alert_key(&alert.id))
                .and_then(|item| number(item, "version"));
            if known.unwrap_or(0) != i64::try_from(alert.version).unwrap_or(i64::MAX) {
                return Err(conflict(&alert.id));
            }
        }
        Ok(())
    }

    fn renew(&mut self) -> Result<(), StoreError> {
        let fail = self.fail();
        let until = self.lease_end();
        let values = HashMap::from([
            (":until".to_owned(), whole(until)),
            (":me".to_owned(), AttributeValue::S(self.owner.clone())),
        ]);
        let held = self
            .table
            .update(lease_key(), "SET until_second = :until", Some("holder = :me"), values);
        match held.map_err(fail)? {
            true => Ok(()),
            false => Err(StoreError::Conflict {
                what: "the right to deliver".to_owned(),
            }),
        }
    }
}

fn whole(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn alert_key(id: &str) -> Key {
    ("alert".to_owned(), id.to_owned())
}

fn outbox_key(id: &str) -> Key {
    ("outbox".to_owned(), id.to_owned())
}

fn lease_key() -> Key {
    ("lease".to_owned(), "outbox".to_owned())
}

fn conflict(id: &str) -> StoreError {
    StoreError::Conflict {
        what: format!("alert {id}"),
    }
}

/// Bytes that a write takes, near enough for the limit.
fn bytes(write: &TransactWriteItem) -> usize {
    let body = |item: &Item| text(item, "body").map_or(0, str::len) + 300;
    write.put().map_or(300, |put| body(put.item()))
}

impl AlertStore for DynamoAlerts {
    fn alerts(&mut self, since: Option<DateTime<Utc>>) -> Result<Vec<Alert>, StoreError> {
        let items = self.live("alert")?;
        let alerts: Result<Vec<Alert>, _> = items.iter().map(|item| self.decoded(item)).collect();
        let wanted = |a: &Alert| a.is_open() || since.is_none_or(|at| a.period.end > at);
        Ok(alerts?.into_iter().filter(wanted).collect())
    }

    fn history(&mut self, alert_id: &str) -> Result<Vec<Transition>, StoreError> {
        let items = self.live(&format!("history#{alert_id}"))?;
        items.iter().map(|item| self.decoded(item)).collect()
    }

    fn silences(&mut self) -> Result<Vec<Silence>, StoreError> {
        let items = self.live("silence")?;
        items.iter().map(|item| self.decoded(item)).collect()
    }

    fn silence(&mut self, silence: &Silence) -> Result<(), StoreError> {
        let fail = self.fail();
        let mut item = self.encoded(("silence".to_owned(), silence.id.clone()), silence)?;
        item.insert("ttl".to_owned(), whole(silence.until.timestamp() + KEPT_DAYS * 86_400));
        self.table.write_all(vec![item], Vec::new()).map_err(fail)
    }

    /// One transaction as long as everything fits into one. Beyond that, versions are checked first and each alert goes with
    /// its history in one transaction, its messages behind it: a crash in between leaves whole alerts, and the next
    /// evaluation decides on the others.
    fn commit(&mut self, commit: &AlertCommit) -> Result<(), StoreError> {
        let mut seen = BTreeSet::new();
        if let Some(twice) = commit.alerts.iter().find(|a| !seen.insert(&a.id)) {
            return Err(conflict(&twice.id));
        }
        // A message that waits already keeps its place and its attempts.
        let fail = self.fail();
        let waiting = self
            .table
            .get_all(commit.messages.iter().map(|m| outbox_key(&m.id)))
            .map_err(fail)?;
        let mut new = BTreeSet::new();
        let fresh: Vec<(usize, &Notification)> = commit
            .messages
            .iter()
            .enumerate()
            .filter(|(_, m)| !waiting.contains_key(&outbox_key(&m.id)) && new.insert(&m.id))
            .map(|(n, m)| (self.messages + n, m))
            .collect();
        self.messages += commit.messages.len();
        let token = format!("{:016x}", stamp());
        let mut groups: Vec<Vec<TransactWriteItem>> = Vec::new();
        for alert in &commit.alerts {
            let mut writes = self.alert_writes(alert, commit, &token)?;
            for (n, message) in fresh.iter().filter(|(_, m)| m.alert_id == alert.id) {
                writes.push(self.message_write(*n, message, Some(alert.version))?);
            }
            groups.push(writes);
        }
        let known = |id: &str| commit.alerts.iter().any(|a| a.id == id);
        for (n, message) in fresh.iter().filter(|(_, m)| !known(&m.alert_id)) {
            groups.push(vec![self.message_write(*n, message, None)?]);
        }
        let batches = batched(groups);
        if batches.len() > 1 {
            self.check_versions(&commit.alerts)?;
        }
        for batch in batches {
            let fail = self.fail();
            if !self.table.transact(batch).map_err(fail)? && !self.was_written(commit, &token)? {
                let first = commit.alerts.first().map_or("", |a| a.id.as_str());
                return Err(conflict(first));
            }
        }
        Ok(())
    }
}

/// Groups that belong together, packed into transactions.
fn batched(groups: Vec<Vec<TransactWriteItem>>) -> Vec<Vec<TransactWriteItem>> {
    let mut batches: Vec<Vec<TransactWriteItem>> = Vec::new();
    let mut size = 0;
    for group in groups {
        let more: usize = group.iter().map(bytes).sum();
        match batches.last_mut() {
            Some(batch) if batch.len() + group.len() <= WRITES && size + more <= BYTES => {
                batch.extend(group);
                size += more;
            }
            _ => {
                batches.push(group);
                size = more;
            }
        }
    }
    batches
}

impl DynamoAlerts {
    /// Whether the alerts carry the token of this commit: a retry of a write whose answer was lost fails its own conditions.
    fn was_written(&mut self, commit: &AlertCommit, token: &str) -> Result<bool, StoreError> {
        let fail = self.fail();
        let keys = commit.alerts.iter().map(|a| alert_key(&a.id));
        let found = self.table.get_all(keys).map_err(fail)?;
        let ours = |a: &Alert| found.get(&alert_key(&a.id)).and_then(|item| text(item, "token")) == Some(token);
        Ok(!commit.alerts.is_empty() && commit.alerts.iter().all(ours))
    }
}
