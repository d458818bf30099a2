//! The function, through a stub of the Lambda runtime API: recorded events in, answers out.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::command::{copy, finops, text};
use super::{Emulator, create_table_named, emulator::moto};

/// An event as EventBridge Scheduler sends it to a universal target without an input of its own.
pub(super) fn scheduled(time: &str) -> Value {
    json!({
        "version": "0",
        "id": "27b3d2a8-9b1e-4a5e-8e0f-1f6f2c1e7a55",
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "123456789012",
        "time": time,
        "region": "us-east-1",
        "resources": ["arn:aws:scheduler:us-east-1:123456789012:schedule/default/finops-monitor"],
        "detail": "{}",
        "now": time,
    })
}

/// What the stub was told: path and body.
pub(super) type Told = Arc<Mutex<Vec<(String, Value)>>>;

/// Serves the events one after the other, then says that there are no more.
pub(super) fn stub(events: Vec<(Value, Duration)>) -> (String, Told) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let told: Told = Told::default();
    let heard = Arc::clone(&told);
    std::thread::spawn(move || {
        let mut events = events.into_iter().enumerate();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            // One connection may carry many requests.
            while let Some((path, body)) = request(&mut stream) {
                if path.ends_with("/invocation/next") {
                    match events.next() {
                        Some((n, (event, time))) => {
                            let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + time;
                            let headers = format!(
                                "Lambda-Runtime-Aws-Request-Id: request-{n}\r\nLambda-Runtime-Deadline-Ms: {}\r\n\
                                 Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\n\
                                 Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:finops-monitor\r\n",
                                deadline.as_millis()
                            );
                            respond(&mut stream, 200, &headers, &event.to_string());
                        }
                        None => respond(&mut stream, 410, "", "{}"),
                    }
                } else {
                    heard.lock().unwrap().push((path, serde_json::from_str(&body).unwrap()));
                    respond(&mut stream, 202, "", "{}");
                }
            }
        }
    });
    (address, told)
}

pub(super) fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, String::from_utf8(body).unwrap()))
}

pub(super) fn respond(stream: &mut TcpStream, status: u16, headers: &str, body: &str) {
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
}

pub(super) fn monitor(folder: &Path, emulator: &Emulator, api: &str) -> Command {
    let like = finops(folder, emulator);
    let program = std::env::var("FINOPS_MONITOR").unwrap_or_else(|_| env!("CARGO_BIN_EXE_finops-monitor").to_owned());
    let mut command = Command::new(program);
    command.current_dir(folder).env("AWS_LAMBDA_RUNTIME_API", api);
    for (name, value) in like.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

pub(super) fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn events_are_answered_with_what_the_command_says() {
    let Some(emulator) = moto() else { return };
    let folder = tempfile::tempdir().unwrap();
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tour"),
        folder.path(),
    );
    let settings = std::fs::read_to_string(folder.path().join("finops.toml")).unwrap();
    let settings = settings.replace("namespace = \"tour\"", "namespace = \"lambda\"");
    let watched = "[store]\nurl = \"dynamodb:\"\n[runs]\nexpected_every_hours = 24\nstale_after_hours = 48\n";
    std::fs::write(folder.path().join("finops.toml"), format!("{settings}\n{watched}")).unwrap();
    create_table_named(emulator, "lambda-ai-costs-example");
    create_table_named(emulator, "lambda-cost-alerts-example");

    let hour = Duration::from_secs(900);
    let (api, told) = stub(vec![
        (scheduled("2026-11-24T12:00:00Z"), hour),
        (scheduled("2026-11-24T13:00:00Z"), hour),
        (scheduled("2026-11-24T14:00:00Z"), Duration::from_secs(2)),
        (scheduled("2026-11-28T12:00:00Z"), hour),
    ]);
    let output = monitor(folder.path(), emulator, &api).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let told = told.lock().unwrap().clone();
    let paths: Vec<&str> = told
        .iter()
        .map(|(path, _)| path.rsplit("/invocation/").next().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "request-0/response",
            "request-1/response",
            "request-2/error",
            "request-3/response"
        ]
    );

    let mut run = finops(folder.path(), emulator);
    run.args([
        "--now",
        "2026-11-24T12:00:00Z",
        "--store",
        "sqlite:ledger.db",
        "run",
        "--format",
        "jsonl",
    ]);
    let run = run.output().unwrap();
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let command: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let mut first = told[0].1.clone();
    assert_eq!(first["exit_code"], run.status.code().unwrap());
    for added in ["exit_code", "request_id", "run_at", "milliseconds"] {
        assert!(first.as_object_mut().unwrap().remove(added).is_some(), "{added}");
    }
    assert_eq!(first, command);
    assert_eq!(told[1].1["collected"]["recorded"], 0);
    assert!(told[2].1["errorMessage"].as_str().unwrap().contains("too little time"));

    // Four days without a run, and nothing new since: both are told, once.
    let active = told[3].1["alerts"]["active"].as_array().unwrap().clone();
    let kinds: Vec<&str> = active.iter().map(|a| a["kind"].as_str().unwrap()).collect();
    assert!(
        kinds.contains(&"run_missed") && kinds.contains(&"data_stale"),
        "{kinds:?}"
    );

    let logs = lines(&output);
    let metrics: Vec<&Value> = logs.iter().filter(|l| !l["_aws"].is_null()).collect();
    assert_eq!(metrics.len(), 3);
    assert_eq!(metrics[0]["CallsRecorded"], 3744);
    assert_eq!(metrics[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"], "finops");
    let asked = json!({
        "TableName": "lambda-cost-alerts-example",
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": { ":pk": { "S": "heartbeat" } },
    });
    let heartbeats = emulator.call("dynamodb", "DynamoDB_20120810.Query", &asked);
    assert_eq!(heartbeats["Count"], 3, "one a run");
}

#[test]
fn the_function_and_the_command_leave_equal_reports_byte_for_byte() {
    let Some(emulator) = moto() else { return };
    let prepare = |namespace: &str| {
        let folder = tempfile::tempdir().unwrap();
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tour"),
            folder.path(),
        );
        let settings = std::fs::read_to_string(folder.path().join("finops.toml")).unwrap();
        let settings = settings.replace("namespace = \"tour\"", &format!("namespace = \"{namespace}\""));
        let more = "[store]\nurl = \"dynamodb:\"\n[runs]\nexpected_every_hours = 24\nstale_after_hours = 48\n";
        std::fs::write(folder.path().join("finops.toml"), format!("{settings}\n{more}")).unwrap();
        create_table_named(emulator, &format!("{namespace}-ai-costs-example"));
        create_table_named(emulator, &format!("{namespace}-cost-alerts-example"));
        folder
    };
    let (by_function, by_command) = (prepare("function"), prepare("command"));
    let now = "2026-11-24T12:00:00Z";
    let (api, told) = stub(vec![(scheduled(now), Duration::from_secs(900))]);
    let output = monitor(by_function.path(), emulator, &api).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let run = |folder: &Path, args: &[&str]| {
        let mut command = finops(folder, emulator);
        command.args(["--now", now]).args(args);
        text(&command.output().unwrap())
    };
    let said = run(by_command.path(), &["run", "--format", "jsonl"]);
    let mut summary = told.lock().unwrap()[0].1.clone();
    for added in ["exit_code", "request_id", "run_at", "milliseconds"] {
        summary.as_object_mut().unwrap().remove(added);
    }
    let document = summary.to_string();
    assert!(said.lines().any(|line| line == document), "{said}\n{document}");
    for report in [
        &["report", "--by", "day,team,model"][..],
        &["report", "--by", "provider,model", "--format", "json"],
        &["report", "--format", "csv", "--by", "agent"],
        &["budget", "--format", "json"],
        &["alert", "list", "--format", "json"],
        &["explain", "--top", "5"],
    ] {
        let (function, command) = (run(by_function.path(), report), run(by_command.path(), report));
        assert!(function.ends_with("Some(0)"), "{report:?}: {function}");
        assert_eq!(function, command, "{report:?}");
    }
}

#[test]
fn started_by_hand_it_says_what_it_is() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_finops-monitor"));
    let output = command.env_remove("AWS_LAMBDA_RUNTIME_API").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("error: AWS_LAMBDA_RUNTIME_API is not set"), "{said}");
}

#[test]
fn wrong_settings_are_told_to_the_runtime_before_the_first_event() {
    let Some(emulator) = moto() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("finops.toml"), "namespce = \"x\"\n").unwrap();
    let (api, told) = stub(Vec::new());
    let output = monitor(folder.path(), emulator, &api).output().unwrap();
    assert!(!output.status.success());
    let told = told.lock().unwrap().clone();
    assert!(told[0].0.ends_with("/runtime/init/error"), "{told:?}");
    assert!(
        told[0].1["errorMessage"].as_str().unwrap().contains("namespce"),
        "{told:?}"
    );
}
