//! The function's traces, at a receiver of OTLP over HTTP; and a receiver in trouble harms no run.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::create_table_named;
use super::emulator::{Emulator, moto_with};
use super::lambda::{Told, lines, monitor, request, respond, scheduled, stub};

/// How the receiver answers.
#[derive(Clone, Copy, PartialEq)]
enum Receiver {
    Fine,
    Broken,
    Silent,
}

fn receiver(how: Receiver) -> (String, Told) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let got: Told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&got);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let heard = Arc::clone(&heard);
            std::thread::spawn(move || answer(&mut stream.unwrap(), how, &heard));
        }
    });
    (address, got)
}

fn answer(stream: &mut TcpStream, how: Receiver, heard: &Told) {
    while let Some((path, body)) = request(stream) {
        heard.lock().unwrap().push((path, serde_json::from_str(&body).unwrap()));
        match how {
            Receiver::Fine => respond(stream, 200, "", "{}"),
            Receiver::Broken => respond(stream, 503, "", "{}"),
            Receiver::Silent => std::thread::sleep(Duration::from_secs(60)),
        }
        let _ = stream.flush();
    }
}

fn seed(folder: &Path, emulator: &Emulator) {
    create_table_named(emulator, "traced-ai-costs-test");
    create_table_named(emulator, "traced-cost-alerts-test");
    let config = "namespace = \"traced\"\nenvironment = \"test\"\n[store]\nurl = \"dynamodb:\"\n\
        [aws]\nallowed_accounts = [\"123456789012\"]\npaid_requests_per_month = 2\n\
        [[cost_explorer]]\nname = \"bill\"\n[[cost_explorer]]\nname = \"no more\"\n\
        [[source]]\nname = \"app\"\nkind = \"plain\"\npaths = [\"usage.jsonl\"]\n\
        [[notify]]\nname = \"file\"\nkind = \"file\"\npath = \"told.jsonl\"\n";
    std::fs::write(folder.join("finops.toml"), config).unwrap();
    std::fs::create_dir_all(folder.join("policies/budgets")).unwrap();
    let budget = "[[budget]]\nname = \"b\"\namount = \"1 USD\"\nperiod = \"month\"\nbasis = \"billed\"\n";
    std::fs::write(folder.join("policies/budgets/b.toml"), budget).unwrap();
    std::fs::write(
        folder.join("usage.jsonl"),
        "{\"id\":\"c\",\"ts\":\"2026-11-20T10:00:00Z\",\"provider\":\"anthropic\",\"model\":\"claude-haiku-4-5-20251001\",\"input_tokens\":9,\"output_tokens\":1}\n",
    )
    .unwrap();
    let costs = serde_json::json!({ "costs": [
        { "day": "2026-11-10", "service": "Amazon Bedrock", "usage_type": "t", "record_type": "Usage", "amount": "2.50" },
    ] });
    std::fs::write(emulator.data.as_ref().unwrap(), costs.to_string()).unwrap();
}

fn run(folder: &Path, emulator: &Emulator, otlp: &str, events: usize) -> (Output, Vec<(String, Value)>) {
    let event = (scheduled("2026-11-24T12:00:00Z"), Duration::from_secs(900));
    let (api, told) = stub(vec![event; events]);
    let output = monitor(folder, emulator, &api)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", otlp)
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "700")
        .env("OTEL_SERVICE_NAME", "watch")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let told = told.lock().unwrap().clone();
    assert!(told.iter().all(|(path, _)| path.ends_with("/response")), "{told:?}");
    assert_eq!(told.len(), events);
    (output, told)
}

fn attribute<'a>(of: &'a Value, name: &str) -> &'a Value {
    let all = of["attributes"].as_array().unwrap();
    all.iter()
        .find(|a| a["key"] == name)
        .map_or(&Value::Null, |a| &a["value"])
}

#[test]
fn a_run_is_traced_with_its_sources_channels_and_calls() {
    let Some(emulator) = moto_with("traced") else { return };
    let folder = tempfile::tempdir().unwrap();
    seed(folder.path(), &emulator);
    let (otlp, got) = receiver(Receiver::Fine);
    run(folder.path(), &emulator, &otlp, 2);

    let got = got.lock().unwrap().clone();
    assert_eq!(got.len(), 2, "one trace a run");
    assert!(got.iter().all(|(path, _)| path == "/v1/traces"));
    let resource = &got[0].1["resourceSpans"][0];
    assert_eq!(attribute(&resource["resource"], "service.name")["stringValue"], "watch");
    let spans = resource["scopeSpans"][0]["spans"].as_array().unwrap();
    let text = |span: &Value, key: &str| span[key].as_str().unwrap().to_owned();
    let named = |name: &str| {
        spans
            .iter()
            .find(|s| s["name"] == name)
            .unwrap_or_else(|| panic!("{name}: {spans:#?}"))
    };

    let root = named("run");
    assert!(root.get("parentSpanId").is_none());
    assert_eq!(root["links"][0]["traceId"], "5bef4de7ad49b0e87f6ef6c87fc2e700");
    assert_eq!(attribute(root, "faas.coldstart")["boolValue"], true);
    assert_eq!(attribute(root, "finops.calls_recorded")["intValue"], "1");
    assert_eq!(root["status"]["message"], "failed sources: no more");
    let ids: BTreeSet<String> = spans.iter().map(|s| text(s, "spanId")).collect();
    assert_eq!(ids.len(), spans.len());
    let nanos = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<i64>().unwrap();
    for span in spans {
        assert_eq!((text(span, "traceId").len(), text(span, "spanId").len()), (32, 16));
        assert_eq!(span["traceId"], root["traceId"]);
        assert!(
            nanos(span, "startTimeUnixNano") >= nanos(root, "startTimeUnixNano"),
            "{span}"
        );
        assert!(
            nanos(span, "endTimeUnixNano") <= nanos(root, "endTimeUnixNano"),
            "{span}"
        );
        assert!(
            nanos(span, "startTimeUnixNano") <= nanos(span, "endTimeUnixNano"),
            "{span}"
        );
        let parent = span.get("parentSpanId").and_then(Value::as_str);
        assert!(parent.is_none_or(|id| ids.contains(id)), "{span}");
    }
    // What a source asks is inside that source, what the store asks is inside the run.
    let (bill, asked) = (named("read bill"), named("AWSInsightsIndexService/GetCostAndUsage"));
    assert_eq!(asked["parentSpanId"], bill["spanId"]);
    assert_eq!(attribute(asked, "http.response.status_code")["intValue"], "200");
    assert_eq!(bill["parentSpanId"], root["spanId"]);
    assert_eq!(named("STS/GetCallerIdentity")["parentSpanId"], root["spanId"]);
    assert_eq!(named("DynamoDB/PutItem")["parentSpanId"], root["spanId"]);
    let refused = named("read no more");
    assert_eq!(refused["status"]["code"], 2);
    assert!(
        text(&refused["status"], "message").contains("paid requests"),
        "{refused}"
    );
    assert_eq!(named("tell file")["status"], serde_json::json!({}));

    let second = &got[1].1["resourceSpans"][0]["scopeSpans"][0]["spans"];
    let root = second.as_array().unwrap().last().unwrap();
    assert_eq!(attribute(root, "faas.coldstart")["boolValue"], false);
    assert_ne!(root["traceId"], spans[0]["traceId"]);
}

#[test]
fn a_receiver_in_trouble_harms_no_run() {
    let Some(emulator) = moto_with("trouble") else { return };
    let folder = tempfile::tempdir().unwrap();
    seed(folder.path(), &emulator);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    for (otlp, words) in [
        (receiver(Receiver::Broken).0, "answered 503"),
        (receiver(Receiver::Silent).0, "no answer in time"),
        (nobody, "the trace was not sent"),
        ("127.0.0.1:4317".to_owned(), "no traces are sent"),
    ] {
        let begun = Instant::now();
        let (output, _) = run(folder.path(), &emulator, &otlp, 1);
        let logs = lines(&output);
        let said = logs
            .iter()
            .any(|l| l["level"] == "warn" && l["message"].as_str().unwrap().contains(words));
        assert!(said, "{otlp}: {logs:?}");
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
