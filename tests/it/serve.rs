//! `finops serve --ingest` with many connections, with requests that are none, and at its start.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::ingest::{JSON, NDJSON, line, serve};
use crate::support::{err, program};

/// Sends one record over a connection that is to stay and answers the head of what comes back.
fn send(stream: &mut TcpStream, n: u64) -> String {
    let body = line(n);
    let text = format!(
        "POST /v1/usage HTTP/1.1\r\nHost: x\r\n{NDJSON}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(text.as_bytes());
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answers = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") && answers.read_line(&mut head).unwrap_or(0) > 0 {}
    for header in head.to_lowercase().lines() {
        if let Some(n) = header.strip_prefix("content-length: ") {
            length = n.parse().unwrap();
        }
    }
    let _ = answers.read_exact(&mut vec![0; length]);
    head
}

#[test]
fn senders_that_keep_their_connections_do_not_shut_others_out() {
    let server = serve(&[]);
    let mut kept: Vec<TcpStream> = Vec::new();
    for n in 0..80 {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let head = send(&mut stream, n);
        assert!(head.starts_with("HTTP/1.1 200 "), "{n}: {head}");
        kept.push(stream);
    }
    // The first ones are still served over the same connection.
    for (n, stream) in (100..).zip(&mut kept[..8]) {
        let head = send(stream, n);
        assert!(head.starts_with("HTTP/1.1 200 "), "{n}: {head}");
    }
    assert_eq!(server.calls(), 88);
}

#[test]
fn connections_that_say_nothing_are_ended_early_where_there_are_many() {
    let server = serve(&[]);
    let _silent: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = server.post("/v1/usage", NDJSON, line(1).as_bytes());
        if answer.starts_with("HTTP/1.1 200 ") {
            return;
        }
        assert!(Instant::now() < until, "{answer}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_sender_beyond_the_cap_gets_its_answer_though_it_sends_a_body() {
    let server = serve(&[]);
    let _silent: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(300));
    let body = line(1).repeat(50_000);
    let head = format!(
        "POST /v1/usage HTTP/1.1\r\nHost: x\r\n{NDJSON}Content-Length: {}\r\n\r\n",
        body.len()
    );
    for _ in 0..3 {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        // A sender whose pipe breaks takes that for an outage and does not look for an answer.
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
        assert!(answer.contains("retry-after: 1"), "{answer}");
    }
}

#[test]
fn an_object_that_is_no_export_request_is_not_acknowledged() {
    let server = serve(&[]);
    for (body, status) in [
        (r#"{"hello":"world"}"#, 400),
        (r#"{"id":"a","input_tokens":3}"#, 400),
        ("{}", 200),
        (" { \n } ", 200),
        (r#"{"resourceSpans":[]}"#, 200),
        (r#"{"resource_spans":[],"x":1}"#, 200),
        (r#"{"resourceLogs":[]}"#, 200),
        (r#"{"resourceMetrics":[]}"#, 200),
    ] {
        let answer = server.post("/v1/traces", JSON, body.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{body}: {answer}");
    }
}

#[test]
fn what_is_no_spend_or_has_no_price_is_told() {
    let span = |id: &str, usage: &str| {
        let operation = r#"{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}}"#;
        let body = format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"aa","spanId":"{id}","startTimeUnixNano":"1792484104250000000","attributes":[{operation}{usage}]}}]}}]}}]}}"#
        );
        body.into_bytes()
    };
    let usage = r#",{"key":"gen_ai.usage.input_tokens","value":{"intValue":"7"}}"#;
    for quiet in [false, true] {
        let server = serve(if quiet { &["--quiet"] } else { &[] });
        for (id, usage) in [("b1", ""), ("b2", ""), ("b3", usage)] {
            let answer = server.post("/v1/traces", JSON, &span(id, usage));
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        let (out, err) = server.stop();
        assert_eq!(
            out,
            "recorded 1 new call, $0.00, from 3 requests; 2 no spend (calls_without_usage); 1 unpriced\n"
        );
        let gap = "warning: calls without usage: coverage gap (1 time)";
        let unpriced = "warning: calls without a price, which `finops price missing` names (1 time)";
        let told: Vec<&str> = err.lines().collect();
        // At once, and what came after it at the end.
        let expected = if quiet { vec![] } else { vec![gap, unpriced, gap] };
        assert_eq!(told, expected);
    }
}

#[test]
fn health_is_told_to_those_who_ask_for_the_head_alone() {
    let server = serve(&["--token", "env:INGEST_TOKEN"]);
    let answer = server.raw(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.contains("content-length: 3\r\n") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
}

#[test]
fn what_keeps_it_from_starting_is_told_with_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (store, listen, cause, hint) in [
        ("sqlite:l.db", taken.as_str(), "cannot listen", "takes another port"),
        (
            "sqlite:l.db",
            "192.0.2.1:4318",
            "cannot listen",
            "an address of this machine",
        ),
        ("sqlite:l.db", "0.0.0.0:0", "no token is given", "`--token env:NAME`"),
        ("memory:", "127.0.0.1:0", "`memory:`", "`--store sqlite:PATH`"),
    ] {
        let mut program = program(folder.path());
        let output = program
            .args(["--store", store, "serve", "--ingest", "--listen", listen])
            .output()
            .unwrap();
        let told = err(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        let (before, after) = told.split_once("hint: ").unwrap();
        assert!(before.contains(cause) && after.contains(hint), "{told}");
        assert_eq!(after.contains("--token"), hint.contains("--token"), "{told}");
    }
}
