//! One record per run: when it ran and what it answered. Gone by itself after a while.

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Utc};

use super::failed;
use super::table::{Table, keyed};
use crate::ports::StoreError;

/// Days that a heartbeat is kept.
const KEPT_DAYS: i64 = 90;

/// Characters of a summary that are kept with it.
const SUMMARY_LIMIT: usize = 50_000;

/// Keeps the heartbeat of a run.
pub fn keep(table: &mut Table, request_id: &str, summary: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let mut item = keyed(("heartbeat".to_owned(), format!("{}#{request_id}", now.to_rfc3339())));
    let body: String = summary.chars().take(SUMMARY_LIMIT).collect();
    item.insert("body".to_owned(), AttributeValue::S(body));
    let ttl = now.timestamp() + KEPT_DAYS * 86_400;
    item.insert("ttl".to_owned(), AttributeValue::N(ttl.to_string()));
    let name = table.name().to_owned();
    table.write_all(vec![item], Vec::new()).map_err(|e| failed(&name, &e))
}
