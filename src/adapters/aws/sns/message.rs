//! The forms of one message for the kinds of subscribers of a topic, within the limits of SNS.

use serde_json::{Value, json};

use crate::adapters::foreign::{cut_within, followed, inert};
use crate::domain::notification::{Notification, Told};
use crate::domain::screen::shown;

/// Characters of a subject: SNS refuses longer ones, and anything but ASCII.
const SUBJECT_LIMIT: usize = 100;

/// Bytes of a message with all its forms: SNS takes 256 KB with the attributes.
const MESSAGE_LIMIT: usize = 250_000;

/// Bytes of what Amazon Q shows; it drops longer notifications.
const CHAT_LIMIT: usize = 8_000;

/// Characters of a text message that is not sent in pieces, of what every phone has.
const SMS_LIMIT: usize = 160;

/// What formats or mentions in chat.
const MARKS: [char; 5] = ['*', '_', '~', '`', '@'];

/// One line of ASCII, as SNS wants a subject. A long name gives way, not what happened.
pub fn subject(message: &Notification) -> String {
    let test = if message.test { "[TEST] " } else { "" };
    let grade = format!("{test}[{} {}] ", message.severity, message.told);
    let title = cut_within(&ascii(&message.title), SUBJECT_LIMIT.saturating_sub(grade.len()), "...");
    grade + &title
}

/// A text message: how grave, what happened to whom, and as of when. In letters that are not ASCII it would be sent in pieces of 70.
fn sms(message: &Notification) -> String {
    let test = if message.test { "TEST, " } else { "" };
    let grade = format!("{test}{} {}: ", message.severity, message.told);
    let as_of = format!(" ({})", message.as_of());
    let room = SMS_LIMIT.saturating_sub(grade.len() + as_of.len());
    let title = cut_within(&plain(&message.title, usize::MAX), room, "...");
    grade + &title + &as_of
}

/// The text in ASCII, on one line.
fn ascii(text: &str) -> String {
    let plain = text.chars().map(|c| match c {
        '\u{2013}' | '\u{2014}' => '-',
        c if c.is_ascii_graphic() || c == ' ' => c,
        c if c.is_control() || c.is_whitespace() => ' ',
        _ => '?',
    });
    plain.collect()
}

/// Plain text that stays on its line, cut at a character border.
fn plain(text: &str, limit: usize) -> String {
    let kept: String = shown(text, ' ').chars().take(limit).collect();
    if kept.chars().count() == limit {
        format!("{kept}…")
    } else {
        kept
    }
}

/// The text of a mail.
fn mail(message: &Notification, cut: &Rung) -> String {
    let text = |t: &str| plain(t, cut.text);
    let mut lines = Vec::new();
    if message.test {
        lines.push("This is a test. Nothing happened.".to_owned());
    }
    lines.push(text(&message.title));
    if !message.summary.is_empty() {
        lines.push(String::new());
        lines.push(text(&message.summary));
    }
    if !message.facts.is_empty() {
        lines.push(String::new());
        let facts = message.facts.iter().take(cut.facts);
        lines.extend(facts.map(|f| format!("{}: {}", text(&f.label), text(&f.value))));
    }
    if !message.lines.is_empty() && cut.lines > 0 {
        lines.push(String::new());
        lines.extend(
            message
                .lines
                .iter()
                .take(cut.lines)
                .map(|line| format!("- {}", text(line))),
        );
        let left = message.lines.len().saturating_sub(cut.lines);
        if left > 0 {
            lines.push(format!("- and {left} more"));
        }
    }
    lines.push(String::new());
    lines.push(format!(
        "{} · {} · {}",
        message.told,
        message.as_of(),
        text(&message.about())
    ));
    lines.extend(message.owner.iter().map(|o| format!("owner: {}", text(o))));
    lines.extend(message.runbook.iter().map(|r| format!("runbook: {}", text(r))));
    lines.join("\n")
}

/// The whole message for programs.
fn document(message: &Notification, cut: &Rung) -> Value {
    let text = |t: &str| plain(t, cut.text);
    let facts = message.facts.iter().take(cut.facts);
    let mut document = json!({
        "schema_version": 1,
        "id": message.id,
        "alert_id": message.alert_id,
        "told": message.told,
        "severity": message.severity,
        "kind": message.kind,
        "title": text(&message.title),
        "summary": text(&message.summary),
        "facts": facts.map(|f| json!({ "label": text(&f.label), "value": text(&f.value) })).collect::<Vec<_>>(),
        "lines": message.lines.iter().take(cut.lines).map(|l| text(l)).collect::<Vec<_>>(),
        "owner": message.owner,
        "runbook": message.runbook,
        "labels": message.labels,
        "data": if cut.data { message.data.clone() } else { Value::Null },
        "decided_at": message.decided_at,
        "test": message.test,
    });
    if let (Some(left_out), Value::Object(fields)) = (cut.left_out, &mut document) {
        fields.insert("left_out".to_owned(), Value::from(left_out));
        if cut.lines == 0 {
            ["owner", "runbook", "labels"]
                .iter()
                .for_each(|key| drop(fields.remove(*key)));
        }
    }
    document
}

/// Escapes what would format or mention in chat.
fn chat_text(text: &str, limit: usize) -> String {
    inert(&plain(text, limit), &MARKS)
}

/// The custom notification of Amazon Q in chat applications. Its thread is the alert.
fn chat(message: &Notification) -> Value {
    let mark = match message.told {
        Told::Resolved => ":white_check_mark:",
        Told::Acknowledged => ":eyes:",
        Told::Firing | Told::Reminder => ":rotating_light:",
    };
    let test = if message.test { "[TEST] " } else { "" };
    let mut description = chat_text(&message.summary, 1_000);
    for fact in message.facts.iter().take(10) {
        description.push_str(&format!(
            "\n*{}:* {}",
            chat_text(&fact.label, 80),
            chat_text(&fact.value, 300)
        ));
    }
    for line in &message.lines {
        let more = format!("\n• {}", chat_text(line, 300));
        if description.len() + more.len() > CHAT_LIMIT / 2 {
            description.push_str("\n• …");
            break;
        }
        description.push_str(&more);
    }
    description.push_str(&format!("\n{}", message.as_of()));
    // The command takes nothing over that has ended, is taken over already, is a test, or is one of many.
    let id = chat_text(&message.alert_id, 64);
    let acknowledge = message.can_be_acknowledged().then(|| match message.of_many() {
        Some(_) => format!("List: {}", message.in_full()),
        None => format!("Acknowledge: finops alert ack {id} --for 8h"),
    });
    let runbook = message.runbook.iter();
    let runbook = runbook.map(|r| format!("Runbook: {}", followed(&plain(r, 500), &MARKS)));
    let next: Vec<String> = runbook.chain(acknowledge).collect();
    json!({
        "version": "1.0",
        "source": "custom",
        "id": message.id,
        "content": {
            "textType": "client-markdown",
            "title": format!("{mark} {test}{}", chat_text(&message.title, 200)),
            "description": description,
            "nextSteps": next,
            "keywords": [message.severity.to_string(), message.told.to_string(), message.kind],
        },
        "metadata": {
            "threadId": message.alert_id,
            "summary": chat_text(&message.title, 200),
            "eventType": format!("{}_{}", message.kind, message.told),
            "additionalContext": { "severity": message.severity.to_string() },
        },
    })
}

/// How much of a message is said.
struct Rung {
    text: usize,
    facts: usize,
    lines: usize,
    data: bool,
    left_out: Option<&'static str>,
}

/// What is given up, step by step, until a message fits: the figures for programs, then lines, then facts, then long texts.
const LADDER: [Rung; 5] = [
    Rung {
        text: 20_000,
        facts: 100,
        lines: 1_000,
        data: true,
        left_out: None,
    },
    Rung {
        text: 20_000,
        facts: 100,
        lines: 1_000,
        data: false,
        left_out: Some("data"),
    },
    Rung {
        text: 2_000,
        facts: 30,
        lines: 20,
        data: false,
        left_out: Some("data, further lines and facts"),
    },
    Rung {
        text: 500,
        facts: 10,
        lines: 5,
        data: false,
        left_out: Some("data, further lines and facts, long texts"),
    },
    Rung {
        text: 200,
        facts: 5,
        lines: 0,
        data: false,
        left_out: Some("everything but the most important"),
    },
];

/// The body for `MessageStructure=json`: the highest rung of the ladder that fits.
#[must_use]
pub fn body(message: &Notification) -> String {
    let mut whole = String::new();
    for rung in &LADDER {
        let text = mail(message, rung);
        let document = document(message, rung).to_string();
        let forms = json!({
            "default": text,
            "email": text,
            "email-json": document,
            "sqs": document,
            "lambda": document,
            "https": chat(message).to_string(),
            "sms": sms(message),
        });
        whole = forms.to_string();
        if whole.len() <= MESSAGE_LIMIT {
            break;
        }
    }
    whole
}

/// What filter policies of subscriptions may select by.
#[must_use]
pub fn attributes(message: &Notification) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("severity", message.severity.to_string()),
        ("kind", message.kind.clone()),
        ("told", message.told.to_string()),
    ];
    all.extend(message.labels.get("team").map(|team| ("team", plain(team, 256))));
    all.retain(|(_, value)| !value.trim().is_empty());
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notification::{Fact, Severity};

    fn message() -> Notification {
        Notification {
            id: "m1".to_owned(),
            channel: "topic".to_owned(),
            alert_id: "a1".to_owned(),
            told: Told::Firing,
            severity: Severity::Critical,
            kind: "budget_actual".to_owned(),
            title: "search spent 104 % of $250.00 — <!channel> ünd\nmore".to_owned(),
            summary: "Stop.".to_owned(),
            facts: vec![Fact {
                label: "Spent".to_owned(),
                value: "$260.00".to_owned(),
            }],
            lines: vec!["planner $200.00".to_owned()],
            owner: Some("ann".to_owned()),
            runbook: None,
            labels: [("team".to_owned(), "search".to_owned())].into(),
            data: json!({ "spent_usd": "260.00" }),
            decided_at: "2026-11-10T12:00:00Z".parse().unwrap(),
            test: false,
        }
    }

    #[test]
    fn a_subject_is_one_short_line_of_ascii() {
        assert_eq!(
            subject(&message()),
            "[critical firing] search spent 104 % of $250.00 - <!channel> ?nd more"
        );
        let mut long = message();
        long.title = "ß".repeat(300);
        assert_eq!(subject(&long).len(), SUBJECT_LIMIT);
        // A long name keeps neither the subject nor a phone from saying what happened, and how grave it is.
        long.title = format!("{}: 150 % of this month's budget is spent", "name ".repeat(40));
        let sms = sms(&long);
        assert_eq!(sms.len(), SMS_LIMIT);
        assert!(sms.starts_with("critical firing: name name") && sms.ends_with(" (as of 2026-11-10 12:00 UTC)"));
        for text in [&subject(&long), &sms] {
            assert!(
                text.contains("...") && text.contains(": 150 % of this month's budget is spent"),
                "{text}"
            );
        }
    }

    #[test]
    fn chat_names_a_next_step_that_can_be_taken() {
        let steps = |change: &dyn Fn(&mut Notification)| {
            let mut m = message();
            m.runbook = Some("https://wiki/~ann/_x_".to_owned());
            change(&mut m);
            chat(&m)["content"]["nextSteps"].to_string()
        };
        let (runbook, acknowledge) = (
            r#""Runbook: https://wiki/~ann/_x_""#,
            r#""Acknowledge: finops alert ack a1 --for 8h""#,
        );
        assert_eq!(steps(&|_| ()), format!("[{runbook},{acknowledge}]"));
        for told in [Told::Acknowledged, Told::Resolved] {
            assert_eq!(steps(&|m| m.told = told), format!("[{runbook}]"));
        }
        assert_eq!(steps(&|m| m.test = true), format!("[{runbook}]"));
        assert!(steps(&|m| m.data = json!({ "count": 30, "alerts": [] })).ends_with(r#","List: finops alert list"]"#));
    }

    #[test]
    fn a_foreign_name_forges_no_line_of_a_mail_or_a_chat() {
        let mut forged = message();
        forged.lines = vec!["planner\u{2028}$0.00\nSpent: \u{202e}$1.00".to_owned()];
        let forms: Value = serde_json::from_str(&body(&forged)).unwrap();
        let document: Value = serde_json::from_str(forms["sqs"].as_str().unwrap()).unwrap();
        assert_eq!(document["lines"][0], "planner $0.00 Spent:  $1.00");
        for form in ["email", "https"] {
            let text = forms[form].as_str().unwrap();
            assert!(text.contains("planner $0.00 Spent:  $1.00"), "{text}");
            assert!(!text.contains(['\u{2028}', '\u{202e}']));
        }
    }

    #[test]
    fn a_message_of_any_size_fits_and_says_what_it_left_out() {
        let forms = |m: &Notification| serde_json::from_str::<Value>(&body(m)).unwrap();
        let small = forms(&message());
        let document: Value = serde_json::from_str(small["sqs"].as_str().unwrap()).unwrap();
        assert_eq!(document["data"]["spent_usd"], "260.00");
        assert_eq!(document.get("left_out"), None);
        let chat: Value = serde_json::from_str(small["https"].as_str().unwrap()).unwrap();
        assert_eq!((&chat["version"], &chat["source"]), (&"1.0".into(), &"custom".into()));
        assert_eq!(chat["metadata"]["threadId"], "a1");
        assert!(chat["content"]["title"].as_str().unwrap().contains("&lt;!channel&gt;"));

        let mut large = message();
        large.data = json!(vec!["x"; 80_000]);
        let kept: Value = serde_json::from_str(forms(&large)["sqs"].as_str().unwrap()).unwrap();
        assert_eq!(
            (kept["left_out"].as_str(), kept["lines"][0].as_str()),
            (Some("data"), Some("planner $200.00"))
        );

        // Quotes double twice over, being JSON within JSON.
        large.lines = vec!["\"\\".repeat(3_000); 300];
        large.facts = vec![large.facts[0].clone(); 5_000];
        large.summary = "\u{1}\"".repeat(100_000);
        large.owner = Some("\"".repeat(100_000));
        let whole = body(&large);
        assert!(whole.len() <= MESSAGE_LIMIT, "{}", whole.len());
    }
}
