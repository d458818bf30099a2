//! Who we are to AWS: asked before anything is read or written.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;

use super::client::Aws;
use super::failure::{Failure, Kind, NOT_ALLOWED};
use super::permissions::Permission;
use crate::adapters::clock::SystemClock;
use crate::ports::Clock as _;

/// What asking calls.
pub const PERMISSION: Permission = Permission {
    sid: "WhoAmI",
    actions: &["sts:GetCallerIdentity"],
};

const ACTION: &str = "sts:GetCallerIdentity";

/// Time for one attempt: the answer is a line.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Attempts. A run goes on without an answer, and what asks has the time of the run to itself.
const ATTEMPTS: u32 = 2;

/// What asking has at least, however late it is: what can answer does.
const LEAST: Duration = Duration::from_secs(2);

/// The id of the account that the credentials belong to.
pub fn account(aws: &Aws) -> Result<String, Failure> {
    account_until(aws, None)
}

fn account_until(aws: &Aws, until: Option<Duration>) -> Result<String, Failure> {
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
    let until = until.map(|until| until.max(SystemClock.elapsed() + LEAST));
    let answer = aws
        .wait_until(ACTION, until, client.get_caller_identity().send())?
        .map_err(|e| Failure::of(ACTION, &e))?;
    answer
        .account
        .ok_or_else(|| Failure::new(Kind::Refused, "sts:GetCallerIdentity: the answer names no account"))
}

/// The same, if it may be used: it, and the one with whose credentials its role is taken. An empty list allows any.
pub fn allowed(aws: &Aws, allowed: &[String]) -> Result<String, Failure> {
    allowed_until(aws, allowed, None)
}

/// The same in a run that has to go on by then (see `Clock::elapsed`).
pub fn allowed_until(aws: &Aws, allowed: &[String], until: Option<Duration>) -> Result<String, Failure> {
    if let Some(own) = aws.own().filter(|_| !allowed.is_empty()) {
        allowed_until(own, allowed, until)?;
    }
    let account = account_until(aws, until)?;
    if allowed.is_empty() || allowed.contains(&account) {
        return Ok(account);
    }
    Err(Failure::new(
        Kind::Denied,
        format!("the account `{account}` {NOT_ALLOWED}"),
    ))
}
