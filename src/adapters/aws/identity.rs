//! Who we are to AWS: asked before anything is read or written.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;

use super::client::Aws;
use super::failure::{Failure, Kind, NOT_ALLOWED};
use super::permissions::Permission;

/// What asking calls.
pub const PERMISSION: Permission = Permission {
    sid: "WhoAmI",
    actions: &["sts:GetCallerIdentity"],
};

/// Time for one attempt: the answer is a line.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Attempts. A run goes on without an answer, and what asks has the time of the run to itself.
const ATTEMPTS: u32 = 2;

/// The id of the account that the credentials belong to.
pub fn account(aws: &Aws) -> Result<String, Failure> {
    let known = aws.config().timeout_config().cloned();
    let known = known.unwrap_or_else(TimeoutConfig::disabled);
    let attempt = known
        .operation_attempt_timeout()
        .map_or(ATTEMPT, |known| known.min(ATTEMPT));
    let timeouts = known.to_builder().operation_attempt_timeout(attempt).build();
    let config = aws_sdk_sts::config::Builder::from(aws.config())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    let client = aws_sdk_sts::Client::from_conf(config.build());
    let answer = aws
        .wait(client.get_caller_identity().send())
        .map_err(|e| Failure::of("sts:GetCallerIdentity", &e))?;
    answer
        .account
        .ok_or_else(|| Failure::new(Kind::Refused, "sts:GetCallerIdentity: the answer names no account"))
}

/// The same, if it may be used: it, and the one with whose credentials its role is taken. An empty list allows any.
pub fn allowed(aws: &Aws, allowed: &[String]) -> Result<String, Failure> {
    if let Some(own) = aws.own().filter(|_| !allowed.is_empty()) {
        self::allowed(own, allowed)?;
    }
    let account = account(aws)?;
    if allowed.is_empty() || allowed.contains(&account) {
        return Ok(account);
    }
    Err(Failure::new(
        Kind::Denied,
        format!("the account `{account}` {NOT_ALLOWED}"),
    ))
}
