//! `finops serve --ingest` with many connections, with requests that are none, and at its start.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::ingest::{JSON, NDJSON, Running, held, line, serve, serve_in};
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
    let connect = |_| TcpStream::connect(&server.address).unwrap();
    let _silent: Vec<TcpStream> = (0..60).map(connect).collect();
    // Who began to ask hears why it ends, who said nothing does not.
    let mut slow: Vec<TcpStream> = (0..4).map(connect).collect();
    for stream in &mut slow[1..] {
        stream.write_all(b"POST /v1/usage HTTP/1.1\r\nHo").unwrap();
    }
    let heard = slow.iter_mut().map(|stream| {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    for (n, answer) in heard.enumerate() {
        assert_eq!(answer.starts_with("HTTP/1.1 408 "), n > 0, "{answer}");
    }
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
    let _open = held(&server.address, 64, 1);
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

fn telling(id: &str, parent: &str, operation: &str, input: u64) -> Vec<u8> {
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"aa","spanId":"{id}","parentSpanId":"{parent}","startTimeUnixNano":"1792484104250000000","attributes":[{{"key":"gen_ai.operation.name","value":{{"stringValue":"{operation}"}}}},{{"key":"gen_ai.provider.name","value":{{"stringValue":"anthropic"}}}},{{"key":"gen_ai.request.model","value":{{"stringValue":"claude-sonnet-4-6"}}}},{{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"{input}"}}}}]}}]}}]}}]}}"#
    )
    .into_bytes()
}

#[test]
fn what_could_not_be_recorded_counts_once_when_it_is_sent_again() {
    let server = serve(&[]);
    let (agent, call) = (
        telling("a1", "", "invoke_agent", 5_000),
        telling("c1", "a1", "chat", 5_000),
    );
    assert!(server.post("/v1/traces", JSON, &agent).starts_with("HTTP/1.1 200 "));
    let other = rusqlite::Connection::open(server.folder.path().join("l.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(server.post("/v1/traces", JSON, &call).starts_with("HTTP/1.1 503 "));
    assert!(
        server
            .raw(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
            .starts_with("HTTP/1.1 503 ")
    );
    other.execute_batch("ROLLBACK").unwrap();
    assert!(server.post("/v1/traces", JSON, &call).starts_with("HTTP/1.1 200 "));
    assert!(
        server
            .raw(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
            .starts_with("HTTP/1.1 200 ")
    );
    assert_eq!(server.total("input_uncached_tokens"), 5_000);
}

#[test]
fn it_ends_in_time_while_others_hold_the_ledger() {
    let server = serve(&[]);
    assert!(
        server
            .post("/v1/usage", NDJSON, line(1).as_bytes())
            .starts_with("HTTP/1.1 200 ")
    );
    let other = rusqlite::Connection::open(server.folder.path().join("l.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The server has taken their heads, so that it does not end before it has answered.
    let mut senders = held(&server.address, 3, line(2).len());
    for (n, stream) in (2..).zip(&mut senders) {
        stream.write_all(line(n).as_bytes()).unwrap();
    }
    let begun = Instant::now();
    server.terminate();
    let answer = |stream: &mut TcpStream| {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let answers: Vec<String> = senders.iter_mut().map(answer).collect();
    assert!(begun.elapsed() < Duration::from_secs(11), "{:?}", begun.elapsed());
    assert!(
        answers.iter().all(|answer| answer.starts_with("HTTP/1.1 503 ")),
        "{answers:?}"
    );
    server.stop();
}

#[test]
fn many_empty_spans_take_little_memory() {
    let server = serve(&[]);
    let json = format!(
        r#"{{"resourceSpans":[{{"scope":{{}},"scopeSpans":[{{"spans":[{}{{}}]}}]}}]}}"#,
        "{},".repeat(300_000)
    );
    let varint = |mut n: usize| {
        let mut bytes = Vec::new();
        while n >= 0x80 {
            bytes.push(n.to_le_bytes()[0] | 0x80);
            n >>= 7;
        }
        bytes.push(n.to_le_bytes()[0]);
        bytes
    };
    let field = |tag: u8, inner: &[u8]| [&[tag][..], &varint(inner.len()), inner].concat();
    let spans = [0x12, 0].repeat(1_000_000);
    let attributes = field(0x12, &[0x4a, 0].repeat(1_000_000));
    let protobuf = |spans: &[u8]| field(0x0a, &field(0x12, spans));
    for (kind, body) in [
        (JSON, json.into_bytes()),
        ("Content-Type: application/x-protobuf\r\n", protobuf(&spans)),
        ("Content-Type: application/x-protobuf\r\n", protobuf(&attributes)),
    ] {
        let answer = server.post("/v1/traces", kind, &body);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    if let Some(most) = server.most_memory() {
        assert!(most < 100 << 20, "{most} bytes");
    }
}

#[test]
fn what_is_refused_is_told() {
    let server = serve(&[]);
    let ahead = line(1).replace("2026-10-20", "2999-10-20");
    let post = |path: &str, kind: &str, body: &str| server.post(path, kind, body.as_bytes());
    for (path, kind, body, status) in [
        ("/v1/logs", JSON, "{}", 404),
        ("/v1/logs", JSON, "{}", 404),
        ("/v1/traces", "Content-Type: text/plain\r\n", "", 415),
        ("/v1/usage", NDJSON, &ahead, 400),
        ("/v1/usage", NDJSON, &ahead.repeat(12), 400),
        ("/v1/traces", JSON, r#"{"resourceLogs":[{}]}"#, 200),
        ("/v1/traces/", JSON, "{}", 200),
    ] {
        let answer = post(path, kind, body);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
    }
    let (_, told) = server.stop();
    let told: Vec<&str> = told.lines().collect();
    for about in [
        "warning: requests refused with 404 at `/v1/logs`: log records are not read: export traces to /v1/traces, and set OTEL_LOGS_EXPORTER=none (Codex: `exporter = \"none\"` in `[otel]`; ",
        "warning: requests refused with 415 at `/v1/traces`: ",
        "warning: rejected: `ts`: implausible time in the future (1 time)",
        "warning: rejected: `ts`: implausible time in the future (10 times)",
        "warning: rejected: further records of the same requests (2 times)",
        "warning: OTLP log records are not read",
    ] {
        assert!(told.iter().any(|line| line.starts_with(about)), "{about}: {told:#?}");
    }
}

#[test]
fn requests_in_unusual_forms_are_understood() {
    let server = serve(&[]);
    let body = line(1);
    let chunks = |n: u64, trailers: &str| {
        let body = line(n);
        format!(
            "POST http://x/v1/usage HTTP/1.1\r\nHost: x\r\n{NDJSON}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n{trailers}\r\n",
            body.len()
        )
    };
    let last = format!(
        "POST /v1/usage HTTP/1.1\r\nConnection: close\r\n{NDJSON}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // What stands behind the last chunk is no part of the request behind it.
    let answer = server.raw((chunks(2, "") + &chunks(3, "A: b\r\nDigest: c\r\n") + &last).as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 3, "{answer}");
    assert_eq!(server.calls(), 3);
    let many = "X: y\r\n".repeat(80);
    for (text, status, about) in [
        (
            format!("POST /v1/usage HTTP/1.1\r\n{many}\r\n"),
            431,
            "too many headers",
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 400, "http/protobuf"),
    ] {
        let answer = server.raw(text.as_bytes());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(about),
            "{answer}"
        );
    }
    // In pieces of a byte, which take no longer than others.
    let long = line(4) + &" ".repeat(200_000);
    let mut pieces =
        format!("POST /v1/usage HTTP/1.1\r\nConnection: close\r\n{NDJSON}Transfer-Encoding: chunked\r\n\r\n");
    for byte in long.chars() {
        pieces += "1\r\n";
        pieces.push(byte);
        pieces += "\r\n";
    }
    let begun = Instant::now();
    assert!(
        server
            .raw((pieces + "0\r\n\r\n").as_bytes())
            .starts_with("HTTP/1.1 200 ")
    );
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_token_that_no_request_can_bear_keeps_it_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    for (token, about) in [("abc\n", "line break"), ("   ", "blank"), (" abc", "blank")] {
        let mut program = program(folder.path());
        let output = program
            .args(["--store", "sqlite:l.db", "serve", "--ingest", "--listen", "127.0.0.1:0"])
            .args(["--token", "env:INGEST_TOKEN"])
            .env("INGEST_TOKEN", token)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(err(&output).contains(about), "{}", err(&output));
    }
}

#[test]
fn nothing_is_acknowledged_into_a_file_that_is_no_ledger_any_more() {
    let server = serve(&[]);
    let post = |n: u64| server.post("/v1/usage", NDJSON, line(n).as_bytes());
    let health = || server.raw(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n");
    let [ledger, backup, away] = ["l.db", "b.db", "away.db"].map(|name| server.folder.path().join(name));
    assert!(post(1).starts_with("HTTP/1.1 200 "));
    let other = rusqlite::Connection::open(&ledger).unwrap();
    other.execute("VACUUM INTO ?", [backup.to_str().unwrap()]).unwrap();
    // What SQLite does to a file in its place is nothing to it.
    other.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    assert!(post(2).starts_with("HTTP/1.1 200 "));
    std::fs::rename(&ledger, &away).unwrap();
    assert!(post(3).starts_with("HTTP/1.1 503 "), "it is gone");
    std::fs::copy(&backup, &ledger).unwrap();
    assert!(post(4).starts_with("HTTP/1.1 503 "), "it is another one");
    assert!(health().starts_with("HTTP/1.1 503 "));
    std::fs::rename(&away, &ledger).unwrap();
    assert!(post(3).starts_with("HTTP/1.1 200 "), "it is back");
    assert!(health().starts_with("HTTP/1.1 200 "));
    assert_eq!(server.calls(), 3);
    let (out, err) = server.stop();
    assert!(out.starts_with("recorded 3 new calls"), "{out}");
    assert_eq!(
        err.matches("has to be started anew; senders are asked").count(),
        1,
        "{err}"
    );
}

/// Puts a file into place whole, with its folders where they are not there: the server may look at any time.
fn put(folder: &Path, name: &str, text: &str) {
    let staged = folder.join("staged");
    std::fs::create_dir_all(staged.join(name).parent().unwrap()).unwrap();
    std::fs::write(staged.join(name), text).unwrap();
    let top = Path::new(name).iter().next().unwrap();
    let moved = if folder.join(top).exists() { name.as_ref() } else { top };
    std::fs::rename(staged.join(moved), folder.join(moved)).unwrap();
}

const ANEW: &str = "prices are read anew, since a file of theirs has changed\n";
const UNUSABLE: &str = "error: changed prices cannot be used: ";

/// Waits until the server has told so often of changed prices. It looks at their files when something is sent, once a second at most.
fn wait_for_prices(server: &Running, times: usize) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = server.post("/v1/traces", JSON, b"{}");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let err = server.told();
        let told = err.matches(ANEW).count() + err.matches(UNUSABLE).count();
        if told == times {
            return;
        }
        assert!(told < times && Instant::now() < until, "{times}: {err}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn changed_prices_hold_for_what_comes_in_after_that() {
    let server = serve(&[]);
    let post = |n: u64| {
        let call = line(n)
            .replace("claude-sonnet-4-6", "claude-new-9")
            .replace(":5}", ":1000000}");
        assert!(
            server
                .post("/v1/usage", NDJSON, call.as_bytes())
                .starts_with("HTTP/1.1 200 ")
        );
    };
    let write = |text: &str, times: usize| {
        put(server.folder.path(), "policies/prices/own-anthropic.toml", text);
        wait_for_prices(&server, times);
    };
    post(1);
    write(
        "providers = [\"anthropic\"]\n[[entry]]\nmodel = \"claude-new-9\"\n[[entry.price]]\nrates = { input = \"2\", output = \"3\" }\n",
        1,
    );
    post(2);
    // What cannot be read takes no price away.
    write("providers = [", 2);
    post(3);
    post(4);
    let (out, err) = server.stop();
    assert!(
        out.starts_with("recorded 4 new calls, $6.00, from ") && out.ends_with(" requests; 1 unpriced\n"),
        "{out}{err}"
    );
    assert_eq!([ANEW, UNUSABLE].map(|told| err.matches(told).count()), [1, 1], "{err}");
}

#[test]
fn a_book_that_the_settings_name_before_it_can_be_read_is_taken_once_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[store]\nurl = \"sqlite:l.db\"\n";
    std::fs::write(folder.path().join("finops.toml"), settings).unwrap();
    let server = serve_in(folder, &[]);
    let (book, moved) = ("book.toml", "moved/prices/own-anthropic.toml");
    let priced = |input: u32| {
        format!(
            "providers = [\"anthropic\"]\n[[entry]]\nmodel = \"claude-new-9\"\n[[entry.price]]\nrates = {{ input = \"{input}\", output = \"3\" }}\n"
        )
    };
    let named = format!("{settings}[[price_book]]\nname = \"own\"\nkind = \"finops\"\npath = \"book.toml\"\n");
    // What a call costs once this is written.
    for (n, (name, text)) in (1_u32..).zip([
        ("finops.toml", named.clone()),
        (book, "providers = [".to_owned()),
        (book, priced(2)),
        // Back, and elsewhere, in the same order.
        ("finops.toml", settings.to_owned()),
        ("finops.toml", format!("policies = \"moved\"\n{settings}")),
        (moved, "providers = [".to_owned()),
        (moved, priced(4)),
    ]) {
        put(server.folder.path(), name, &text);
        wait_for_prices(&server, n as usize);
        let call = line(n.into())
            .replace("claude-sonnet-4-6", "claude-new-9")
            .replace(":5}", ":1000000}");
        let answer = server.post("/v1/usage", NDJSON, call.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let (out, err) = server.stop();
    assert!(
        out.starts_with("recorded 7 new calls, $6.00, from ") && out.ends_with(" requests; 5 unpriced\n"),
        "{out}{err}"
    );
    assert_eq!([ANEW, UNUSABLE].map(|told| err.matches(told).count()), [3, 4], "{err}");
}

#[test]
fn a_request_of_which_a_span_waits_for_others_was_understood() {
    let span = |id: &str, operation: &str, input: &str| {
        let text = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
        let mut attributes = text("gen_ai.operation.name", operation) + "," + &text("gen_ai.request.model", "gpt-4o");
        if !input.is_empty() {
            attributes += &(",".to_owned() + &text("gen_ai.usage.input_tokens", input));
        }
        format!(
            r#"{{"traceId":"aa","spanId":"{id}","startTimeUnixNano":"1792484104250000000","attributes":[{attributes}]}}"#
        )
    };
    let (gap, agent, bad) = (
        span("b1", "chat", ""),
        span("b2", "invoke_agent", "7"),
        span("b3", "chat", "xyz"),
    );
    let server = serve(&[]);
    for (spans, status, of_traces, of_records) in [
        (format!("{gap},{bad}"), 200, r#""rejectedSpans":"1""#, r#""accepted":1"#),
        (
            format!("{agent},{bad}"),
            200,
            r#""rejectedSpans":"1""#,
            r#""accepted":1"#,
        ),
        (gap, 200, "{}", r#""accepted":1"#),
        (bad, 400, "gen_ai.usage.input_tokens", "gen_ai.usage.input_tokens"),
    ] {
        let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#);
        for (path, about) in [("/v1/traces", of_traces), ("/v1/usage", of_records)] {
            let answer = server.post(path, JSON, body.as_bytes());
            let is_so = answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(about);
            assert!(is_so, "{path} {spans}: {answer}");
        }
    }
}

#[test]
fn what_is_received_and_falls_silent_is_told_like_a_file_that_does() {
    let server = serve(&[]);
    let folder = server.folder.path();
    let settings = "[store]\nurl = \"sqlite:l.db\"\n[[source]]\nname = \"gw\"\nkind = \"plain\"\npaths = [\"gw.jsonl\"]\n[runs]\nstale_after_hours = 48\n";
    std::fs::write(folder.join("finops.toml"), settings).unwrap();
    let calls = |name: &str, days: std::ops::RangeInclusive<u32>| -> String {
        let of = |day| {
            line(0)
                .replace("e-0", &format!("{name}{day}"))
                .replace("2026-10-20", &format!("2026-10-{day}"))
        };
        days.map(of).collect()
    };
    std::fs::write(folder.join("gw.jsonl"), calls("g", 10..=28)).unwrap();
    let once = folder.join("once.jsonl");
    std::fs::write(&once, calls("o", 10..=17)).unwrap();
    assert!(
        server
            .post("/v1/usage", NDJSON, calls("r", 10..=17).as_bytes())
            .starts_with("HTTP/1.1 200 ")
    );
    let finops = |args: &[&str]| {
        let mut program = program(folder);
        let output = program
            .args(["--now", "2026-10-28T18:00:00Z"])
            .args(args)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // A file that was recorded once is no source that anything is awaited of.
    finops(&["record", "once.jsonl"]);
    let told = finops(&["run"]);
    assert_eq!(told.matches(" firing]").count(), 1, "{told}");
    assert!(
        told.contains("[info firing] nothing has come from the source ingest for 10 days"),
        "{told}"
    );
    assert!(told.contains("look at what sends to `finops serve`"), "{told}");
}
