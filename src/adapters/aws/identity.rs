//! Who we are to AWS: asked before anything is read or written.

use super::client::Aws;
use super::failure::{Failure, Kind, NOT_ALLOWED};
use super::permissions::Permission;

/// What asking calls.
pub const PERMISSION: Permission = Permission {
    sid: "WhoAmI",
    actions: &["sts:GetCallerIdentity"],
};

/// The id of the account that the credentials belong to.
pub fn account(aws: &Aws) -> Result<String, Failure> {
    let client = aws_sdk_sts::Client::new(aws.config());
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
