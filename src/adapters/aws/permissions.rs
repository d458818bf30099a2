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
    super::dynamodb::PERMISSION,
    super::identity::PERMISSION,
    super::sns::PERMISSION,
];
