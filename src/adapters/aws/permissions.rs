//! The IAM actions of each part on AWS, declared beside the code that calls them.

/// A part of the program with the actions that it calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The part, as in `policies/permissions.json`.
    pub sid: &'static str,
    /// Its actions.
    pub actions: &'static [&'static str],
}

/// Everything that the program may call on AWS.
pub const ALL: &[Permission] = &[
    super::athena::PERMISSION,
    super::client::ASSUME_ROLE,
    super::cost_explorer::PERMISSION,
    super::dynamodb::PERMISSION,
    super::identity::PERMISSION,
    super::s3::LISTS,
    super::s3::READS,
    super::secrets::PERMISSION,
    super::signals::ANOMALIES,
    super::signals::BUDGETS,
    super::signals::FORECAST,
    super::sns::PERMISSION,
];
