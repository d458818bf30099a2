//! `[aws]`: which account, which region, and how much asking may cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[aws]`. Used by the store `dynamodb:`, sources, channels and the function on AWS.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsConfig {
    /// The region. Not given: that of the environment or the profile.
    pub region: Option<String>,
    /// The account ids that may be read or written; asked of AWS before anything else. Empty: any.
    pub allowed_accounts: Vec<String>,
    /// Paid requests (Cost Explorer, $0.01 each) that one run may make.
    pub paid_requests_per_run: u32,
    /// Paid requests that a calendar month (UTC) may see.
    pub paid_requests_per_month: u32,
    /// Hours within which a paid question is not asked again.
    pub refresh_hours: u32,
}

impl Default for AwsConfig {
    fn default() -> Self {
        AwsConfig {
            region: None,
            allowed_accounts: Vec::new(),
            paid_requests_per_run: 6,
            paid_requests_per_month: 300,
            refresh_hours: 8,
        }
    }
}

/// Whether a text is an AWS account id.
#[must_use]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}
