//! The stores on DynamoDB: the ledger as immutable packed items under one conditionally replaced head, and alerts beside it.

mod again;
pub mod alerts;
mod bytes;
mod calls;
mod cancelled;
mod checkpoints;
mod fold;
mod head;
pub mod heartbeats;
mod identities;
pub mod ledger;
mod merge;
mod record;
mod rows;
mod store;
mod table;

pub use alerts::DynamoAlerts;
pub use ledger::DynamoLedger;
pub use table::{Meter, Table};

use super::failure::Failure;
use super::permissions::Permission;
use crate::ports::StoreError;

/// What the stores call. A transaction is authorised by the actions of its items.
pub const PERMISSION: Permission = Permission {
    sid: "Ledger",
    actions: &[
        "dynamodb:BatchGetItem",
        "dynamodb:BatchWriteItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    ],
};

/// The tables of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableNames {
    /// Spend, calls, bills.
    pub costs: String,
    /// Alerts, outbox, heartbeats.
    pub alerts: String,
}

impl TableNames {
    /// `{namespace}-ai-costs-{environment}` and `{namespace}-cost-alerts-{environment}`.
    #[must_use]
    pub fn of(namespace: &str, environment: &str) -> Self {
        TableNames {
            costs: format!("{namespace}-ai-costs-{environment}"),
            alerts: format!("{namespace}-cost-alerts-{environment}"),
        }
    }
}

/// The store's error for a failed call.
fn failed(table: &str, failure: &Failure) -> StoreError {
    StoreError::Failed {
        path: format!("dynamodb:{table}"),
        cause: format!("{failure}; {}", failure.hint()),
    }
}

/// The store's error for content that is not what this version writes.
fn damaged(table: &str, what: &str) -> StoreError {
    StoreError::Damaged {
        path: format!("dynamodb:{table}"),
        cause: what.to_owned(),
    }
}
