//! The channel to SNS, read back through a queue that subscribes to the topic.

use std::time::Duration;

use finops::adapters::aws::sns::Sns;
use finops::domain::notification::{Fact, Notification, Severity, Told};
use finops::ports::{Notifier as _, Retry};
use serde_json::{Value, json};

use super::{Emulator, connect, emulators};

/// A topic with a queue behind it.
pub struct Topic {
    pub arn: String,
    queue: String,
}

fn tag(xml: &str, name: &str) -> String {
    let (_, rest) = xml
        .split_once(&format!("<{name}>"))
        .unwrap_or_else(|| panic!("no {name} in {xml}"));
    rest.split_once('<').unwrap().0.to_owned()
}

impl Topic {
    pub fn new(emulator: &Emulator, name: &str, filter: Option<&str>) -> Self {
        let arn = tag(
            &emulator.query(
                "sns",
                &[("Action", "CreateTopic"), ("Version", "2010-03-31"), ("Name", name)],
            ),
            "TopicArn",
        );
        let queue = emulator.call(
            "sqs",
            "AmazonSQS.CreateQueue",
            &json!({ "QueueName": format!("{name}-reader") }),
        );
        let queue = queue["QueueUrl"].as_str().unwrap().to_owned();
        let asked = json!({ "QueueUrl": queue, "AttributeNames": ["QueueArn"] });
        let attributes = emulator.call("sqs", "AmazonSQS.GetQueueAttributes", &asked);
        let queue_arn = attributes["Attributes"]["QueueArn"].as_str().unwrap().to_owned();
        let mut subscribe = vec![
            ("Action", "Subscribe"),
            ("Version", "2010-03-31"),
            ("TopicArn", arn.as_str()),
            ("Protocol", "sqs"),
            ("Endpoint", queue_arn.as_str()),
        ];
        if let Some(filter) = filter {
            subscribe.extend([
                ("Attributes.entry.1.key", "FilterPolicy"),
                ("Attributes.entry.1.value", filter),
            ]);
        }
        emulator.query("sns", &subscribe);
        Topic { arn, queue }
    }

    /// The envelopes of all messages, taken from the queue.
    pub fn read(&self, emulator: &Emulator) -> Vec<Value> {
        let mut found = Vec::new();
        loop {
            let asked = json!({ "QueueUrl": self.queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0, "VisibilityTimeout": 300 });
            let answer = emulator.call("sqs", "AmazonSQS.ReceiveMessage", &asked);
            let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() {
                return found;
            }
            for message in messages {
                let done = json!({ "QueueUrl": self.queue, "ReceiptHandle": message["ReceiptHandle"] });
                emulator.call("sqs", "AmazonSQS.DeleteMessage", &done);
                found.push(serde_json::from_str(message["Body"].as_str().unwrap()).unwrap());
            }
        }
    }
}

fn message(n: u32, severity: Severity) -> Notification {
    Notification {
        id: format!("m{n}"),
        channel: "topic".to_owned(),
        alert_id: "a1".to_owned(),
        told: Told::Firing,
        severity,
        kind: "budget_actual".to_owned(),
        title: "search spent 104 % of its budget — ünd more".to_owned(),
        summary: "Look at the planner.".to_owned(),
        facts: vec![Fact {
            label: "Spent".to_owned(),
            value: "$260.00".to_owned(),
        }],
        lines: Vec::new(),
        owner: None,
        runbook: None,
        labels: [("team".to_owned(), "search".to_owned())].into(),
        data: json!({ "spent_usd": "260.00" }),
        decided_at: "2026-11-10T12:00:00Z".parse().unwrap(),
        test: false,
    }
}

#[test]
fn a_topic_carries_the_document_the_subject_and_what_to_filter_by() {
    const TIMEOUT: Duration = Duration::from_secs(10);
    for emulator in emulators() {
        let all = Topic::new(emulator, "told-all", None);
        let channel = Sns::new("topic".to_owned(), connect(emulator), &all.arn).unwrap();
        let receipt = channel.deliver(&message(1, Severity::Critical), TIMEOUT).unwrap();
        assert!(
            receipt.answer.starts_with("sns ") && receipt.answer.len() > 10,
            "{receipt:?}"
        );
        let mut large = message(2, Severity::Warning);
        large.data = json!(vec!["x"; 100_000]);
        channel.deliver(&large, TIMEOUT).unwrap();
        let told = all.read(emulator);
        assert_eq!(told.len(), 2, "{}", emulator.name);
        let of = |id: &str| {
            let documents = told.iter().map(|t| {
                (
                    t,
                    serde_json::from_str::<Value>(t["Message"].as_str().unwrap()).unwrap(),
                )
            });
            documents.into_iter().find(|(_, d)| d["id"] == id).unwrap()
        };
        let (envelope, document) = of("m1");
        assert_eq!(
            envelope["Subject"],
            "[critical firing] search spent 104 % of its budget - ?nd more"
        );
        for (name, value) in [("severity", "critical"), ("kind", "budget_actual"), ("team", "search")] {
            assert_eq!(envelope["MessageAttributes"][name]["Value"], value, "{}", emulator.name);
        }
        assert_eq!(document["data"]["spent_usd"], "260.00");
        assert_eq!(of("m2").1["left_out"], "data", "{}", emulator.name);

        let some = Topic::new(emulator, "told-some", Some(r#"{"severity":["critical"]}"#));
        let channel = Sns::new("topic".to_owned(), connect(emulator), &some.arn).unwrap();
        channel.deliver(&message(3, Severity::Warning), TIMEOUT).unwrap();
        channel.deliver(&message(4, Severity::Critical), TIMEOUT).unwrap();
        let told = some.read(emulator);
        assert_eq!(told.len(), 1, "{}: {told:?}", emulator.name);

        let nowhere = some.arn.replace("told-some", "told-nowhere");
        let channel = Sns::new("topic".to_owned(), connect(emulator), &nowhere).unwrap();
        let error = channel.deliver(&message(5, Severity::Critical), TIMEOUT).unwrap_err();
        assert_eq!(error.retry, Retry::Never, "{error}");
        assert!(error.message.contains("does not exist"), "{error}");
    }
}
