//! Secrets of the account: keys of providers and addresses of channels, read when they are needed and kept nowhere.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::client::Aws;
use super::failure::{Failure, Kind};
use super::permissions::Permission;
use super::request::Service;

/// What reading a secret calls.
pub const PERMISSION: Permission = Permission {
    sid: "Secrets",
    actions: &["secretsmanager:GetSecretValue"],
};

/// The value of a secret, given by its name or ARN: the whole text, or one field of a JSON document after `#`. It is waited for until then.
pub fn secret(aws: &Aws, spec: &str, until: Option<Duration>) -> Result<SecretString, Failure> {
    let (id, field) = match spec.split_once('#') {
        Some((id, field)) => (id, Some(field)),
        None => (spec, None),
    };
    // A secret of another region is named by its ARN: arn:aws:secretsmanager:REGION:…
    let region = id.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2));
    let service = Service::new(aws, "secretsmanager", region).until(until);
    // What AWS says of it does not name it.
    let about = format!("the secret `{id}` in {}", service.region());
    let answer = service.json(
        "secretsmanager:GetSecretValue",
        "secretsmanager.GetSecretValue",
        &json!({ "SecretId": id }),
    );
    let answer = answer.map_err(|failure| failure.about(&about))?;
    let wrong = |what: &str| Failure::new(Kind::Refused, format!("the secret `{id}` {what}"));
    let text = answer
        .get("SecretString")
        .and_then(Value::as_str)
        .ok_or_else(|| wrong("is not a text"))?;
    let value = match field {
        None => text.to_owned(),
        Some(field) => serde_json::from_str::<Value>(text)
            .ok()
            .and_then(|document| document.get(field)?.as_str().map(str::to_owned))
            .ok_or_else(|| wrong(&format!("has no text `{field}`")))?,
    };
    match value.trim() {
        "" => Err(wrong("is empty")),
        value => Ok(SecretString::from(value.to_owned())),
    }
}
