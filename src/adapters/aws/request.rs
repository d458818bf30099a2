//! Signed requests to services of which one or two calls are needed: their SDKs would take longer to build than everything else here.
//! Signing is AWS's own crate; attempts and the time for all of them are those of the other clients, and end with the run that asks.

use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_dynamodb::config::{Credentials, ProvideCredentials};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::client::Aws;
use super::failure::{ELSEWHERE, Failure, Kind, NO_CODE, NO_CREDENTIALS};
use crate::adapters::clock::SystemClock;
use crate::adapters::http::jittered;
use crate::domain::address::is_loopback;
use crate::ports::Clock as _;

/// Time for a connection with TLS: eight are made at a time, by a function with little of a processor too.
const CONNECT: Duration = Duration::from_secs(10);
/// Time until an answer begins. A page of an answer of Athena's takes seconds.
const ANSWERED: Duration = Duration::from_secs(20);
/// Time for a request with all its attempts and pauses, bodies included: a large object comes slowly.
const OPERATION: Duration = Duration::from_secs(60);
/// What a request has at least, however late it is made: what can answer does.
const LEAST: Duration = Duration::from_secs(2);
/// Attempts of one request.
const ATTEMPTS: u32 = 4;
/// The first wait before another attempt; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Credentials are asked for anew when they have so little time left.
const MARGIN: TimeDelta = TimeDelta::minutes(5);
/// Bytes of an answer in JSON or XML.
const ANSWER: u64 = 16 << 20;

/// When a run has to go on, in time as `Clock::elapsed` tells it.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// When reading ends: nothing begins after it, and what others work on is waited for no longer.
    pub reading: Duration,
    /// When calls under way are given up.
    pub calls: Duration,
}

/// One service in one region.
pub struct Service {
    aws: Aws,
    name: &'static str,
    region: String,
    endpoint: String,
    agent: ureq::Agent,
    until: Option<Duration>,
    credentials: Mutex<Option<(Credentials, DateTime<Utc>)>>,
}

/// One request.
struct Request<'r> {
    /// The IAM action, for words.
    action: &'static str,
    method: &'static str,
    path: &'r str,
    headers: Vec<(&'static str, String)>,
    body: String,
    limit: u64,
}

impl Service {
    /// A service such as `s3`, in this region or else that of the connection.
    #[must_use]
    pub fn new(aws: &Aws, name: &'static str, region: Option<&str>) -> Self {
        let config = aws.config();
        let region = region
            .or(config.region().map(AsRef::as_ref))
            .unwrap_or("us-east-1")
            .to_owned();
        let suffix = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        let endpoint = match config.endpoint_url() {
            Some(given) => given.trim_end_matches('/').to_owned(),
            None => format!("https://{name}.{region}.{suffix}"),
        };
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWERED))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("finops/", env!("CARGO_PKG_VERSION")));
        // A proxy from the environment does not see this machine's loopback.
        let agent = if is_loopback(&endpoint) {
            agent.proxy(None)
        } else {
            agent
        };
        Service {
            aws: aws.clone(),
            name,
            region,
            endpoint,
            agent: agent.build().into(),
            until: None,
            credentials: Mutex::new(None),
        }
    }

    /// The same in a run that has to go on by then (see `Clock::elapsed`), whether there is an answer or not.
    #[must_use]
    pub fn until(self, until: Option<Duration>) -> Self {
        Service { until, ..self }
    }

    /// Whether that time has come.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.until.is_some_and(|until| SystemClock.elapsed() >= until)
    }

    /// The region that is asked.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// A call of the JSON protocol, `target` being such as `secretsmanager.GetSecretValue`.
    pub fn json(&self, action: &'static str, target: &str, body: &Value) -> Result<Value, Failure> {
        let answer = self.send(&Request {
            action,
            method: "POST",
            path: "/",
            headers: vec![
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                ("x-amz-target", target.to_owned()),
            ],
            body: body.to_string(),
            limit: ANSWER,
        })?;
        serde_json::from_slice(&answer).map_err(|_| {
            Failure::new(
                Kind::Unreachable,
                format!("{action}: the answer is not what this service answers"),
            )
        })
    }

    /// A GET of a path with its query, both encoded already; at most `limit` bytes of it.
    pub fn get(&self, action: &'static str, path: &str, limit: Option<u64>) -> Result<Vec<u8>, Failure> {
        self.send(&Request {
            action,
            method: "GET",
            path,
            headers: Vec::new(),
            body: String::new(),
            limit: limit.unwrap_or(ANSWER),
        })
    }

    fn send(&self, request: &Request<'_>) -> Result<Vec<u8>, Failure> {
        let began = SystemClock.elapsed();
        let mut end = began.saturating_add(OPERATION);
        if let Some(until) = self.until {
            end = end.min(until.max(began.saturating_add(LEAST)));
        }
        let (mut wait, mut attempt, mut ambiguous) = (FIRST_WAIT, 1, false);
        loop {
            let left = || end.saturating_sub(SystemClock.elapsed()).max(FIRST_WAIT);
            // Whoever gives them was asked several times already.
            let credentials = self.credentials(request.action, left()).map_err(|mut failure| {
                failure.ambiguous = ambiguous;
                failure
            })?;
            let mut failure = match self.attempt(request, credentials, left()) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            // An attempt whose answer was lost may have been carried out, whatever came of the others.
            ambiguous |= failure.ambiguous;
            failure.ambiguous = ambiguous;
            let again = matches!(failure.kind, Kind::Throttled | Kind::Unavailable | Kind::Unreachable);
            let pause = jittered(wait, &self.endpoint, attempt, SystemClock.now());
            if !again || attempt >= ATTEMPTS || SystemClock.elapsed().saturating_add(pause) >= end {
                return Err(failure);
            }
            SystemClock.sleep(pause);
            wait *= 2;
            attempt += 1;
        }
    }

    fn attempt(&self, request: &Request<'_>, credentials: Credentials, time: Duration) -> Result<Vec<u8>, Failure> {
        let Request { action, method, .. } = *request;
        let url = format!("{}{}", self.endpoint, request.path);
        let mut headers: Vec<(String, String)> = request
            .headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let signed = self.signed(request, credentials, &url)?;
        headers.extend(signed);
        let unsent = |error: &ureq::Error| unsent(error, action, request.limit);
        let answer = if method == "POST" {
            let mut call = self.agent.post(&url).config().timeout_global(Some(time)).build();
            for (name, value) in &headers {
                call = call.header(name, value);
            }
            call.send(&request.body)
        } else {
            let mut call = self.agent.get(&url).config().timeout_global(Some(time)).build();
            for (name, value) in &headers {
                call = call.header(name, value);
            }
            call.call()
        };
        let mut answer = answer.map_err(|e| unsent(&e))?;
        let status = answer.status();
        if status.is_success() {
            let body = answer.body_mut().with_config().limit(request.limit).read_to_vec();
            return body.map_err(|e| unsent(&e));
        }
        let told_region = answer.headers().get("x-amz-bucket-region");
        let told_region = told_region.and_then(|region| region.to_str().ok()).map(str::to_owned);
        let text = answer.body_mut().with_config().limit(64 << 10).read_to_string();
        let text = text.unwrap_or_default();
        let (code, message) = told(&text);
        // Elsewhere than where a bucket is, S3 answers so; a key that may not be used names no region.
        if self.name == "s3" && matches!(status.as_u16(), 301 | 307 | 400) {
            let region = told_region.or_else(|| element(&text, "Region").map(str::to_owned));
            let is_name = |region: &String| region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if let Some(region) = region.filter(|region| is_name(region) && *region != self.region) {
                let words = format!("{action}: {ELSEWHERE} {region}, and {} was asked", self.region);
                return Err(Failure::new(Kind::Refused, words));
            }
        }
        Err(Failure::answered(action, &code, &message, status.as_u16()))
    }

    /// The headers that sign a request.
    fn signed(
        &self,
        request: &Request<'_>,
        credentials: Credentials,
        url: &str,
    ) -> Result<Vec<(String, String)>, Failure> {
        let action = request.action;
        let wrong = |cause: String| {
            Failure::new(
                Kind::Refused,
                format!("{action}: the request cannot be signed: {cause}"),
            )
        };
        let mut settings = SigningSettings::default();
        if self.name == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.name)
            .time(SystemClock.now().into())
            .settings(settings)
            .build()
            .map_err(|e| wrong(e.to_string()))?
            .into();
        let headers = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new(
            request.method,
            url,
            headers,
            SignableBody::Bytes(request.body.as_bytes()),
        )
        .map_err(|e| wrong(e.to_string()))?;
        let (instructions, _) = sign(signable, &parameters)
            .map_err(|e| wrong(e.to_string()))?
            .into_parts();
        Ok(instructions
            .headers()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    /// Credentials that are still good for a while, waited for so long.
    fn credentials(&self, action: &str, time: Duration) -> Result<Credentials, Failure> {
        let mut kept = self
            .credentials
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = SystemClock.now();
        if let Some((credentials, _)) = kept.as_ref().filter(|(_, until)| *until > now + MARGIN) {
            return Ok(credentials.clone());
        }
        let provider = self.aws.config().credentials_provider();
        let provider =
            provider.ok_or_else(|| Failure::new(Kind::Credentials, format!("{action}: {NO_CREDENTIALS}")))?;
        let found = self
            .aws
            .wait(async { tokio::time::timeout(time, provider.provide_credentials()).await });
        let found = found
            .map_err(|_| {
                Failure::new(
                    Kind::Unreachable,
                    format!("{action}: no answer to a search for credentials in time"),
                )
            })?
            .map_err(|error| Failure::of_search(action, &error))?;
        // What does not expire is looked up again once an hour: someone may have exchanged it.
        let until = found.expiry().map_or(now + TimeDelta::hours(1), Into::into);
        *kept = Some((found.clone(), until));
        Ok(found)
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum that grows; unknown failures are tried again"
)]
fn unsent(error: &ureq::Error, action: &str, limit: u64) -> Failure {
    // Without a connection nothing was asked; what broke off later may have been carried out.
    let (cause, ambiguous) = match error {
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => ("no connection in time", false),
        ureq::Error::Timeout(_) => ("no answer in time", true),
        ureq::Error::BodyExceedsLimit(_) => {
            return Failure::new(Kind::Refused, format!("{action}: larger than {limit} bytes"));
        }
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => ("no connection", false),
        ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => ("no connection", false),
        _ => ("no connection", true),
    };
    let mut failure = Failure::new(Kind::Unreachable, format!("{action}: {cause}, after retries"));
    failure.ambiguous = ambiguous;
    failure
}

/// Code and message of an answer that is no success, in JSON or XML.
fn told(text: &str) -> (String, String) {
    if let Ok(json) = serde_json::from_str::<Value>(text) {
        let get = |names: [&str; 2]| names.iter().find_map(|name| json.get(name)?.as_str());
        let code = get(["__type", "code"]).unwrap_or(NO_CODE);
        let code = code.rsplit('#').next().unwrap_or(code);
        return (code.to_owned(), get(["message", "Message"]).unwrap_or("").to_owned());
    }
    let one = |tag| element(text, tag).unwrap_or("").to_owned();
    let code = match one("Code") {
        code if code.is_empty() => NO_CODE.to_owned(),
        code => code,
    };
    (code, one("Message"))
}

/// The text of the first element of this name: answers of S3 are flat, and their keys are asked for in URL encoding.
pub fn element<'x>(xml: &'x str, tag: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{tag}>"))?;
    rest.split_once(&format!("</{tag}>")).map(|(text, _)| text)
}

/// The texts of all elements of this name.
pub fn elements<'x>(xml: &'x str, tag: &str) -> Vec<&'x str> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let parts = xml.split(open.as_str()).skip(1);
    parts
        .filter_map(|part| part.split_once(close.as_str()).map(|(text, _)| text))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_in_either_form() {
        let json = r#"{"__type":"com.amazonaws#ResourceNotFoundException","Message":"no such secret"}"#;
        assert_eq!(
            told(json),
            ("ResourceNotFoundException".to_owned(), "no such secret".to_owned())
        );
        let xml = "<?xml?><Error><Code>NoSuchBucket</Code><Message>gone</Message></Error>";
        assert_eq!(told(xml), ("NoSuchBucket".to_owned(), "gone".to_owned()));
        assert_eq!(told("<html>"), (NO_CODE.to_owned(), String::new()));
        let list = "<A><Key>1</Key></A><A><Key>2</Key></A><A><Key>";
        assert_eq!(elements(list, "Key"), ["1", "2"]);
    }
}
