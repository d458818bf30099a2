//! Everything on AWS, against emulators over HTTP.

mod accounts;
mod athena;
mod bill;
mod command;
mod delivery;
mod dynamodb;
mod emulator;
mod identity;
mod lambda;
mod one_bill;
mod permissions;
mod proxy;
mod silent;
mod sixty_days;
mod sns;
mod traces;
mod usage;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use finops::adapters::aws::Aws;
use finops::adapters::aws::client::CallLimits;
use finops::adapters::aws::dynamodb::{DynamoAlerts, DynamoLedger, Table};
use finops::adapters::clock::SystemClock;
use finops::ports::Retention;
use serde_json::json;

pub use emulator::{Emulator, emulators, ministack};

const LIMITS: CallLimits = CallLimits {
    attempt: Duration::from_secs(20),
    operation: Duration::from_secs(60),
    attempts: 4,
};

/// A connection to an emulator.
pub fn connect(emulator: &Emulator) -> Aws {
    Aws::at_emulator(&emulator.url, LIMITS).unwrap()
}

/// A new table, as terraform creates it.
pub fn create_table(emulator: &Emulator) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "test-{}-ai-costs-{}",
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    create_table_named(emulator, &name);
    name
}

pub fn create_table_named(emulator: &Emulator, name: &str) {
    let definition = json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            { "AttributeName": "pk", "AttributeType": "S" },
            { "AttributeName": "sk", "AttributeType": "S" },
        ],
        "KeySchema": [
            { "AttributeName": "pk", "KeyType": "HASH" },
            { "AttributeName": "sk", "KeyType": "RANGE" },
        ],
    });
    emulator.call("dynamodb", "DynamoDB_20120810.CreateTable", &definition);
}

/// A ledger in a table of its own.
pub fn ledger(emulator: &Emulator, now: DateTime<Utc>) -> DynamoLedger {
    let table = create_table(emulator);
    open(emulator, &table, now)
}

/// Alerts in a table of their own.
pub fn alerts(emulator: &Emulator) -> DynamoAlerts {
    let table = create_table(emulator);
    open_alerts(emulator, &table)
}

pub fn open_alerts(emulator: &Emulator, table: &str) -> DynamoAlerts {
    let now = "2026-11-10T12:00:00Z".parse().unwrap();
    DynamoAlerts::new(
        Table::new(connect(emulator), table.to_owned()),
        Box::new(SystemClock),
        now,
    )
}

pub fn open(emulator: &Emulator, table: &str, now: DateTime<Utc>) -> DynamoLedger {
    DynamoLedger::new(
        Table::new(connect(emulator), table.to_owned()),
        Retention { detail_days: 90 },
        now,
    )
}
