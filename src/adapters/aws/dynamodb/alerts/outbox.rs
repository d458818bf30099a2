//! The outbox on DynamoDB: one item per message, and a lease for the right to deliver.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem};
use chrono::{DateTime, Utc};

use super::super::table::{keyed, number, text};
use super::{DynamoAlerts, KEPT_DAYS, conflict, lease_key, outbox_key, whole};
use crate::adapters::aws::failure::{Failure, Kind};
use crate::ports::{Outbox, Pending, Receipt, StoreError};

/// Messages with the version that their alert had: those of one alert, decided by runs whose clocks differ, take the places that they have in
/// the order in which it changed.
fn in_turn(waiting: Vec<(Option<i64>, Pending)>) -> Vec<Pending> {
    let mut places: BTreeMap<&str, Vec<(i64, usize)>> = BTreeMap::new();
    for (place, (version, pending)) in waiting.iter().enumerate() {
        if let Some(version) = version {
            let of_alert = places.entry(&pending.message.alert_id).or_default();
            of_alert.push((*version, place));
        }
    }
    let mut order: Vec<usize> = (0..waiting.len()).collect();
    for of_alert in places.into_values() {
        let mut sorted = of_alert.clone();
        sorted.sort_unstable();
        for ((_, place), (_, from)) in of_alert.into_iter().zip(sorted) {
            if let Some(slot) = order.get_mut(place) {
                *slot = from;
            }
        }
    }
    let mut left: Vec<Option<Pending>> = waiting.into_iter().map(|(_, pending)| Some(pending)).collect();
    let taken = order.into_iter().filter_map(|from| left.get_mut(from)?.take());
    taken.collect()
}

impl Outbox for DynamoAlerts {
    /// The right to deliver is a lease: it is renewed with every outcome, and ends five minutes after the last sign of life of
    /// a holder that died.
    fn claim(&mut self) -> Result<Vec<Pending>, StoreError> {
        let fail = self.fail();
        let now = self.clock.now().timestamp();
        let mut lease = keyed(lease_key());
        lease.insert("holder".to_owned(), AttributeValue::S(self.owner.clone()));
        lease.insert("until_second".to_owned(), whole(self.lease_end()));
        let values = HashMap::from([
            (":now".to_owned(), whole(now)),
            (":me".to_owned(), AttributeValue::S(self.owner.clone())),
        ]);
        let condition = "attribute_not_exists(pk) OR holder = :me OR until_second < :now";
        if !self.table.put_if(lease, condition, values).map_err(fail)? {
            return Ok(Vec::new());
        }
        self.waiting()
    }

    fn waiting(&mut self) -> Result<Vec<Pending>, StoreError> {
        let mut items = self.live("outbox")?;
        items.sort_by(|a, b| text(a, "position").cmp(&text(b, "position")));
        let waiting = items.iter().map(|item| {
            let count = |name| number(item, name).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
            let pending = Pending {
                message: self.decoded(item)?,
                attempts: count("attempts"),
                refused: count("refused"),
                not_before: number(item, "not_before").and_then(|second| DateTime::from_timestamp(second, 0)),
                reason: text(item, "last_failure").unwrap_or_default().to_owned(),
            };
            Ok((number(item, "version"), pending))
        });
        Ok(in_turn(waiting.collect::<Result<_, StoreError>>()?))
    }

    fn delivered(&mut self, id: &str, receipt: &Receipt, at: DateTime<Utc>) -> Result<(), StoreError> {
        let fail = self.fail();
        let mut item = keyed(("receipt".to_owned(), id.to_owned()));
        item.insert("at".to_owned(), AttributeValue::S(at.to_rfc3339()));
        item.insert("answer".to_owned(), AttributeValue::S(receipt.answer.clone()));
        item.insert("ttl".to_owned(), whole(at.timestamp() + KEPT_DAYS * 86_400));
        let gone = Delete::builder()
            .table_name(self.table.name())
            .set_key(Some(keyed(outbox_key(id))));
        let gone = gone
            .build()
            .map_err(|e| fail(Failure::new(Kind::Refused, e.to_string())))?;
        let writes = vec![self.put(item, None)?, TransactWriteItem::builder().delete(gone).build()];
        // A conflict with another transaction is no answer: this one has no conditions, so that it may just be tried again.
        for round in 0..6 {
            if self.table.transact(writes.clone()).map_err(&fail)? {
                return self.renew();
            }
            self.table.pause(round);
        }
        Err(conflict(id))
    }

    fn failed(&mut self, after: &Pending) -> Result<(), StoreError> {
        let fail = self.fail();
        let reason = after.reason.chars().take(1000).collect();
        let mut values = HashMap::from([
            (":attempts".to_owned(), whole(after.attempts)),
            (":refused".to_owned(), whole(after.refused)),
            (":reason".to_owned(), AttributeValue::S(reason)),
        ]);
        let mut change = "SET attempts = :attempts, refused = :refused, last_failure = :reason".to_owned();
        match after.not_before {
            Some(until) => {
                values.insert(":until".to_owned(), whole(until.timestamp()));
                change.push_str(", not_before = :until");
            }
            None => change.push_str(" REMOVE not_before"),
        }
        // A message that is gone was delivered by someone else.
        let key = outbox_key(&after.message.id);
        self.table
            .update(key, &change, Some("attribute_exists(pk)"), values)
            .map_err(fail)?;
        self.renew()
    }

    fn release(&mut self) -> Result<(), StoreError> {
        let fail = self.fail();
        let values = HashMap::from([(":me".to_owned(), AttributeValue::S(self.owner.clone()))]);
        self.table
            .delete_if(lease_key(), "holder = :me", values)
            .map_err(fail)?;
        Ok(())
    }
}
