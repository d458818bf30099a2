//! Secrets come from the environment, never from a file that is committed, and never reach a log.

use secrecy::SecretString;

/// Resolves where a secret is kept: `env:NAME`. A loopback address may stand in the open.
pub fn resolve(spec: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<SecretString, String> {
    if let Some(name) = spec.strip_prefix("env:") {
        return match env(name).filter(|v| !v.is_empty()) {
            Some(value) => Ok(SecretString::from(value)),
            None => Err(format!("the environment has no `{name}`")),
        };
    }
    if super::http::is_loopback_url(spec) {
        return Ok(SecretString::from(spec.to_owned()));
    }
    Err("a webhook address is a credential: write `env:NAME` and put it into the environment".to_owned())
}
