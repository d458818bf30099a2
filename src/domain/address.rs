//! Where an HTTP address leads, as far as it is decided by that whether something may be sent there.

use std::net::IpAddr;

/// The scheme and the host of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    scheme: &'a str,
    /// Without the brackets of an IPv6 address.
    pub host: &'a str,
}

impl<'a> Address<'a> {
    /// None of what is no address, or holds a user name.
    #[must_use]
    pub fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        if authority.contains('@') || authority.contains(char::is_whitespace) {
            return None;
        }
        let host = match authority.strip_prefix('[') {
            Some(v6) => v6.split(']').next()?,
            None => authority.split(':').next()?,
        };
        (!host.is_empty()).then_some(Address { scheme, host })
    }

    /// Whether what is sent there is encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("https")
    }

    /// Whether it is this machine, asked by HTTP.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let is_http = self.is_https() || self.scheme.eq_ignore_ascii_case("http");
        let ip = || {
            self.host
                .parse::<IpAddr>()
                .is_ok_and(|ip| ip.to_canonical().is_loopback())
        };
        is_http && (self.host.eq_ignore_ascii_case("localhost") || ip())
    }
}

/// Whether an address leads to this machine.
#[must_use]
pub fn is_loopback(url: &str) -> bool {
    Address::of(url).is_some_and(|address| address.is_loopback())
}

/// Whether a secret may be sent there: encrypted, or to this machine.
#[must_use]
pub fn is_private(url: &str) -> bool {
    Address::of(url).is_some_and(|address| address.is_https() || address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for url in [
            "http://localhost:80/x",
            "HTTP://LOCALHOST",
            "http://127.0.0.2:80",
            "http://[::1]:9/",
            "http://[::ffff:127.0.0.1]/",
            "https://127.0.0.1/y?z#w",
        ] {
            assert!(is_loopback(url) && is_private(url), "{url}");
        }
        for url in [
            "http://localhost.example.com/",
            "http://127.0.0.1@example.com/",
            "http://localhost:x@example.com/y",
            "http://example.com/localhost",
            "ftp://localhost/",
            "localhost",
            "http://",
            "http://[::2]/",
        ] {
            assert!(!is_loopback(url) && !is_private(url), "{url}");
        }
        assert!(is_private("HTTPS://example.com") && !is_loopback("https://example.com"));
    }
}
