//! A message as Block Kit. What exceeds Slack's limits is spread, then shortened, then counted; nothing goes unsaid.

use serde_json::{Value, json};

use crate::adapters::foreign::{cut_within, followed, inert};
use crate::domain::notification::{Notification, Severity, Told};
use crate::domain::screen::shown;

/// Slack's limits, in characters: above them it answers 400 to the whole message.
const HEADER_LIMIT: usize = 150;
const SECTION_LIMIT: usize = 3000;
const FIELD_LIMIT: usize = 2000;
const FIELDS_PER_SECTION: usize = 10;
const BLOCKS: usize = 50;

/// Slack's limit of a message's text, kept for all blocks together too.
const MESSAGE_LIMIT: usize = 40_000;

/// The fallback, which notifications show: more is not read there.
const FALLBACK_LIMIT: usize = 4000;

/// The label of a fact.
const LABEL_LIMIT: usize = 100;

/// What formats.
const MARKS: [char; 4] = ['*', '_', '~', '`'];

/// What is left of a long fact or line in a message that would be too long.
const SHORT_LIMIT: usize = 300;

/// The payload of a message: as it is; if that is too much, with its long parts shortened; if that is too much, with as many
/// of its facts and lines as fit and the number of the others.
#[must_use]
pub fn payload(message: &Notification) -> Value {
    let full = Body::of(message, usize::MAX);
    let short = || Body::of(message, SHORT_LIMIT);
    let body = if full.fits() {
        full
    } else {
        let short = short();
        if short.fits() { short } else { short.fitted() }
    };
    let fallback = format!(
        "{}\n{}\n{}",
        escaped(&title(message)),
        escaped(&message.summary),
        message.as_of()
    );
    json!({ "text": cut(&fallback, FALLBACK_LIMIT), "blocks": body.blocks() })
}

/// The parts of a message, escaped.
struct Body {
    header: String,
    summary: Vec<String>,
    facts: Vec<String>,
    lines: Vec<String>,
    /// What is not here, or not in full.
    missing: Option<String>,
    foot: String,
    /// The command that shows everything.
    in_full: String,
    /// How many alerts its lines name, where it is about many.
    alerts: Option<usize>,
}

impl Body {
    /// With facts and lines of at most so many characters.
    fn of(message: &Notification, limit: usize) -> Body {
        let fact = |label: &str, value: &str| {
            let label = cut(&escaped(label), LABEL_LIMIT);
            format!("*{label}*\n{}", cut(&escaped(value), limit))
        };
        let mut foot = vec![format!(
            "{} · {} · {}",
            message.told,
            message.as_of(),
            escaped(&message.about())
        )];
        foot.extend(message.owner.iter().map(|o| format!("owner {}", escaped(o))));
        foot.extend(
            message
                .runbook
                .iter()
                .map(|r| format!("runbook {}", followed(r, &MARKS))),
        );
        let summary = cut(&escaped(&message.summary), limit.saturating_mul(10));
        // Between backticks nothing formats.
        let in_full = cut(&escaped(&format!("`{}`", message.in_full())), LABEL_LIMIT);
        Body {
            header: cut_within(&title(message), HEADER_LIMIT, "…"),
            summary: pieces(&summary, SECTION_LIMIT),
            facts: message.facts.iter().map(|f| fact(&f.label, &f.value)).collect(),
            lines: message
                .lines
                .iter()
                .map(|l| format!("• {}", cut(&escaped(l), limit)))
                .collect(),
            missing: (limit < usize::MAX).then(|| format!("Shortened. In full: {in_full}")),
            foot: cut(&foot.join(" · "), FIELD_LIMIT),
            in_full,
            alerts: message.of_many().and_then(|count| usize::try_from(count).ok()),
        }
    }

    fn fits(&self) -> bool {
        let blocks = self.blocks();
        blocks.len() <= BLOCKS && blocks.iter().map(length).sum::<usize>() <= MESSAGE_LIMIT
    }

    /// With as many facts, then as many lines, as fit.
    fn fitted(mut self) -> Body {
        let (facts, lines) = (std::mem::take(&mut self.facts), std::mem::take(&mut self.lines));
        let fits = |body: &mut Body, f: usize, l: usize| {
            body.facts = facts.iter().take(f).cloned().collect();
            body.lines = lines.iter().take(l).cloned().collect();
            let more = |n: usize, what: &str| {
                let plural = if n == 1 { "" } else { "s" };
                (n > 0).then(|| format!("{n} more {what}{plural}"))
            };
            let lines_left = match body.alerts {
                // The last line may count those that are not named.
                Some(alerts) if l < lines.len() => more(alerts.saturating_sub(l), "alert"),
                _ => more(lines.len() - l, "line"),
            };
            let left = [more(facts.len() - f, "fact"), lines_left];
            let left: Vec<String> = left.into_iter().flatten().collect();
            body.missing = Some(format!("{}: {}", left.join(", "), body.in_full));
            body.fits()
        };
        let most_facts = largest(facts.len(), |n| fits(&mut self, n, 0));
        let most_lines = largest(lines.len(), |n| fits(&mut self, most_facts, n));
        fits(&mut self, most_facts, most_lines);
        self
    }

    fn blocks(&self) -> Vec<Value> {
        let mrkdwn = |text: &str| json!({ "type": "mrkdwn", "text": text });
        let section = |text: &str| json!({ "type": "section", "text": mrkdwn(text) });
        let mut blocks = vec![json!({ "type": "header", "text": { "type": "plain_text", "text": self.header } })];
        blocks.extend(self.summary.iter().map(|text| section(text)));
        // Facts stand side by side; one that is too long for that gets sections of its own, in its place.
        let mut fields: Vec<Value> = Vec::new();
        let flush = |fields: &mut Vec<Value>, blocks: &mut Vec<Value>| {
            if !fields.is_empty() {
                blocks.push(json!({ "type": "section", "fields": std::mem::take(fields) }));
            }
        };
        for fact in &self.facts {
            let long = fact.chars().count() > FIELD_LIMIT;
            if long || fields.len() == FIELDS_PER_SECTION {
                flush(&mut fields, &mut blocks);
            }
            if long {
                blocks.extend(pieces(fact, SECTION_LIMIT).iter().map(|text| section(text)));
            } else {
                fields.push(mrkdwn(fact));
            }
        }
        flush(&mut fields, &mut blocks);
        blocks.extend(packed(&self.lines, SECTION_LIMIT).iter().map(|text| section(text)));
        blocks.extend(self.missing.iter().map(|text| section(text)));
        blocks.push(json!({ "type": "context", "elements": [mrkdwn(&self.foot)] }));
        blocks
    }
}

/// The largest number up to `all` for which something holds that holds for all smaller ones.
fn largest(all: usize, mut holds: impl FnMut(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, all);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if holds(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

/// Characters of text in a block.
fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(all) => all.iter().map(length).sum(),
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| *key != "type")
            .map(|(_, v)| length(v))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// Lines joined into texts of at most so many characters.
fn packed(lines: &[String], limit: usize) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut last = 0;
    for piece in lines.iter().flat_map(|line| pieces(line, limit)) {
        let size = piece.chars().count();
        match texts.last_mut().filter(|_| last + 1 + size <= limit) {
            Some(text) => {
                text.push('\n');
                text.push_str(&piece);
                last += 1 + size;
            }
            None => {
                texts.push(piece);
                last = size;
            }
        }
    }
    texts
}

/// A text in pieces of at most so many characters, broken between words where there are any, never inside an entity.
fn pieces(text: &str, limit: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((end, _)) = rest.char_indices().nth(limit) {
        let head = rest.get(..end).unwrap_or(rest);
        let word = head.rfind([' ', '\n']).filter(|at| *at > 0);
        let at = word.unwrap_or_else(|| whole_entities(head).len()).max(1);
        let (piece, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        pieces.push(piece.to_owned());
        rest = tail.trim_start_matches([' ', '\n']);
    }
    if !rest.is_empty() {
        pieces.push(rest.to_owned());
    }
    pieces
}

/// The text without an entity that is cut off at its end.
fn whole_entities(text: &str) -> &str {
    match text.rfind('&') {
        Some(at) if at > 0 && !text.get(at..).is_some_and(|t| t.contains(';')) => text.get(..at).unwrap_or_default(),
        _ => text,
    }
}

/// Escapes text for mrkdwn.
fn escaped(text: &str) -> String {
    inert(text, &MARKS)
}

/// Cuts at a character border and never inside an entity.
fn cut(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", whole_entities(&kept))
}

/// The title with its mark, for a text without markup.
fn title(message: &Notification) -> String {
    let mark = match (message.told, message.severity) {
        (Told::Resolved, _) => "✅",
        (Told::Acknowledged, _) => "👀",
        (_, Severity::Critical) => "🔴",
        (_, Severity::Warning) => "🟠",
        (_, Severity::Info) => "🔵",
    };
    let test = if message.test { "[TEST] " } else { "" };
    format!("{mark} {test}{}", shown(&message.title, ' '))
}
