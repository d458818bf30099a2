//! Objects of a bucket, as a place that usage is read from.

use std::time::Duration;

use super::client::Aws;
use super::failure::Failure;
use super::permissions::Permission;
use super::request::{Service, element, elements};
use crate::adapters::files::{LARGEST_OBJECT, Listed, Object, ObjectStore};

/// What listing calls.
pub const LISTS: Permission = Permission {
    sid: "UsageBuckets",
    actions: &["s3:ListBucket"],
};

/// What reading calls.
pub const READS: Permission = Permission {
    sid: "UsageObjects",
    actions: &["s3:GetObject"],
};

/// One bucket.
pub struct Bucket {
    service: Service,
    name: String,
}

impl Bucket {
    /// A bucket in this region, or else that of the connection.
    #[must_use]
    pub fn new(aws: &Aws, name: &str, region: Option<&str>) -> Self {
        Bucket {
            service: Service::new(aws, "s3", region),
            name: name.to_owned(),
        }
    }

    /// The same in a run that has to go on by then.
    #[must_use]
    pub fn until(self, until: Option<Duration>) -> Self {
        Bucket {
            service: self.service.until(until),
            ..self
        }
    }
}

impl Bucket {
    /// One page; with a delimiter folders stand for what is in them.
    fn page(&self, prefix: &str, next: Option<&str>, delimiter: &str) -> Result<Listed, String> {
        if next.is_some() && self.service.is_late() {
            return Err(
                "s3:ListBucket: the time of the run ended before the listing; `limits.time_budget_seconds` gives more"
                    .to_owned(),
            );
        }
        let next = next.map_or_else(String::new, |token| {
            format!("continuation-token={}&", encoded(token, false))
        });
        // The query is in the order of the alphabet.
        let path = format!(
            "/{}?{next}{delimiter}encoding-type=url&list-type=2&prefix={}",
            self.name,
            encoded(prefix, false)
        );
        let answer = self.service.get("s3:ListBucket", &path, None).map_err(|e| words(&e))?;
        listed(&String::from_utf8_lossy(&answer)).ok_or_else(|| {
            "s3:ListBucket: the answer is no listing; is there a proxy, or `AWS_ENDPOINT_URL`, between here and AWS?".to_owned()
        })
    }
}

/// A bucket of an account that cannot be asked, and why: its source fails alone.
pub struct OutOfReach(pub String);

impl ObjectStore for OutOfReach {
    fn list(&self, _: &str, _: Option<&str>) -> Result<Listed, String> {
        Err(self.0.clone())
    }

    fn list_below(&self, _: &str, _: Option<&str>) -> Result<Listed, String> {
        Err(self.0.clone())
    }

    fn get(&self, _: &str) -> Result<Vec<u8>, String> {
        Err(self.0.clone())
    }
}

impl ObjectStore for Bucket {
    fn list(&self, prefix: &str, next: Option<&str>) -> Result<Listed, String> {
        self.page(prefix, next, "delimiter=%2F&")
    }

    fn list_below(&self, prefix: &str, next: Option<&str>) -> Result<Listed, String> {
        self.page(prefix, next, "")
    }

    fn get(&self, key: &str) -> Result<Vec<u8>, String> {
        let path = format!("/{}/{}", self.name, encoded(key, true));
        self.service
            .get("s3:GetObject", &path, Some(LARGEST_OBJECT))
            .map_err(|e| words(&e))
    }
}

/// What a page of a listing says; nothing of what is none.
fn listed(xml: &str) -> Option<Listed> {
    let (_, inside) = xml.split_once("<ListBucketResult")?;
    let (inside, _) = inside.split_once("</ListBucketResult>")?;
    let folders = elements(inside, "CommonPrefixes").into_iter();
    let objects = elements(inside, "Contents").into_iter().map(|object| {
        Some(Object {
            key: decoded(element(object, "Key")?),
            size: element(object, "Size")?.parse().ok()?,
            version: element(object, "ETag").unwrap_or_default().to_owned(),
            changed: element(object, "LastModified").and_then(|at| at.parse().ok()),
        })
    });
    let next = element(inside, "NextContinuationToken").map(|token| token.replace("&amp;", "&"));
    if element(inside, "IsTruncated") == Some("true") && next.is_none() {
        return None;
    }
    Some(Listed {
        folders: folders
            .map(|f| element(f, "Prefix").map(decoded))
            .collect::<Option<_>>()?,
        objects: objects.collect::<Option<_>>()?,
        next,
    })
}

fn words(failure: &Failure) -> String {
    format!("{failure}; {}", failure.hint())
}

/// Percent-encoded as signatures want it.
fn encoded(text: &str, path: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b'/' if path => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
                let value = digit().zip(digit()).map(|(high, low)| high * 16 + low);
                bytes.extend(value.and_then(|value| u8::try_from(value).ok()));
            }
            b'+' => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_listing_is_not_an_empty_one() {
        let page = |inside: &str| format!("<?xml?>\n<ListBucketResult xmlns=\"x\">{inside}</ListBucketResult>");
        let one = "<IsTruncated>false</IsTruncated><Contents><Key>a%2Fb</Key>\
                   <LastModified>2026-11-20T08:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>\
                   <CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>";
        let read = listed(&page(one)).unwrap();
        assert_eq!((read.objects[0].key.as_str(), read.objects[0].size), ("a/b", 7));
        assert_eq!(
            (read.objects[0].version.as_str(), read.folders),
            ("&quot;e&quot;", vec!["c/".to_owned()])
        );
        let changed = read.objects[0].changed.map(|at| at.to_rfc3339());
        assert_eq!(changed.as_deref(), Some("2026-11-20T08:00:00+00:00"));
        assert!(listed(&page("")).is_some_and(|empty| empty.objects.is_empty()));
        let more = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>";
        assert_eq!(listed(&page(more)).unwrap().next.as_deref(), Some("t"));
        for odd in [
            "",
            "garbage",
            "<html>login please</html>",
            "<ListBucketResult><Contents>",
            &page("<IsTruncated>true</IsTruncated>"),
            &page("<Contents><Key>a</Key></Contents>"),
        ] {
            assert_eq!(listed(odd), None, "{odd}");
        }
    }

    #[test]
    fn keys_survive_both_ways() {
        for key in ["a/b c+d.json.gz", "ü/%/&=?#"] {
            assert_eq!(decoded(&encoded(key, true)), key);
            assert_eq!(decoded(&encoded(key, false)), key);
        }
        assert_eq!(decoded("a+b%2"), "a b");
    }
}
