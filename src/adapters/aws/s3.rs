//! Objects of a bucket, as a place that usage is read from.

use super::client::Aws;
use super::failure::Failure;
use super::permissions::Permission;
use super::request::{Service, element, elements};
use crate::adapters::files::{Listed, Object, ObjectStore};

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

/// Bytes of an object, packed: Bedrock cuts its log files far below.
const LARGEST: u64 = 64 << 20;

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
}

impl ObjectStore for Bucket {
    fn list(&self, prefix: &str, next: Option<&str>) -> Result<Listed, String> {
        let next = next.map_or_else(String::new, |token| {
            format!("continuation-token={}&", encoded(token, false))
        });
        // The query is in the order of the alphabet.
        let path = format!(
            "/{}?{next}delimiter=%2F&encoding-type=url&list-type=2&prefix={}",
            self.name,
            encoded(prefix, false)
        );
        let answer = self.service.get("s3:ListBucket", &path, None).map_err(|e| words(&e))?;
        let xml = String::from_utf8_lossy(&answer);
        let folders = elements(&xml, "CommonPrefixes");
        let objects = elements(&xml, "Contents").into_iter().filter_map(|object| {
            Some(Object {
                key: decoded(element(object, "Key")?),
                size: element(object, "Size")?.parse().ok()?,
            })
        });
        Ok(Listed {
            folders: folders
                .into_iter()
                .filter_map(|f| element(f, "Prefix"))
                .map(decoded)
                .collect(),
            objects: objects.collect(),
            next: element(&xml, "NextContinuationToken").map(|token| token.replace("&amp;", "&")),
        })
    }

    fn get(&self, key: &str) -> Result<Vec<u8>, String> {
        let path = format!("/{}/{}", self.name, encoded(key, true));
        self.service
            .get("s3:GetObject", &path, Some(LARGEST))
            .map_err(|e| words(&e))
    }
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
    fn keys_survive_both_ways() {
        for key in ["a/b c+d.json.gz", "ü/%/&=?#"] {
            assert_eq!(decoded(&encoded(key, true)), key);
            assert_eq!(decoded(&encoded(key, false)), key);
        }
        assert_eq!(decoded("a+b%2"), "a b");
    }
}
