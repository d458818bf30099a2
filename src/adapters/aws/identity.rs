//! Who we are to AWS: asked before anything is read or written.

use super::client::{Aws, BrokenOff};
use super::failure::{Failure, Kind};
use super::permissions::Permission;

/// What asking calls.
pub const PERMISSION: Permission = Permission {
    sid: "WhoAmI",
    actions: &["sts:GetCallerIdentity"],
};

/// The id of the account that the credentials belong to.
pub fn account(aws: &Aws) -> Result<String, Failure> {
    let config = aws_sdk_sts::config::Builder::from(aws.config()).retry_classifier(BrokenOff);
    let client = aws_sdk_sts::Client::from_conf(config.build());
    let answer = aws
        .wait(client.get_caller_identity().send())
        .map_err(|e| Failure::of("sts:GetCallerIdentity", &e))?;
    answer
        .account
        .ok_or_else(|| Failure::new(Kind::Refused, "sts:GetCallerIdentity: the answer names no account"))
}
