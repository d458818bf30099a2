//! Usage in buckets and keys in Secrets Manager, through the real binary and an emulator.

use std::path::Path;
use std::process::Output;

use finops::adapters::aws::Aws;
use finops::adapters::aws::s3::Bucket;
use finops::adapters::files::ObjectStore as _;
use serde_json::{Value, json};

use super::command::{finops, text};
use super::emulator::{Emulator, moto};

fn put(emulator: &Emulator, path: &str, body: &[u8]) {
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let credential =
        "AWS4-HMAC-SHA256 Credential=emulator/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    agent
        .put(format!("{}{path}", emulator.url))
        .header("authorization", credential)
        .send(body)
        .unwrap();
}

fn log(id: &str, at: &str, tokens: u64) -> Vec<u8> {
    let record = json!({
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": at, "accountId": "123456789012",
        "region": "us-east-1", "requestId": id, "operation": "Converse", "modelId": "amazon.nova-lite-v1:0",
        "input": {"inputContentType": "application/json", "inputTokenCount": tokens},
        "output": {"outputContentType": "application/json", "outputTokenCount": 1},
    });
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, format!("{record}\n").as_bytes()).unwrap();
    packed.finish().unwrap()
}

const ROOT: &str = "logs/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1";

fn record(folder: &Path, emulator: &Emulator, now: &str) -> (Value, Output) {
    let mut command = finops(folder, emulator);
    let output = command
        .args(["--now", now, "record", "--format", "json"])
        .output()
        .unwrap();
    (serde_json::from_slice(&output.stdout).unwrap_or(Value::Null), output)
}

#[test]
fn objects_of_a_bucket_are_read_once_and_late_ones_too() {
    let Some(emulator) = moto() else { return };
    let bucket = format!("usage-{}", std::process::id());
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = format!(
        "[store]\nurl = \"sqlite:ledger.db\"\n[[source]]\nname = \"bedrock\"\nkind = \"bedrock\"\npaths = [\"s3://{bucket}/logs\"]\n"
    );
    std::fs::write(folder.join("finops.toml"), config).unwrap();
    let now = "2026-11-20T12:00:00Z";
    let (_, output) = record(folder, emulator, now);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(
        text(&output).contains("s3:ListBucket: it does not exist"),
        "{}",
        text(&output)
    );

    put(emulator, &format!("/{bucket}"), b"");
    let object = |day: &str, name: &str| format!("/{bucket}/{ROOT}/2026/11/{day}/08/{name}.json.gz");
    for n in 0..25 {
        put(
            emulator,
            &object("10", &format!("a%20b%2B{n}")),
            &log(&format!("r{n}"), "2026-11-10T08:00:00Z", 10),
        );
    }
    put(
        emulator,
        &object("20", "a"),
        &log("today", "2026-11-20T08:00:00Z", 1000),
    );
    put(
        emulator,
        &format!("/{bucket}/{ROOT}/2026/11/20/08/data/body.json.gz"),
        &log("body", "2026-11-20T08:00:00Z", 7),
    );
    put(emulator, &object("20", "broken"), b"\x1F\x8B not gzip");
    let partition = format!("/{bucket}/logs/year%3D2026/month%3D11/day%3D20/hour%3D08/minute%3D15/a.json.gz");
    put(emulator, &partition, &log("partition", "2026-11-20T08:15:00Z", 1000));
    let (summary, output) = record(folder, emulator, now);
    assert_eq!(summary["recorded"], 27, "{summary} {}", text(&output));
    assert_eq!(summary["rejected"], 1, "{summary}");
    let hint = "hint: an object can be looked into once it is copied to this machine";
    assert!(text(&output).contains(hint), "{}", text(&output));

    // Nothing new: nothing is fetched. Late ones of open days are; a closed day is not listed again.
    put(emulator, &object("19", "late"), &log("late", "2026-11-19T08:00:00Z", 5));
    put(emulator, &object("20", "b"), &log("next", "2026-11-20T09:00:00Z", 5));
    put(
        emulator,
        &object("09", "too-late"),
        &log("too late", "2026-11-09T08:00:00Z", 5),
    );
    let (summary, _) = record(folder, emulator, now);
    assert_eq!(
        (&summary["recorded"], &summary["files"]),
        (&json!(2), &json!(2)),
        "{summary}"
    );
    // What is put again is read anew.
    put(
        emulator,
        &object("20", "broken"),
        &log("mended", "2026-11-20T10:00:00Z", 5),
    );
    let (summary, output) = record(folder, emulator, now);
    assert_eq!(
        (&summary["recorded"], &summary["files"]),
        (&json!(1), &json!(1)),
        "{summary} {}",
        text(&output)
    );
    let (summary, _) = record(folder, emulator, "2026-11-21T12:00:00Z");
    assert_eq!(summary["files"], 0, "{summary}");
}

#[test]
fn secrets_that_do_not_answer_leave_a_run_its_time_and_are_named() {
    // Connections are taken and nothing is said.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let settings = "[store]\nurl = \"sqlite:ledger.db\"\n[limits]\ntime_budget_seconds = 8\n\
                    [[source]]\nname = \"plain\"\nkind = \"plain\"\npaths = [\"calls.jsonl\"]\n\
                    [[source]]\nname = \"openai\"\nkind = \"openai-admin\"\nkey = \"secret:admin\"\nurl = \"http://127.0.0.1:9\"\n\
                    [[notify]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"secret:hook\"\n";
    std::fs::write(folder.join("finops.toml"), settings).unwrap();
    let call = json!({"id": "1", "ts": "2026-11-20T03:00:00Z", "provider": "openai", "model": "gpt-4o", "input_tokens": 1, "output_tokens": 1});
    std::fs::write(folder.join("calls.jsonl"), call.to_string()).unwrap();
    let emulator = Emulator {
        name: "silent",
        url: format!("http://{}", silent.local_addr().unwrap()),
        data: None,
    };
    let begun = std::time::Instant::now();
    let output = finops(folder, &emulator)
        .args(["--now", "2026-11-20T12:00:00Z", "run"])
        .output()
        .unwrap();
    let words = text(&output);
    // A quarter for both, and two seconds for what comes after; before, four minutes for each.
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(20),
        "{:?} {words}",
        begun.elapsed()
    );
    for name in ["hook", "admin"] {
        assert!(
            words.contains(&format!("the secret `{name}` in us-east-1: ")),
            "{words}"
        );
    }
    assert!(words.contains("needs an endpoint for Secrets Manager"), "{words}");
    assert!(words.contains("recorded 1 new call"), "{words}");
}

#[test]
fn a_bucket_of_another_region_says_which() {
    let xml = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message><Region>eu-west-1</Region></Error>";
    for (status, header, body) in [
        (
            301,
            "x-amz-bucket-region: eu-west-1\r\n",
            "<Error><Code>PermanentRedirect</Code><Message>m</Message></Error>",
        ),
        (400, "", xml),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = std::io::BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while std::io::BufRead::read_line(&mut request, &mut line).unwrap() > 2 {
                line.clear();
            }
            super::lambda::respond(&mut stream, status, &format!("{header}connection: close\r\n"), body);
        });
        let aws = Aws::at_emulator(&url, super::LIMITS).unwrap();
        let told = Bucket::new(&aws, "logs", None).list("", None).unwrap_err();
        assert_eq!(
            told,
            "s3:ListBucket: the bucket is in eu-west-1, and us-east-1 was asked; give the source that `region`"
        );
    }
}

#[test]
fn the_key_of_a_provider_comes_from_secrets_manager() {
    let Some(emulator) = moto() else { return };
    let name = format!("finops/test-{}/openai", std::process::id());
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = |key: &str| {
        let settings = format!(
            "[store]\nurl = \"sqlite:ledger.db\"\n[limits]\ntime_budget_seconds = 4\n[[source]]\nname = \"openai\"\nkind = \"openai-admin\"\nkey = \"{key}\"\nurl = \"http://127.0.0.1:9\"\n"
        );
        std::fs::write(folder.join("finops.toml"), settings).unwrap();
        let (_, output) = record(folder, emulator, "2026-11-20T12:00:00Z");
        text(&output)
    };
    let missing = config(&format!("secret:{name}"));
    assert!(
        missing.contains(&format!(
            "the secret `{name}` in us-east-1: secretsmanager:GetSecretValue: it does not exist"
        )) && missing.contains("a secret of another region is named by its ARN"),
        "{missing}"
    );
    emulator.call(
        "secretsmanager",
        "secretsmanager.CreateSecret",
        &json!({"Name": name, "SecretString": "{\"admin\": \"sk-admin-test\"}"}),
    );
    let field = config(&format!("secret:{name}#other"));
    assert!(field.contains("has no text `other`"), "{field}");
    // With the key the provider is asked, which does not listen here.
    let asked = config(&format!("secret:{name}#admin"));
    assert!(!asked.contains("secret") && !asked.contains("sk-admin-test"), "{asked}");
    assert!(asked.contains("openai"), "{asked}");
}

/// A server that answers every request so.
fn answering(status: u16, body: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            if std::io::Read::read(&mut stream, &mut [0; 16_384]).is_ok_and(|read| read > 0) {
                super::lambda::respond(
                    &mut stream,
                    status,
                    "connection: close\r\ncontent-type: text/xml\r\n",
                    body,
                );
            }
        }
    });
    url
}

#[test]
fn a_role_that_cannot_be_taken_is_no_missing_credential() {
    for (status, body, told) in [
        (
            403,
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>User x is not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>",
            "sts:AssumeRole: access denied: User x is not authorized to perform: sts:AssumeRole; `finops aws permissions` lists",
        ),
        (
            400,
            "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>",
            "sts:AssumeRole: throttled after retries (Throttling); the next run goes on",
        ),
        (
            403,
            "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>m</Message></Error></ErrorResponse>",
            "sts:AssumeRole: the credentials have expired; renew",
        ),
    ] {
        let limits = finops::adapters::aws::client::CallLimits {
            attempts: 1,
            ..super::LIMITS
        };
        let own = Aws::at_emulator(&answering(status, body), limits).unwrap();
        let aws = own.assume("arn:aws:iam::210987654321:role/finops", None);
        let failed = Bucket::new(&aws, "logs", None).list("", None).unwrap_err();
        assert!(failed.starts_with(told), "{failed}");
        let failed = finops::adapters::aws::secrets::secret(&aws, "hook", None).unwrap_err();
        let words = told.split(';').next().unwrap();
        assert!(failed.to_string().ends_with(words), "{failed}");
    }
}

#[test]
fn a_bucket_that_is_not_there_is_looked_for_by_its_name() {
    for (code, told) in [
        ("NoSuchBucket", "it does not exist: m; check the name of the bucket"),
        ("InvalidObjectState", "it is archived: restore it"),
    ] {
        let body = format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
        let aws = Aws::at_emulator(&answering(404, body.leak()), super::LIMITS).unwrap();
        let failed = Bucket::new(&aws, "lgos", None).list("", None).unwrap_err();
        assert!(failed.contains(told), "{failed}");
    }
}
