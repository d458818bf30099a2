//! Slack incoming webhooks.
