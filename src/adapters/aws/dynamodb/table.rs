//! A DynamoDB table as few verbs: whole answers, whatever is unprocessed tried again, every unit of capacity counted.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteRequest, KeysAndAttributes, PutRequest, TransactWriteItem, WriteRequest,
};
use tokio::task::JoinSet;

use super::cancelled::{TRANSACT, Throttled, cancelled};
use crate::adapters::aws::client::Aws;
use crate::adapters::aws::failure::{Failure, Kind};

/// Attributes by name.
pub type Item = HashMap<String, AttributeValue>;

/// Items of one BatchWriteItem: its limit.
const WRITE_BATCH: usize = 25;

/// Keys of one BatchGetItem. Its limit is 100 and 16 MB; items here have up to 360 KB.
const READ_BATCH: usize = 40;

/// Requests under way at once: hides the round trip without filling memory.
const CONCURRENT: usize = 6;

/// Rounds for what DynamoDB left unprocessed, with doubling pauses: half a minute in all.
const ROUNDS: u32 = 10;

/// Pages of one query before it counts as endless: 10 GB.
const MAX_PAGES: usize = 10_000;

/// Capacity used since the table was opened, computed from the sizes of the items by DynamoDB's rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// Requests made, retries of the SDK apart.
    pub requests: u64,
    /// Write units: 1 per KB begun, 2 in a transaction. A delete costs the size of what it deletes, where that is known.
    pub write_units: u64,
    /// Read units at strong consistency: 1 per 4 KB begun.
    pub read_units: u64,
}

/// One table.
pub struct Table {
    aws: Aws,
    client: Client,
    name: String,
    meter: Meter,
}

/// A key: partition and sort.
pub type Key = (String, String);

/// Builds an item: its key and a packed body.
pub fn packed(key: Key, body: Vec<u8>) -> Item {
    let mut item = keyed(key);
    item.insert("b".to_owned(), AttributeValue::B(Blob::new(body)));
    item
}

/// An item with nothing but its key.
pub fn keyed((pk, sk): Key) -> Item {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(pk)),
        ("sk".to_owned(), AttributeValue::S(sk)),
    ])
}

/// The packed body of an item.
pub fn body(item: Item) -> Option<Vec<u8>> {
    match { item }.remove("b") {
        Some(AttributeValue::B(blob)) => Some(blob.into_inner()),
        _ => None,
    }
}

/// A text attribute.
pub fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
}

/// A whole number.
pub fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)
        .and_then(|value| value.as_n().ok())
        .and_then(|text| text.parse().ok())
}

/// The key of an item.
pub fn key_of(item: &Item) -> Option<Key> {
    Some((text(item, "pk")?.to_owned(), text(item, "sk")?.to_owned()))
}

/// Bytes that DynamoDB counts: names and values, UTF-8, numbers about two digits a byte.
fn size(item: &Item) -> u64 {
    let value = |value: &AttributeValue| {
        let text = value.as_s().map(String::len);
        let digits = value.as_n().map(|digits| digits.len() / 2 + 2);
        let bytes = value.as_b().map(|blob| blob.as_ref().len());
        text.or(digits).or(bytes).unwrap_or(1)
    };
    item.iter().map(|(name, v)| name.len() + value(v)).sum::<usize>() as u64
}

fn write_units(item: &Item) -> u64 {
    size(item).div_ceil(1024).max(1)
}

fn read_units(item: &Item) -> u64 {
    size(item).div_ceil(4096).max(1)
}

impl Table {
    /// A table by its name. Nothing is asked yet.
    #[must_use]
    pub fn new(aws: Aws, name: String) -> Self {
        let config = aws_sdk_dynamodb::config::Builder::from(aws.config()).retry_classifier(Throttled);
        let client = Client::from_conf(config.build());
        Table {
            aws,
            client,
            name,
            meter: Meter::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was used so far.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.meter
    }

    /// One item, strongly consistent.
    pub fn get(&mut self, key: Key) -> Result<Option<Item>, Failure> {
        let request = self.client.get_item().table_name(&self.name).consistent_read(true);
        let answer = self.aws.wait(request.set_key(Some(keyed(key))).send());
        let item = answer.map_err(|e| Failure::of("dynamodb:GetItem", &e))?.item;
        self.meter.requests += 1;
        self.meter.read_units += item.as_ref().map_or(1, read_units);
        Ok(item)
    }

    /// All items of a partition, over all pages, in the order of the sort key.
    pub fn query(&mut self, pk: &str) -> Result<Vec<Item>, Failure> {
        let mut items = Vec::new();
        let mut from: Option<Item> = None;
        for _ in 0..MAX_PAGES {
            let request = self
                .client
                .query()
                .table_name(&self.name)
                .consistent_read(true)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
                .set_exclusive_start_key(from.take());
            let page = self
                .aws
                .wait(request.send())
                .map_err(|e| Failure::of("dynamodb:Query", &e))?;
            self.meter.requests += 1;
            let found = page.items.unwrap_or_default();
            self.meter.read_units += found.iter().map(size).sum::<u64>().div_ceil(4096).max(1);
            items.extend(found);
            from = page.last_evaluated_key.filter(|key| !key.is_empty());
            if from.is_none() {
                return Ok(items);
            }
        }
        Err(Failure::new(Kind::Refused, format!("the partition `{pk}` has no end")))
    }

    /// Many items by key, strongly consistent; those that do not exist are missing from the answer.
    pub fn get_all(&mut self, keys: impl IntoIterator<Item = Key>) -> Result<HashMap<Key, Item>, Failure> {
        // A key given twice is refused by BatchGetItem.
        let keys: BTreeSet<Key> = keys.into_iter().collect();
        let mut open: Vec<Item> = keys.into_iter().map(keyed).collect();
        let mut found = HashMap::new();
        for round in 0..ROUNDS {
            let mut left = Vec::new();
            let calls = open.chunks(READ_BATCH).map(|chunk| {
                let asked = KeysAndAttributes::builder()
                    .consistent_read(true)
                    .set_keys(Some(chunk.to_vec()));
                let asked = asked.build().map(|asked| HashMap::from([(self.name.clone(), asked)]));
                (self.client.batch_get_item(), asked)
            });
            let calls: Vec<_> = calls.collect();
            for group in in_groups(calls) {
                let answers = self.aws.wait(async {
                    let mut set = JoinSet::new();
                    for (request, asked) in group {
                        let Ok(asked) = asked else { continue };
                        set.spawn(request.set_request_items(Some(asked)).send());
                    }
                    set.join_all().await
                });
                for answer in answers {
                    let answer = answer.map_err(|e| Failure::of("dynamodb:BatchGetItem", &e))?;
                    self.meter.requests += 1;
                    for item in answer
                        .responses
                        .unwrap_or_default()
                        .remove(&self.name)
                        .unwrap_or_default()
                    {
                        self.meter.read_units += read_units(&item);
                        if let Some(key) = key_of(&item) {
                            found.insert(key, item);
                        }
                    }
                    let unprocessed = answer.unprocessed_keys.unwrap_or_default().remove(&self.name);
                    left.extend(unprocessed.map(|u| u.keys).unwrap_or_default());
                }
            }
            if left.is_empty() {
                return Ok(found);
            }
            open = left;
            self.pause(round);
        }
        Err(Failure::new(
            Kind::Throttled,
            "dynamodb:BatchGetItem: keys stayed unprocessed, after retries",
        ))
    }

    /// Puts items and deletes keys, in any order, each on its own: for items that nobody can see yet or any more.
    pub fn write_all(&mut self, puts: Vec<Item>, deletes: Vec<Key>) -> Result<(), Failure> {
        self.meter.write_units += puts.iter().map(write_units).sum::<u64>() + deletes.len() as u64;
        let put = |item| {
            PutRequest::builder()
                .set_item(Some(item))
                .build()
                .map(|p| WriteRequest::builder().put_request(p).build())
        };
        let delete = |key| {
            let request = DeleteRequest::builder().set_key(Some(keyed(key))).build();
            request.map(|d| WriteRequest::builder().delete_request(d).build())
        };
        let requests = puts.into_iter().map(put).chain(deletes.into_iter().map(delete));
        let mut open: Vec<WriteRequest> = requests
            .collect::<Result<_, _>>()
            .map_err(|e| Failure::new(Kind::Refused, e.to_string()))?;
        for round in 0..ROUNDS {
            let mut left = Vec::new();
            let chunks: Vec<Vec<WriteRequest>> = open.chunks(WRITE_BATCH).map(<[_]>::to_vec).collect();
            for group in in_groups(chunks) {
                let answers = self.aws.wait(async {
                    let mut set = JoinSet::new();
                    for chunk in group {
                        set.spawn(self.client.batch_write_item().request_items(&self.name, chunk).send());
                    }
                    set.join_all().await
                });
                for answer in answers {
                    let answer = answer.map_err(|e| Failure::of("dynamodb:BatchWriteItem", &e))?;
                    self.meter.requests += 1;
                    left.extend(
                        answer
                            .unprocessed_items
                            .unwrap_or_default()
                            .remove(&self.name)
                            .unwrap_or_default(),
                    );
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            open = left;
            self.pause(round);
        }
        Err(Failure::new(
            Kind::Throttled,
            "dynamodb:BatchWriteItem: items stayed unprocessed, after retries",
        ))
    }

    /// Puts one item if `condition` holds of the item that it replaces; `Ok(false)` when it does not.
    pub fn put_if(&mut self, item: Item, condition: &str, values: Item) -> Result<bool, Failure> {
        self.meter.write_units += write_units(&item);
        self.meter.requests += 1;
        let request = self.client.put_item().table_name(&self.name).set_item(Some(item));
        let request = request
            .condition_expression(condition)
            .set_expression_attribute_values(Some(values).filter(|v| !v.is_empty()));
        conditional(
            self.aws
                .wait(request.send())
                .map_err(|e| Failure::of("dynamodb:PutItem", &e)),
        )
    }

    /// Deletes one item if `condition` holds of it; `Ok(false)` when it does not.
    pub fn delete_if(&mut self, key: Key, condition: &str, values: Item) -> Result<bool, Failure> {
        self.meter.write_units += 1;
        self.meter.requests += 1;
        let request = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(keyed(key)));
        let request = request
            .condition_expression(condition)
            .set_expression_attribute_values(Some(values).filter(|v| !v.is_empty()));
        conditional(
            self.aws
                .wait(request.send())
                .map_err(|e| Failure::of("dynamodb:DeleteItem", &e)),
        )
    }

    /// Changes one item in place, creating it if need be.
    pub fn update(
        &mut self,
        key: Key,
        expression: &str,
        condition: Option<&str>,
        values: Item,
    ) -> Result<bool, Failure> {
        self.meter.write_units += 1;
        self.meter.requests += 1;
        let request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(keyed(key)));
        let request = request
            .update_expression(expression)
            .set_condition_expression(condition.map(str::to_owned))
            .set_expression_attribute_values(Some(values).filter(|v| !v.is_empty()));
        conditional(
            self.aws
                .wait(request.send())
                .map_err(|e| Failure::of("dynamodb:UpdateItem", &e)),
        )
    }

    /// Carries out all writes or none; `Ok(false)` when a condition did not hold, or another transaction was under way. At most 100 writes and 4 MB.
    pub fn transact(&mut self, writes: Vec<TransactWriteItem>) -> Result<bool, Failure> {
        let put_units = |w: &TransactWriteItem| w.put().map_or(1, |p| write_units(p.item()));
        self.meter.write_units += 2 * writes.iter().map(put_units).sum::<u64>();
        self.meter.requests += 1;
        let request = self.client.transact_write_items().set_transact_items(Some(writes));
        conditional(self.aws.wait(request.send()).map_err(|error| {
            let cancelled = error.as_service_error().and_then(cancelled);
            cancelled.unwrap_or_else(|| Failure::of(TRANSACT, &error))
        }))
    }

    /// Waits before another round, longer each time.
    pub fn pause(&self, round: u32) {
        let time = Duration::from_millis(50 << round.min(7));
        self.aws.wait(async { tokio::time::sleep(time).await });
    }
}

fn conditional<T>(answer: Result<T, Failure>) -> Result<bool, Failure> {
    match answer {
        Ok(_) => Ok(true),
        Err(failure) if failure.kind == Kind::Condition => Ok(false),
        Err(failure) => Err(failure),
    }
}

fn in_groups<T>(calls: Vec<T>) -> Vec<Vec<T>> {
    let mut groups = Vec::with_capacity(calls.len().div_ceil(CONCURRENT));
    let mut calls = calls.into_iter().peekable();
    while calls.peek().is_some() {
        groups.push(calls.by_ref().take(CONCURRENT).collect());
    }
    groups
}
