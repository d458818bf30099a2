//! Who we are to AWS where STS does not say: how often and how long it is asked.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use finops::adapters::aws::Aws;
use finops::adapters::aws::client::CallLimits;
use finops::adapters::aws::failure::Kind;
use finops::adapters::aws::identity;

/// A server that gives each request this answer, or none: then it keeps the connection. Its address, and how often it was asked.
fn server(answer: Option<String>) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::<AtomicU32>::default();
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        let kept = Mutex::new(Vec::new());
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            // A connection over which nothing is asked is no question.
            if !matches!(stream.read(&mut [0; 8_192]), Ok(read) if read > 0) {
                continue;
            }
            counted.fetch_add(1, Ordering::SeqCst);
            if let Some(text) = &answer {
                let _ = stream.write_all(text.as_bytes());
            } else {
                kept.lock().unwrap().push(stream);
            }
        }
    });
    (url, asked)
}

/// As the program has it, but for the time of one attempt.
fn connect(url: &str) -> Aws {
    let attempt = Duration::from_secs(1);
    let limits = CallLimits {
        attempt,
        ..CallLimits::default()
    };
    Aws::at_emulator(url, limits).unwrap()
}

#[test]
fn who_gets_no_answer_is_asked_twice_and_no_longer_than_one_attempt_each() {
    let (url, asked) = server(None);
    let begun = Instant::now();
    // Without an answer nobody is let in.
    let failure = identity::allowed(&connect(&url), &["123456789012".to_owned()]).unwrap_err();
    // Twice a second and a pause of one second at most, far below the minute that other calls have.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(failure.kind, Kind::Unreachable, "{failure}");
    assert_eq!(
        failure.to_string(),
        "sts:GetCallerIdentity: no answer in time, after retries"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn who_is_refused_is_asked_once() {
    let body = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                <Message>a policy says no</Message></Error><RequestId>r</RequestId></ErrorResponse>";
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let (url, asked) = server(Some(answer));
    let failure = identity::account(&connect(&url)).unwrap_err();
    assert_eq!(failure.kind, Kind::Denied, "{failure}");
    assert_eq!(
        failure.to_string(),
        "sts:GetCallerIdentity: access denied: a policy says no"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// What stands between a machine and AWS, such as a proxy or the policy of an endpoint, gives no code of the service's.
#[test]
fn who_is_refused_without_a_code_is_told_that_access_is_denied() {
    for body in ["", "<html><body>Forbidden</body></html>"] {
        let answer = format!(
            "HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let (url, asked) = server(Some(answer));
        let failure = identity::account(&connect(&url)).unwrap_err();
        assert_eq!(
            (failure.kind, failure.to_string().as_str()),
            (
                Kind::Denied,
                "sts:GetCallerIdentity: access denied: 403 without a reason"
            ),
            "{body}"
        );
        assert!(
            failure.hint().contains("`finops aws permissions`") && failure.hint().contains("proxy"),
            "{}",
            failure.hint()
        );
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}
