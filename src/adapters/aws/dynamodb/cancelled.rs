//! Why DynamoDB cancelled a transaction. It says so within an error of its own kind, which the SDK tries again for no reason.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};

use crate::adapters::aws::failure::{Failure, Kind};

/// What the call is called in errors.
pub const TRANSACT: &str = "dynamodb:TransactWriteItems";

/// The failure of a transaction that was cancelled; none of one that failed otherwise. A conflict with another transaction is a condition that
/// did not hold.
pub fn cancelled(error: &TransactWriteItemsError) -> Option<Failure> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return None;
    };
    let reasons = cancelled.cancellation_reasons().iter();
    Some(failure(&reasons.filter_map(|reason| reason.code()).collect::<Vec<_>>()))
}

/// Of the reasons, one for each write: of those that have nothing to do with it `None`, spelled out.
fn failure(reasons: &[&str]) -> Failure {
    let unmet = ["ConditionalCheckFailed", "TransactionConflict"];
    if reasons.iter().any(|reason| unmet.contains(reason)) {
        return Failure::new(Kind::Condition, format!("{TRANSACT}: a condition did not hold"));
    }
    let real = reasons.iter().filter(|reason| **reason != "None");
    let sorted: Vec<Failure> = real
        .map(|reason| Failure::answered(TRANSACT, reason, "", 400))
        .collect();
    let throttled = sorted.iter().all(|failure| failure.kind == Kind::Throttled);
    match sorted.into_iter().next() {
        Some(first) if throttled => first,
        _ => Failure::new(Kind::Refused, format!("{TRANSACT}: cancelled ({})", reasons.join(", "))),
    }
}

/// Has the SDK try again what was throttled, as it does with every other call. Nothing of a transaction that is cancelled was carried out.
#[derive(Debug)]
pub struct Throttled;

impl ClassifyRetry for Throttled {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let error = error.and_then(|error| error.as_operation_error()?.downcast_ref());
        match error.and_then(cancelled) {
            Some(failure) if failure.kind == Kind::Throttled => RetryAction::throttling_error(),
            Some(_) | None => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "transactions cancelled since they were throttled"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_weighed_the_one_that_cannot_be_mended_by_waiting_first() {
        for (reasons, kind, words) in [
            (
                &["None", "ThrottlingError"][..],
                Kind::Throttled,
                "throttled after retries (ThrottlingError)",
            ),
            (
                &["ProvisionedThroughputExceeded", "ThrottlingError"],
                Kind::Throttled,
                "throttled after retries (ProvisionedThroughputExceeded)",
            ),
            (
                &["ConditionalCheckFailed", "ThrottlingError"],
                Kind::Condition,
                "a condition did not hold",
            ),
            (
                &["None", "TransactionConflict"],
                Kind::Condition,
                "a condition did not hold",
            ),
            (
                &["ValidationError", "ThrottlingError"],
                Kind::Refused,
                "cancelled (ValidationError, ThrottlingError)",
            ),
            (
                &["ItemCollectionSizeLimitExceeded"],
                Kind::Refused,
                "cancelled (ItemCollectionSizeLimitExceeded)",
            ),
            (&[], Kind::Refused, "cancelled ()"),
        ] {
            let found = failure(reasons);
            assert_eq!(
                (found.kind, found.to_string()),
                (kind, format!("{TRANSACT}: {words}")),
                "{reasons:?}"
            );
        }
    }
}
