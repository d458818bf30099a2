//! Starts the emulators once per test process, on free loopback ports, with their memory capped; they end with the process.

use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Kilobytes of address space that an emulator may take.
const MEMORY_KB: u32 = 4_000_000;

/// A running emulator.
pub struct Emulator {
    /// `moto` or `ministack`.
    pub name: &'static str,
    /// Where it listens.
    pub url: String,
    /// moto: the file that Cost Explorer answers from.
    pub data: Option<PathBuf>,
}

impl Emulator {
    /// A call of the query protocol: its answer as text.
    pub fn query(&self, service: &str, parameters: &[(&str, &str)]) -> String {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        let credential = format!(
            "AWS4-HMAC-SHA256 Credential=emulator/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let form = parameters.iter().map(|(name, value)| (*name, *value));
        let mut answer = agent
            .post(&self.url)
            .header("authorization", credential)
            .send_form(form)
            .unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(
            answer.status().is_success(),
            "{parameters:?}: {} {text}",
            answer.status()
        );
        text
    }

    /// A call of the JSON protocol.
    pub fn call(&self, service: &str, target: &str, body: &Value) -> Value {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        let credential = format!(
            "AWS4-HMAC-SHA256 Credential=emulator/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let mut answer = agent
            .post(&self.url)
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", credential)
            .send(body.to_string())
            .unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(answer.status().is_success(), "{target}: {} {text}", answer.status());
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn program(name: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("FINOPS_EMULATORS").map_or_else(|| root().join("target/emulators/bin"), PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    // A test that is silently left out in CI would prove nothing.
    assert!(
        std::env::var_os("CI").is_none(),
        "the emulator `{name}` is not installed in {}: scripts/test.sh does that",
        folder.display()
    );
    println!(
        "skipped: the emulator `{name}` is not installed ({}); scripts/test.sh installs it",
        folder.display()
    );
    None
}

/// The emulators that DynamoDB is tested on.
pub fn emulators() -> Vec<&'static Emulator> {
    moto().into_iter().chain(ministack()).collect()
}

/// moto: most services.
pub fn moto() -> Option<&'static Emulator> {
    static MOTO: OnceLock<Option<Emulator>> = OnceLock::new();
    MOTO.get_or_init(|| {
        let python = program("python")?;
        program("moto_server")?;
        Some(start_moto(&python, "shared"))
    })
    .as_ref()
}

/// A moto of one's own, with Cost Explorer's answers in a file of one's own.
pub fn moto_with(name: &str) -> Option<Emulator> {
    let python = program("python")?;
    program("moto_server")?;
    Some(start_moto(&python, name))
}

fn start_moto(python: &Path, name: &str) -> Emulator {
    let port = free_port();
    let script = root().join("tests/it/aws/moto_more.py");
    let data = root().join(format!("target/emulator-{name}-{}.json", std::process::id()));
    let command = format!(
        "FINOPS_MOTO_DATA='{}' '{}' '{}' -H 127.0.0.1 -p {port}",
        data.display(),
        python.display(),
        script.display()
    );
    let mut emulator = start("moto", port, &command, "/moto-api/data.json");
    emulator.data = Some(data);
    emulator
}

/// ministack: DynamoDB, SNS and SQS, stricter than moto.
pub fn ministack() -> Option<&'static Emulator> {
    static MINISTACK: OnceLock<Option<Emulator>> = OnceLock::new();
    MINISTACK
        .get_or_init(|| {
            let path = program("ministack")?;
            let port = free_port();
            let command = format!("BIND_HOST=127.0.0.1 GATEWAY_PORT={port} '{}'", path.display());
            Some(start("ministack", port, &command, "/_localstack/health"))
        })
        .as_ref()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The shell ends the emulator, by its own process id, when this process ends and so closes the pipe.
fn start(name: &'static str, port: u16, command: &str, health: &str) -> Emulator {
    // It is not there where cargo builds elsewhere.
    std::fs::create_dir_all(root().join("target")).unwrap();
    let log = root().join(format!("target/emulator-{name}-{port}.log"));
    let guard = format!(
        "ulimit -v {MEMORY_KB}; exec 3<&0; {command} </dev/null >'{}' 2>&1 & pid=$!; read -r _ <&3; kill $pid",
        log.display()
    );
    let child = Command::new("bash")
        .args(["-c", &guard])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Never closed by hand: the end of this process closes it.
    std::mem::forget(child);
    let url = format!("http://127.0.0.1:{port}");
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(2)))
        .proxy(None)
        .build()
        .into();
    let begun = Instant::now();
    loop {
        if agent.get(format!("{url}{health}")).call().is_ok() {
            return Emulator { name, url, data: None };
        }
        if begun.elapsed() > Duration::from_secs(60) {
            let mut text = String::new();
            let _ = std::fs::File::open(&log).and_then(|mut f| f.read_to_string(&mut text));
            panic!("{name} did not start: {text}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
