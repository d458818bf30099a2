//! Slack incoming webhooks: Block Kit with a text fallback, within Slack's limits.

mod payload;

use std::time::Duration;

use secrecy::SecretString;

use super::http;
use crate::domain::notification::Notification;
use crate::ports::{DeliveryError, Notifier, Receipt};

pub use payload::payload;

/// Hosts that incoming webhooks are at.
const HOST: &str = "hooks.slack.com";

/// A channel behind a Slack incoming webhook.
pub struct Slack {
    name: String,
    url: SecretString,
}

impl Slack {
    /// A channel to an incoming webhook; `allowed` names further hosts that it may be at.
    pub fn new(name: String, url: SecretString, allowed: &[String]) -> Result<Self, String> {
        let mut hosts = allowed.to_vec();
        hosts.push(HOST.to_owned());
        http::check(&url, &hosts)?;
        Ok(Slack { name, url })
    }
}

impl Notifier for Slack {
    fn channel(&self) -> &str {
        &self.name
    }

    /// Slack hides messages that come faster.
    fn pace(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn deliver(&self, message: &Notification, timeout: Duration) -> Result<Receipt, DeliveryError> {
        http::post(&self.url, &[], &[], &payload(message).to_string(), timeout)
    }
}
