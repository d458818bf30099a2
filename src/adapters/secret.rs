//! Secrets come from the environment, never from a file that is committed, and never reach a log.

use secrecy::{ExposeSecret, SecretString};

/// Resolves where a secret is kept: `env:NAME`. A loopback address may stand in the open.
pub fn resolve(spec: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<SecretString, String> {
    if let Some(name) = spec.strip_prefix("env:") {
        return match env(name).filter(|v| !v.is_empty()) {
            Some(value) => Ok(SecretString::from(value)),
            None => Err(format!("the environment has no `{name}`")),
        };
    }
    if crate::domain::address::is_loopback(spec) {
        return Ok(SecretString::from(spec.to_owned()));
    }
    Err("a webhook address is a credential: write `env:NAME` and put it into the environment".to_owned())
}

/// The secret that `spec` names, if it can stand in a header of HTTP. One that was copied with its line break cannot, and the request
/// itself would not say why.
pub fn for_header(spec: &str, secret: SecretString) -> Result<SecretString, String> {
    if secret.expose_secret().contains(|c: char| c.is_control()) {
        return Err(format!(
            "`{spec}` holds a line break or another control character, which no key has"
        ));
    }
    if !secret.expose_secret().is_ascii() {
        return Err(format!("`{spec}` holds a character outside of ASCII, which no key has"));
    }
    Ok(secret)
}
