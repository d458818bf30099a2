//! Why a request has no answer that can be used, in kinds and in words that hold no address.

use crate::ports::{DeliveryError, Retry};

/// What is told where the name of a host leads nowhere.
const NO_HOST: &str = "the host was not found";

/// What is told, with the cause behind it, where a host does not prove who it is.
const NO_TLS: &str = "TLS failed";

/// Why there is no answer that can be used, for whoever does something else about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It came with this status, and is none, or no text.
    Answered(u16),
    /// It is larger than a page may be.
    TooLarge,
    /// It did not come in time.
    TimedOut,
    /// The name of the host leads nowhere.
    NoHost,
    /// The host does not prove who it is.
    NoTls,
    /// Anything else: no connection, an address that is none.
    Unsent,
}

/// A request without an answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Which kind.
    pub kind: Kind,
    /// Why, for people.
    pub message: String,
    /// Whether to try again.
    pub retry: Retry,
}

impl From<Failed> for DeliveryError {
    fn from(failed: Failed) -> Self {
        let Failed { message, retry, .. } = failed;
        DeliveryError { message, retry }
    }
}

/// What of a failure of the connection can be told. The system has no kind of its own for a name that nobody knows, and TLS has none: their
/// texts tell, which themselves may hold the address.
fn broken(error: &std::io::Error) -> Failed {
    let text = error.to_string();
    let again = |kind, message: String| Failed {
        kind,
        message,
        retry: Retry::Backoff,
    };
    if text.starts_with("failed to lookup address information") {
        return again(Kind::NoHost, NO_HOST.to_owned());
    }
    let Some(why) = text.strip_prefix("invalid peer certificate: ") else {
        return match ["received ", "peer "].iter().any(|begin| text.starts_with(begin)) {
            true => again(Kind::NoTls, NO_TLS.to_owned()),
            false => again(Kind::Unsent, format!("the connection failed: {}", error.kind())),
        };
    };
    let why = match why {
        "UnknownIssuer" => ", an authority that is not known issued it",
        _ if why.starts_with("certificate expired") || why == "Expired" => ", it has expired",
        _ if why.starts_with("certificate not valid yet") || why == "NotValidYet" => ", it is not valid yet",
        _ if why.starts_with("certificate not valid for name") || why == "NotValidForName" => ", it is another host's",
        _ => "",
    };
    Failed {
        kind: Kind::NoTls,
        message: format!("{NO_TLS}: the certificate is not trusted{why}"),
        // It is the same a minute later.
        retry: Retry::Never,
    }
}

/// Why no answer came. The address may be in the error's text: only its kind is told.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum that grows; unknown failures are tried again"
)]
pub(super) fn unsent(error: &ureq::Error) -> Failed {
    if let ureq::Error::Io(io) = error {
        return broken(io);
    }
    let told = |kind, text: &str| (kind, text.to_owned());
    let (kind, message) = match error {
        ureq::Error::Timeout(_) => told(Kind::TimedOut, "no answer in time"),
        ureq::Error::BodyExceedsLimit(limit) => {
            (Kind::TooLarge, format!("answered with more than {} MiB", limit >> 20))
        }
        ureq::Error::HostNotFound => told(Kind::NoHost, NO_HOST),
        ureq::Error::ConnectionFailed => told(Kind::Unsent, "no connection"),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => told(Kind::NoTls, NO_TLS),
        ureq::Error::BadUri(_) => told(Kind::Unsent, "the address is not usable"),
        ureq::Error::Http(_) => told(
            Kind::Unsent,
            "the address or a header holds a character that is not allowed there",
        ),
        _ => told(Kind::Unsent, "the request failed"),
    };
    let retry = match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::BodyExceedsLimit(_) => Retry::Never,
        _ => Retry::Backoff,
    };
    Failed { kind, message, retry }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_host_and_a_certificate_that_is_not_trusted_are_told_as_such() {
        use std::io::{Error, ErrorKind};
        use std::net::ToSocketAddrs as _;
        // Some resolvers answer for every name: what an unknown one is like is not to be seen there.
        if let Err(unknown) = "no-host.invalid:443".to_socket_addrs() {
            let failed = broken(&unknown);
            assert_eq!((failed.kind, failed.retry), (Kind::NoHost, Retry::Backoff), "{unknown}");
        }
        for (text, message, kind, retry) in [
            (
                "invalid peer certificate: UnknownIssuer",
                "TLS failed: the certificate is not trusted, an authority that is not known issued it",
                Kind::NoTls,
                Retry::Never,
            ),
            (
                "invalid peer certificate: certificate not valid for name \"h\"; certificate is only valid for x",
                "TLS failed: the certificate is not trusted, it is another host's",
                Kind::NoTls,
                Retry::Never,
            ),
            (
                "invalid peer certificate: certificate expired: verification time 2 (UNIX), but",
                "TLS failed: the certificate is not trusted, it has expired",
                Kind::NoTls,
                Retry::Never,
            ),
            (
                "received corrupt message of type InvalidContentType",
                "TLS failed",
                Kind::NoTls,
                Retry::Backoff,
            ),
            (
                "https://h/a/b",
                "the connection failed: invalid data",
                Kind::Unsent,
                Retry::Backoff,
            ),
        ] {
            let error = Error::new(ErrorKind::InvalidData, text);
            let message = message.to_owned();
            assert_eq!(broken(&error), Failed { kind, message, retry });
        }
    }

    #[test]
    fn what_fails_before_an_answer_is_told_apart_by_its_kind() {
        for (error, kind, told, retry) in [
            (
                ureq::Error::Timeout(ureq::Timeout::Global),
                Kind::TimedOut,
                "no answer in time",
                Retry::Backoff,
            ),
            (
                ureq::Error::BodyExceedsLimit(64 << 20),
                Kind::TooLarge,
                "answered with more than 64 MiB",
                Retry::Never,
            ),
            (
                ureq::Error::HostNotFound,
                Kind::NoHost,
                "the host was not found",
                Retry::Backoff,
            ),
            (
                ureq::Error::ConnectionFailed,
                Kind::Unsent,
                "no connection",
                Retry::Backoff,
            ),
            (
                ureq::Error::BadUri("x".to_owned()),
                Kind::Unsent,
                "the address is not usable",
                Retry::Never,
            ),
        ] {
            let message = told.to_owned();
            assert_eq!(unsent(&error), Failed { kind, message, retry });
        }
    }
}
