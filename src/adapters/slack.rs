//! Slack incoming webhooks: Block Kit with a text fallback, within Slack's limits.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::http;
use crate::domain::notification::{Notification, Severity, Told};
use crate::ports::{DeliveryError, Notifier, Receipt};

/// Hosts that incoming webhooks are at.
const HOST: &str = "hooks.slack.com";

/// Slack's limits, in characters: above them it answers 400 to the whole message.
const HEADER_LIMIT: usize = 150;
const SECTION_LIMIT: usize = 3000;
const FIELD_LIMIT: usize = 2000;
const FIELDS_PER_SECTION: usize = 10;
const TEXT_LIMIT: usize = 4000;

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

/// Escapes text for mrkdwn: the three control characters by entity, so that neither `<!channel>` nor a link can be smuggled
/// in; formatting characters get a zero-width space behind them, so that they format nothing.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '*' | '_' | '~' | '`' => {
                out.push(c);
                out.push('\u{200b}');
            }
            c if c.is_control() && c != '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Cuts at a character border and never inside an entity.
fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    let whole = match kept.rfind('&') {
        Some(at) if !kept.get(at..).is_some_and(|t| t.contains(';')) => kept.get(..at).unwrap_or_default(),
        _ => &kept,
    };
    format!("{whole}…")
}

fn mark(message: &Notification) -> &'static str {
    match (message.told, message.severity) {
        (Told::Resolved, _) => "✅",
        (Told::Acknowledged, _) => "👀",
        (_, Severity::Critical) => "🔴",
        (_, Severity::Warning) => "🟠",
        (_, Severity::Info) => "🔵",
    }
}

/// The payload of a message.
#[must_use]
pub fn payload(message: &Notification) -> Value {
    let test = if message.test { "[TEST] " } else { "" };
    let title = format!("{} {test}{}", mark(message), message.title);
    let plain: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let section =
        |text: &str| json!({ "type": "section", "text": { "type": "mrkdwn", "text": cut(text, SECTION_LIMIT) } });
    let mut blocks =
        vec![json!({ "type": "header", "text": { "type": "plain_text", "text": cut(&plain, HEADER_LIMIT) } })];
    if !message.summary.is_empty() {
        blocks.push(section(&escaped(&message.summary)));
    }
    let fields: Vec<Value> = message
        .facts
        .iter()
        .take(FIELDS_PER_SECTION)
        .map(|f| {
            let text = format!("*{}*\n{}", cut(&escaped(&f.label), 100), escaped(&f.value));
            json!({ "type": "mrkdwn", "text": cut(&text, FIELD_LIMIT) })
        })
        .collect();
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    if !message.lines.is_empty() {
        let lines: Vec<String> = message.lines.iter().map(|l| format!("• {}", escaped(l))).collect();
        blocks.push(section(&lines.join("\n")));
    }
    let mut foot = vec![format!("{} · alert {}", message.told, escaped(&message.alert_id))];
    foot.extend(message.owner.iter().map(|o| format!("owner {}", escaped(o))));
    foot.extend(message.runbook.iter().map(|r| format!("runbook {}", escaped(r))));
    let foot = cut(&foot.join(" · "), FIELD_LIMIT);
    blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": foot }] }));
    let text = cut(&escaped(&format!("{title}\n{}", message.summary)), TEXT_LIMIT);
    json!({ "text": text, "blocks": blocks })
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
        http::post(&self.url, &[], &payload(message).to_string(), timeout)
    }
}
