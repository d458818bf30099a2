//! `finops serve --ingest`: the real binary, over loopback.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::slice::from_ref;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;

use crate::support::program;

pub struct Running {
    child: Child,
    pub address: String,
    pub folder: tempfile::TempDir,
    told: Arc<Mutex<String>>,
    telling: Option<std::thread::JoinHandle<()>>,
}

fn command(folder: &Path) -> Command {
    let mut command = program(folder);
    command.args(["--store", "sqlite:l.db"]);
    command
}

pub fn serve(args: &[&str]) -> Running {
    serve_in(tempfile::tempdir().unwrap(), args)
}

/// The same in a folder that may have settings.
pub fn serve_in(folder: tempfile::TempDir, args: &[&str]) -> Running {
    let mut child = command(folder.path())
        .args(["serve", "--ingest", "--listen", "127.0.0.1:0"])
        .args(args)
        .env("INGEST_TOKEN", "s3cret")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    err.read_line(&mut line).unwrap();
    let address = line.trim().rsplit('/').next().unwrap().to_owned();
    assert!(line.starts_with("listening at http://127.0.0.1:"), "{line}");
    let told = Arc::<Mutex<String>>::default();
    // The pipe must stay open and be read, or it stops.
    let text = Arc::clone(&told);
    let telling = std::thread::spawn(move || {
        let mut line = String::new();
        while err.read_line(&mut line).is_ok_and(|read| read > 0) {
            text.lock().unwrap().push_str(&line);
            line.clear();
        }
    });
    Running {
        child,
        address,
        folder,
        told,
        telling: Some(telling),
    }
}

/// Connections over each of which a body of this length is announced that does not come. The server has taken the heads of all of them.
pub fn held(address: &str, count: usize, length: usize) -> Vec<TcpStream> {
    let head = format!("POST /v1/usage HTTP/1.1\r\n{NDJSON}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n");
    let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    let until = Instant::now() + Duration::from_secs(20);
    let mut held = Vec::new();
    while held.len() < count {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 25];
        if stream.read_exact(&mut answer).is_ok() && answer == *go_on {
            held.push(stream);
            continue;
        }
        // Others may not have ended yet.
        assert!(Instant::now() < until, "{}", String::from_utf8_lossy(&answer));
        std::thread::sleep(Duration::from_millis(20));
    }
    held
}

impl Running {
    /// Sends raw bytes and reads to the end of the connection.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        // Long: a busy machine takes its time over a large body.
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub fn post(&self, path: &str, headers: &str, body: &[u8]) -> String {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        self.raw(&[head.as_bytes(), body].concat())
    }

    pub fn calls(&self) -> u64 {
        self.total("events")
    }

    /// Of everything that was recorded, the sum of a column.
    pub fn total(&self, column: &str) -> u64 {
        let out = command(self.folder.path())
            .args([
                "report",
                "--from",
                "2026-01-01",
                "--to",
                "2027-01-01",
                "--by",
                "source",
                "--format",
                "json",
            ])
            .output()
            .unwrap();
        let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        report["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row[column].as_u64().unwrap())
            .sum()
    }

    /// What it has written to standard error so far, behind the address.
    pub fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }

    /// The most memory that it has held, where the system tells.
    pub fn most_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Asks it to end and waits; what it wrote to standard output and, behind the address, to standard error.
    pub fn stop(mut self) -> (String, String) {
        self.terminate();
        let until = Instant::now() + Duration::from_secs(15);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "it did not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "{status}");
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        self.telling.take().unwrap().join().unwrap();
        (text, self.told())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn line(n: u64) -> String {
    format!(
        "{{\"id\":\"e-{n}\",\"ts\":\"2026-10-20T08:15:04Z\",\"provider\":\"anthropic\",\"model\":\"claude-sonnet-4-6\",\"input_tokens\":5}}\n"
    )
}

pub const NDJSON: &str = "Content-Type: application/x-ndjson\r\n";
pub const JSON: &str = "Content-Type: application/json\r\n";
const PROTOBUF: &str = "Content-Type: application/x-protobuf\r\n";

fn span(id: &str, parent: &str, operation: &str) -> String {
    format!(
        r#"{{"traceId":"aa","spanId":"{id}","parentSpanId":"{parent}","startTimeUnixNano":"1792484104250000000","attributes":[{{"key":"gen_ai.operation.name","value":{{"stringValue":"{operation}"}}}},{{"key":"gen_ai.provider.name","value":{{"stringValue":"openai"}}}},{{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"7"}}}}]}}"#
    )
}

fn traces(spans: &[String]) -> Vec<u8> {
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#,
        spans.join(",")
    )
    .into_bytes()
}

#[test]
fn what_is_acknowledged_is_recorded_once_and_survives() {
    let server = serve(&[]);
    let answer = server.post("/v1/usage", NDJSON, (line(1) + &line(2) + "{\"id\":\"x\"}").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.contains(r#""accepted":2"#) && answer.contains(r#""rejected":1"#),
        "{answer}"
    );
    assert_eq!(server.calls(), 2);
    // Sent again, packed, in chunks.
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all((line(2) + &line(3)).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let (front, back) = packed.split_at(10);
    let mut chunks = format!("POST /v1/usage HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n{NDJSON}\r\n").into_bytes();
    for part in [front, back] {
        chunks.extend(format!("{:x}\r\n", part.len()).bytes());
        chunks.extend_from_slice(part);
        chunks.extend(b"\r\n");
    }
    chunks.extend(b"0\r\n\r\n");
    assert!(server.raw(&chunks).starts_with("HTTP/1.1 200 "));
    // The call of a trace arrives before its agent span, in a request of its own; the other agent span has no call.
    let (call, agent, lone) = (
        span("c1", "a1", "chat"),
        span("a1", "", "invoke_agent"),
        span("a2", "", "invoke_agent"),
    );
    let answer = server.post("/v1/traces", JSON, &traces(&[call]));
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("{}"),
        "{answer}"
    );
    assert!(
        server
            .post("/v1/traces", JSON, &traces(&[agent, lone]))
            .starts_with("HTTP/1.1 200 ")
    );
    assert_eq!(server.calls(), 5);
    assert!(
        server
            .raw(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
            .contains("ok")
    );
    let (told, _) = server.stop();
    assert_eq!(
        told,
        "recorded 5 new calls, <$0.0001, from 4 requests; 1 repeated; 1 no spend (parent_spans); 2 unpriced; 1 rejected\n"
    );
}

#[test]
fn a_framework_and_the_library_below_it_tell_one_call_whatever_requests_they_come_in() {
    let server = serve(&[]);
    let (call, view) = (span("c1", "v1", "chat"), span("v1", "", "chat"));
    let both = [span("v2", "", "chat"), span("c2", "v2", "chat")];
    // Sent again, they are the same.
    for _ in 0..2 {
        for spans in [from_ref(&call), from_ref(&view), &both] {
            let answer = server.post("/v1/traces", JSON, &traces(spans));
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        assert_eq!(server.calls(), 2);
    }
    let (told, _) = server.stop();
    assert!(told.starts_with("recorded 2 new calls"), "{told}");
}

#[derive(Clone, PartialEq, prost::Message)]
struct Pair {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(int64, optional, tag = "3")]
    int: Option<i64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    id: Vec<u8>,
    #[prost(fixed64, tag = "7")]
    start: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<Pair>,
}

/// A message whose only field of interest is a list of others.
#[derive(Clone, PartialEq, prost::Message)]
struct One {
    #[prost(bytes = "vec", repeated, tag = "1")]
    inner: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Two {
    #[prost(bytes = "vec", repeated, tag = "2")]
    inner: Vec<Vec<u8>>,
}

#[test]
fn protobuf_is_understood_and_answered_in_kind() {
    let server = serve(&[]);
    let text = |key: &str, value: &str| Pair {
        key: key.to_owned(),
        value: Some(Any {
            text: Some(value.to_owned()),
            int: None,
        }),
    };
    let count = |n: i64| Pair {
        key: "gen_ai.usage.input_tokens".to_owned(),
        value: Some(Any {
            text: None,
            int: Some(n),
        }),
    };
    let span = |id: u8, n: i64| Span {
        trace: vec![1; 16],
        id: vec![id; 8],
        start: 1_792_484_104_250_000_000,
        attributes: vec![
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", "openai"),
            count(n),
        ],
    };
    let request = |spans: &[Span]| {
        let scope = Two {
            inner: spans.iter().map(Span::encode_to_vec).collect(),
        }
        .encode_to_vec();
        let resource = Two { inner: vec![scope] }.encode_to_vec();
        One { inner: vec![resource] }.encode_to_vec()
    };
    let answer = server.post("/v1/traces", PROTOBUF, &request(&[span(1, 7), span(2, 8)]));
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("content-length: 0"),
        "{answer}"
    );
    // One span that is not usable is told in the protocol's own words.
    let answer = server.post("/v1/traces", PROTOBUF, &request(&[span(2, 8), span(3, -1)]));
    assert!(
        answer.contains("application/x-protobuf") && answer.contains("negative count"),
        "{answer}"
    );
    let answer = server.post("/v1/traces", PROTOBUF, b"\xff\xff\xff");
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.contains("content-type: application/x-protobuf"),
        "{answer}"
    );
    assert!(
        answer.contains("\r\n\r\n\x12") && answer.contains("not valid protobuf"),
        "{answer}"
    );
    // A name that is none costs no call.
    let mut named = span(4, 9);
    named.attributes.push(Pair {
        key: "team".to_owned(),
        ..count(-42)
    });
    let answer = server.post("/v1/traces", PROTOBUF, &request(&[named]));
    assert!(answer.contains("content-length: 0"), "{answer}");
    assert_eq!(server.calls(), 3);
}

#[test]
fn requests_that_are_not_meant_for_it_are_refused() {
    let server = serve(&["--token", "env:INGEST_TOKEN"]);
    let bearer = "Authorization: Bearer s3cret\r\n";
    let ok = line(1);
    for (path, headers, body, status) in [
        ("/v1/usage", NDJSON.to_owned(), ok.as_bytes(), 401),
        (
            "/v1/usage",
            format!("Authorization: Bearer s3cre\r\n{NDJSON}"),
            ok.as_bytes(),
            401,
        ),
        (
            "/v1/usage",
            format!("{bearer}Content-Type: text/plain\r\n"),
            ok.as_bytes(),
            415,
        ),
        (
            "/v1/usage",
            format!("{bearer}Origin: http://a\r\n{NDJSON}"),
            ok.as_bytes(),
            403,
        ),
        ("/v1/metrics", format!("{bearer}{JSON}"), b"{}", 404),
        (
            "/v1/usage",
            format!("{bearer}{NDJSON}Content-Encoding: br\r\n"),
            ok.as_bytes(),
            415,
        ),
        (
            "/v1/usage",
            format!("{bearer}{NDJSON}Content-Encoding: gzip\r\n"),
            ok.as_bytes(),
            400,
        ),
        (
            "/v1/usage",
            format!("{bearer}{NDJSON}Content-Length: 1\r\n"),
            ok.as_bytes(),
            400,
        ),
        ("/v1/usage", format!("{bearer}{NDJSON}"), b"{\"id\":", 400),
        ("/v1/traces", format!("{bearer}{JSON}"), b"[]", 400),
        ("/v1/usage", format!("{bearer}{NDJSON}"), ok.as_bytes(), 200),
    ] {
        let answer = server.post(path, &headers, body);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path} {headers}: {answer}"
        );
    }
    for (text, status) in [
        (format!("GET /v1/usage HTTP/1.1\r\n{bearer}\r\n"), 405),
        (
            format!("POST /v1/usage HTTP/1.1\r\n{bearer}{NDJSON}Content-Length: 99999999999\r\n\r\n"),
            413,
        ),
        (
            format!("POST /v1/usage HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000)),
            431,
        ),
        ("hello\r\n\r\n".to_owned(), 400),
    ] {
        let answer = server.raw(text.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
    }
    // A small body that unpacks to a large one.
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..64 {
        bomb.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let answer = server.post(
        "/v1/usage",
        &format!("{bearer}{NDJSON}Content-Encoding: gzip\r\n"),
        &bomb.finish().unwrap(),
    );
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(server.calls(), 1);
    let mut open = program(server.folder.path());
    let out = open
        .args(["--store", "sqlite:l.db", "serve", "--ingest", "--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("no token is given"));
}

#[test]
fn overload_is_answered_with_later_and_memory_stays_bounded() {
    let server = serve(&[]);
    // Bodies that are announced and never come hold their memory.
    let mut waiting = held(&server.address, 6, 12 << 20);
    let until = Instant::now() + Duration::from_secs(20);
    while waiting.len() > 3 && Instant::now() < until {
        waiting.retain_mut(|stream| {
            stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            let mut answer = [0; 400];
            let Ok(read) = stream.read(&mut answer) else {
                return true;
            };
            let text = String::from_utf8_lossy(&answer[..read]).to_lowercase();
            assert!(
                text.starts_with("http/1.1 429 ") && text.contains("retry-after: 1"),
                "{text}"
            );
            false
        });
    }
    assert_eq!(waiting.len(), 3);
    // Small ones still find room, and when the others go away there is room for all.
    assert!(
        server
            .post("/v1/usage", NDJSON, line(1).as_bytes())
            .starts_with("HTTP/1.1 200 ")
    );
    drop(waiting);
    let many: String = (0..100_000).map(line).collect();
    let until = Instant::now() + Duration::from_secs(60);
    let answer = loop {
        let answer = server.post("/v1/usage", NDJSON, many.as_bytes());
        // Who is told to come later while the body is still on its way may find the connection cut in place of an answer.
        let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 429 ");
        if !is_refused || Instant::now() >= until {
            break answer;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(server.calls(), 100_000);
    // More connections than it holds.
    let open = held(&server.address, 64, 1);
    let answer = server.post("/v1/usage", NDJSON, line(1).as_bytes());
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    drop(open);
    server.stop();
}

/// Pictures in prompts hardly pack.
#[test]
fn a_packed_body_within_both_limits_finds_room() {
    let server = serve(&[]);
    let mut packed = GzEncoder::new(Vec::new(), Compression::none());
    packed.write_all((line(1) + &" ".repeat(19 << 20)).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() > 19 << 20);
    for _ in 0..2 {
        let answer = server.post("/v1/usage", &format!("{NDJSON}Content-Encoding: gzip\r\n"), &packed);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert_eq!(server.calls(), 1);
}

#[test]
fn many_senders_at_once_are_all_recorded() {
    let server = serve(&[]);
    std::thread::scope(|scope| {
        for sender in 0..8_u64 {
            let address = &server.address;
            scope.spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                let mut answers = BufReader::new(stream.try_clone().unwrap());
                for n in 0..25 {
                    let body = line(sender * 100 + n);
                    let text = format!(
                        "POST /v1/usage HTTP/1.1\r\n{NDJSON}Content-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    stream.write_all(text.as_bytes()).unwrap();
                    let (mut head, mut length) = (String::new(), 0);
                    while !head.ends_with("\r\n\r\n") {
                        answers.read_line(&mut head).unwrap();
                    }
                    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
                    for header in head.to_lowercase().lines() {
                        if let Some(n) = header.strip_prefix("content-length: ") {
                            length = n.parse().unwrap();
                        }
                    }
                    answers.read_exact(&mut vec![0; length]).unwrap();
                }
            });
        }
    });
    assert_eq!(server.calls(), 200);
    server.stop();
}

#[test]
fn a_body_without_records_is_taken() {
    let server = serve(&[]);
    for body in ["", " ", "[]", " [ ]\n"] {
        let answer = server.post("/v1/usage", NDJSON, body.as_bytes());
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"accepted\":0"),
            "{body:?}: {answer}"
        );
    }
    for body in ["[1]", "{}", "[] x"] {
        let answer = server.post("/v1/usage", NDJSON, body.as_bytes());
        assert!(!answer.starts_with("HTTP/1.1 200 "), "{body:?}: {answer}");
    }
}
