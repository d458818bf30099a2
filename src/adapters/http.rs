//! One way to POST a message: bounded, to allowed hosts only, with answers sorted into "delivered", "again" and "never".

mod failed;

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::domain::address::{Address, is_loopback};
use crate::domain::delivery::LONGEST_REST;
use crate::domain::screen::shown;
use crate::domain::usage::EventId;
use crate::ports::{DeliveryError, Receipt, Retry};
use failed::unsent;
pub use failed::{Failed, Kind};

/// Characters of an answer that are kept in a receipt or an error.
const ANSWER_LIMIT: usize = 200;

/// Refuses addresses that are not HTTPS to an allowed host; loopback is allowed without TLS. A webhook address from a
/// configuration must not become a way to reach hosts inside a network.
pub fn check(url: &SecretString, allowed: &[String]) -> Result<(), String> {
    match Address::of(url.expose_secret()) {
        Some(address) if address.is_loopback() => Ok(()),
        Some(address) if address.is_https() => match allowed.iter().any(|a| a.eq_ignore_ascii_case(address.host)) {
            true => Ok(()),
            false => Err(format!(
                "the host `{}` is not allowed: name it in `allowed_hosts`",
                address.host
            )),
        },
        Some(_) => Err("the address is not https".to_owned()),
        None => Err("the address is not usable".to_owned()),
    }
}

/// Seconds of a `Retry-After`: a number, or an HTTP date, which is counted from the answer's own `Date` so that the clocks
/// of the two machines need not agree.
fn retry_after(value: &str, date: Option<&str>) -> Option<u64> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(seconds);
    }
    let until = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    let from = chrono::DateTime::parse_from_rfc2822(date?.trim()).ok()?;
    Some(u64::try_from((until - from).num_seconds()).unwrap_or(0))
}

/// The least part of a secret that is looked for.
const PART: usize = 8;

/// An answer that repeats the address, its path or a secret must not carry it into a log. Answers write some characters in other ways (as in
/// JSON, HTML or addresses): what lies between these is looked for, too.
fn redacted(answer: &str, url: &str, secrets: &[&str]) -> String {
    let mut answer = answer.replace(url, "[address]");
    let path = url
        .split_once("://")
        .and_then(|(_, rest)| rest.find(['/', '?']).and_then(|at| rest.get(at..)));
    if let Some(path) = path.filter(|path| path.len() > 1) {
        answer = answer.replace(path, "[address]");
    }
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        answer = answer.replace(secret, "[secret]");
        let parts = secret.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.~".contains(c)));
        for part in parts.filter(|part| part.len() >= PART) {
            answer = answer.replace(part, "[secret]");
        }
    }
    answer
}

/// An answer of a page of data at most.
const PAGE_LIMIT: u64 = 64 << 20;

fn agent(url: &str, timeout: Duration) -> ureq::Agent {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("finops/", env!("CARGO_PKG_VERSION")));
    // A proxy from the environment does not see this machine's loopback.
    let agent = if is_loopback(url) { agent.proxy(None) } else { agent };
    agent.build().into()
}

/// What an answer that is no success says about trying again.
fn refused(response: &mut ureq::http::Response<ureq::Body>, url: &str, secrets: &[&str]) -> Failed {
    let status = response.status().as_u16();
    let after = response
        .headers()
        .get("retry-after")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| retry_after(v, response.headers().get("date").and_then(|d| d.to_str().ok())));
    let message = told(status, response, url, secrets);
    let retry = match status {
        408 | 425 | 429 | 500..=599 => after.map_or(Retry::Backoff, |s| {
            Retry::After(Duration::from_secs(s).min(LONGEST_REST))
        }),
        // It is about what was sent; the next message may be fine.
        400 | 413 | 422 => Retry::Refused,
        _ => Retry::Never,
    };
    let kind = Kind::Answered(status);
    Failed { kind, message, retry }
}

/// The beginning of an answer, for receipts and errors. What must not be seen is taken out before it is cut, since a part of it is as bad.
fn told(status: u16, response: &mut ureq::http::Response<ureq::Body>, url: &str, secrets: &[&str]) -> String {
    let reader = response.body_mut().with_config().limit(64 * 1024);
    let answer = redacted(&reader.read_to_string().unwrap_or_default(), url, secrets);
    let answer: String = shown(&answer, ' ').chars().take(ANSWER_LIMIT).collect();
    format!("answered {status} {answer}").trim().to_owned()
}

/// Makes one POST of JSON. Nothing that is told of the answer holds the address or one of the `secrets`.
pub fn post(
    url: &SecretString,
    headers: &[(&str, &str)],
    secrets: &[&str],
    body: &str,
    timeout: Duration,
) -> Result<Receipt, DeliveryError> {
    let url = url.expose_secret();
    let mut request = agent(url, timeout).post(url).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = request.send(body).map_err(|e| unsent(&e))?;
    let status = response.status();
    if status.is_success() {
        let answer = told(status.as_u16(), &mut response, url, secrets);
        return Ok(Receipt { answer });
    }
    Err(refused(&mut response, url, secrets).into())
}

/// Makes one GET and answers the whole text. Nothing that is told of a refusal holds the address or one of the `secrets`.
pub fn get(url: &str, headers: &[(&str, &str)], secrets: &[&str], timeout: Duration) -> Result<String, Failed> {
    let mut request = agent(url, timeout).get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = request.call().map_err(|e| unsent(&e))?;
    let status = response.status();
    if !status.is_success() {
        return Err(refused(&mut response, url, secrets));
    }
    let reader = response.body_mut().with_config().limit(PAGE_LIMIT);
    let bytes = reader.read_to_vec().map_err(|e| unsent(&e))?;
    String::from_utf8(bytes).map_err(|_| Failed {
        kind: Kind::Answered(status.as_u16()),
        message: format!("answered {} with what is no text (UTF-8)", status.as_u16()),
        retry: Retry::Never,
    })
}

/// Between half of the wait and the whole of it, so that many runs that failed together do not come again together.
pub(super) fn jittered(wait: Duration, url: &str, attempt: u32, now: DateTime<Utc>) -> Duration {
    let nanos = now.timestamp_subsec_nanos().to_le_bytes();
    let dice = EventId::of(&[url.as_bytes(), &attempt.to_le_bytes(), &nanos]).digits() % 500;
    let half = wait / 2;
    half + half * u32::try_from(dice).unwrap_or(0) / 500
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread_over_the_second_half() {
        let wait = Duration::from_secs(4);
        let at = |nanos| DateTime::from_timestamp(1_795_000_000, nanos).unwrap();
        let waits: Vec<Duration> = (0..50)
            .map(|n| jittered(wait, "https://a.example", 1, at(n * 7919)))
            .collect();
        assert!(waits.iter().all(|w| (wait / 2..=wait).contains(w)), "{waits:?}");
        let spread = waits.iter().max().zip(waits.iter().min()).map(|(a, b)| *a - *b);
        assert!(spread > Some(Duration::from_secs(1)), "{spread:?}");
    }

    #[test]
    fn answers_lose_what_must_not_be_seen() {
        for (answer, url, told) in [
            ("at https://h/a/b?c=d!", "https://h/a/b?c=d", "at [address]!"),
            ("no hook /a/b?c=d!", "https://h/a/b?c=d", "no hook [address]!"),
            ("no ?token=t", "https://h?token=t", "no [address]"),
            ("a/b is k1, not k2", "https://h/", "a/b is [secret], not k2"),
        ] {
            assert_eq!(redacted(answer, url, &["", "k1"]), told);
        }
    }

    #[test]
    fn a_secret_is_not_seen_however_an_answer_writes_it() {
        for key in [
            "sk-VERY-S3CRET_key",
            "\"sk-VERY-S3CRET_key\"",
            "{\"OPENAI_ADMIN_KEY\": \"sk-VERY-S3CRET_key\"}",
            "VERY+S3CRETS3CRET/VERY==",
        ] {
            let json = serde_json::to_string(key).unwrap();
            let again = serde_json::to_string(&json).unwrap();
            let html = key.replace('"', "&quot;").replace('/', "&#x2F;");
            let address = key.replace('"', "%22").replace('/', "%2F").replace('+', "%2B");
            for answer in [key.to_owned(), json, again, html, address] {
                let told = redacted(&format!("no such key: {answer}."), "https://h/", &[key]);
                assert!(told.contains("[secret]") && !told.contains("S3CRET"), "{told}");
            }
        }
    }

    #[test]
    fn only_https_to_allowed_hosts_or_loopback() {
        let allowed = vec!["hooks.slack.com".to_owned()];
        for (url, ok) in [
            ("https://hooks.slack.com/services/x", true),
            ("http://hooks.slack.com/services/x", false),
            ("https://hooks.slack.com.example.com/x", false),
            ("https://user@hooks.slack.com/x", false),
            ("https://169.254.169.254/latest", false),
            ("http://127.0.0.1:8080/x", true),
            ("http://[::1]:8080/x", true),
            ("http://localhost/x", true),
            ("http://127.0.0.1@example.com/x", false),
            ("hooks.slack.com", false),
        ] {
            assert_eq!(
                check(&SecretString::from(url.to_owned()), &allowed).is_ok(),
                ok,
                "{url}"
            );
        }
    }
}
