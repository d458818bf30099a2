//! What the settings must mean beyond their form.

use std::collections::BTreeSet;

use super::{ChannelConfig, ChannelKind, Config, ConfigError, SourceConfig, SourceKind};
use crate::domain::address::{is_loopback, is_private};

/// Calendars end: nothing is counted back from now beyond a thousand years.
const MAX_DETAIL_DAYS: u32 = 365_000;

/// Everything that is wrong with the settings, in the order of the file's sections.
#[must_use]
pub fn check(config: &Config) -> Vec<ConfigError> {
    let mut problems = Vec::new();
    if !config.store.url.is_empty()
        && let Err(problem) = config.store_url()
    {
        problems.push(problem);
    }
    if config.store.detail_days == 0 {
        problems.push(ConfigError::new(
            "`store.detail_days` is 0",
            "calls must stay known for at least a day to be counted once; the default is 90",
        ));
    }
    if config.store.detail_days > MAX_DETAIL_DAYS {
        problems.push(ConfigError::new(
            format!("`store.detail_days` is above {MAX_DETAIL_DAYS}"),
            "that is a thousand years: nothing that is kept so long ever goes",
        ));
    }
    problems.extend(
        config
            .cost_explorers
            .iter()
            .flat_map(super::CostExplorerConfig::problems),
    );
    for account in config.aws.allowed_accounts.iter().filter(|a| !super::is_account(a)) {
        problems.push(ConfigError::new(
            format!("`{account}` in `aws.allowed_accounts` is not an account id"),
            "an account id has 12 digits",
        ));
    }
    problems.extend(config.athenas.iter().flat_map(super::AthenaConfig::problems));
    let explorers = config.cost_explorers.iter().map(|s| s.name.as_str());
    let athenas = config.athenas.iter().map(|s| s.name.as_str());
    names(
        &mut problems,
        "source",
        config
            .sources
            .iter()
            .map(|s| s.name.as_str())
            .chain(explorers)
            .chain(athenas),
    );
    config.sources.iter().for_each(|s| source(&mut problems, s));
    for source in config.sources.iter().filter(|s| s.kind.is_none() && s.paths.is_empty()) {
        problems.push(ConfigError::new(
            format!("source `{}` has neither `kind` nor `paths`", source.name),
            "give `paths`, or one of the kinds of coding agents (`claude-code`, `codex` …), whose logs have a usual place",
        ));
    }
    names(&mut problems, "notify", config.channels.iter().map(|c| c.name.as_str()));
    config.channels.iter().for_each(|c| channel(&mut problems, c));
    let known: Vec<&str> = match config.channels.as_slice() {
        [] => vec!["stdout"],
        given => given.iter().map(|c| c.name.as_str()).collect(),
    };
    for (section, told) in [
        ("unpriced", &config.unpriced.channels),
        ("reconcile", &config.reconcile.channels),
    ] {
        for channel in told.iter().filter(|c| !known.contains(&c.as_str())) {
            problems.push(ConfigError::new(
                format!("`{section}.channels` names `{channel}`, which is not configured"),
                format!("configured are: {}", known.join(", ")),
            ));
        }
    }
    names(
        &mut problems,
        "price_book",
        config.price_books.iter().map(|b| b.name.as_str()),
    );
    for map in &config.price_maps {
        if map.free != map.model.is_empty() {
            problems.push(ConfigError::new(
                format!(
                    "the `[[price_map]]` of `{}` has to have either `model` or `free = true`",
                    map.name
                ),
                "`model` is the name in a price book; `free` is for models on machines of your own",
            ));
        }
    }
    names(
        &mut problems,
        "contract",
        config.contracts.iter().map(|c| c.name.as_str()),
    );
    names(
        &mut problems,
        "commitment",
        config.commitments.iter().map(|c| c.name.as_str()),
    );
    if let Err((section, name, cause)) = config.terms() {
        problems.push(ConfigError::new(
            format!("the `[[{section}]]` `{name}` is not usable: {cause}"),
            "docs/pricing/contracts.md shows one with every key",
        ));
    }
    if let Err(cause) = config.unpriced.least() {
        problems.push(ConfigError::new(
            format!("`unpriced.above` is not usable: {cause}"),
            "give dollars as text: `above = \"1.50\"`",
        ));
    }
    if let Err(cause) = config.report.zone() {
        problems.push(ConfigError::new(
            format!("`report.time_zone`: {cause}"),
            "leave it out for UTC days",
        ));
    }
    if let Err(cause) = config.reconcile.bound() {
        problems.push(ConfigError::new(
            format!("`[reconcile]` is not usable: {cause}"),
            "`min_coverage = \"95 %\"` is the least part of a bill that has to be metered",
        ));
    }
    for (key, value) in [
        ("time_budget_seconds", config.limits.time_budget_seconds),
        ("delivery_timeout_seconds", config.limits.delivery_timeout_seconds),
        ("delivery_attempts", u64::from(config.limits.delivery_attempts)),
    ] {
        if value == 0 {
            problems.push(ConfigError::new(
                format!("`limits.{key}` is 0"),
                "give a number above 0, or leave the key out",
            ));
        }
    }
    problems
}

fn source(problems: &mut Vec<ConfigError>, source: &SourceConfig) {
    let live = matches!(source.kind, Some(SourceKind::OpenaiAdmin | SourceKind::AnthropicAdmin));
    let name = &source.name;
    let mut wrong = |what: &str, hint: &str| {
        problems.push(ConfigError::new(format!("source `{name}` {what}"), hint));
    };
    if !live && (source.key.is_some() || source.url.is_some()) {
        wrong(
            "has a `key` or `url`, which its kind does not use",
            "they belong to `openai-admin` and `anthropic-admin`",
        );
    } else if live && source.key.is_some() != source.paths.is_empty() {
        wrong(
            "has to have either `key` or `paths`",
            "`key = \"env:NAME\"` asks the provider; `paths` are saved answers",
        );
    }
    if let Some(url) = &source.url {
        if url.contains(['@', '?', '#']) {
            wrong(
                "has a `url` with a user name, a password or a query",
                "give what stands before the path of a question: `https://HOST` or `https://HOST/PATH`",
            );
        } else if !is_private(url) {
            wrong(
                "has a `url` that is not https",
                "the key would travel in the open: give an https address, or one of this machine",
            );
        }
    }
    let usual = source
        .kind
        .is_some_and(|kind| SourceKind::AT_USUAL_PLACES.contains(&kind));
    if source.kind.is_some() && !live && !usual && source.paths.is_empty() {
        wrong(
            "has no `paths`",
            "name files, folders or patterns; only coding agents (`claude-code`, `codex` …) have a usual place",
        );
    }
    let maps = !source.columns.is_empty() || !source.values.is_empty() || source.start.is_some();
    if maps && source.kind != Some(SourceKind::Plain) {
        wrong(
            "has `columns`, `values` or `start`, which its kind does not use",
            "they turn foreign columns into the fields of `kind = \"plain\"`",
        );
    }
    if source.is_in_bucket() && source.paths.iter().any(|path| !path.starts_with("s3://")) {
        wrong("has paths in buckets and on this machine", "make two sources of them");
    }
    if source.is_in_bucket() && source.kind.is_some_and(is_bill) {
        wrong(
            "has paths in buckets, and a kind that is not read from there",
            "copy bills and saved answers to a folder and name that; `[[athena]]` reads AWS's reports where they lie",
        );
    }
    let is_pattern = |path: &String| path.starts_with("s3://") && path.contains(['*', '?']);
    if source.paths.iter().any(is_pattern) {
        wrong(
            "has patterns for paths in buckets",
            "name the folder: all that is below it is read",
        );
    }
    let bucket = |path: &String| {
        path.strip_prefix("s3://")
            .map(|rest| rest.split('/').next() == Some(""))
    };
    if source.paths.iter().filter_map(bucket).any(|is_none| is_none) {
        wrong("has a path that names no bucket", "write `s3://BUCKET/PREFIX`");
    }
    if source.region.is_some() && !source.is_in_bucket() {
        wrong(
            "has a `region`, which its paths do not use",
            "it belongs to paths such as `s3://BUCKET/PREFIX`",
        );
    }
    if source.key.as_ref().is_some_and(|key| !is_reference(key)) {
        wrong(
            "has a key in the open",
            "write `key = \"env:NAME\"` and put the key into the environment, or `key = \"secret:NAME\"` of Secrets Manager",
        );
    }
}

/// Whether what a kind tells replaces what it told before as a whole, so that all of it has to be at hand.
fn is_bill(kind: SourceKind) -> bool {
    use SourceKind::{AnthropicAdmin, CostExplorer, Cur, Focus, OpenaiAdmin};
    matches!(kind, Focus | Cur | CostExplorer | OpenaiAdmin | AnthropicAdmin)
}

fn names<'a>(problems: &mut Vec<ConfigError>, section: &str, names: impl Iterator<Item = &'a str>) {
    let mut seen = BTreeSet::new();
    for name in names {
        if name.trim().is_empty() {
            problems.push(ConfigError::new(
                format!("a `[[{section}]]` has an empty `name`"),
                "reports and policies refer to it by name: give it one",
            ));
        } else if name.trim() != name {
            problems.push(ConfigError::new(
                format!("the `[[{section}]]` `{name}` has a blank at the beginning or the end of its name"),
                "policies refer to it by name: take the blank out",
            ));
        } else if !seen.insert(name) {
            problems.push(ConfigError::new(
                format!("two `[[{section}]]` have the name `{name}`"),
                "give each a name of its own",
            ));
        }
    }
}

fn channel(problems: &mut Vec<ConfigError>, channel: &ChannelConfig) {
    let name = &channel.name;
    match channel.kind {
        ChannelKind::Stdout => {}
        ChannelKind::File if channel.path.is_none() => problems.push(ConfigError::new(
            format!("channel `{name}` of kind `file` has no `path`"),
            "say where it writes: `path = \"alerts.jsonl\"`",
        )),
        ChannelKind::File => {}
        ChannelKind::Sns if channel.topic.is_none() => problems.push(ConfigError::new(
            format!("channel `{name}` of kind `sns` has no `topic`"),
            "name it by its ARN: `topic = \"arn:aws:sns:REGION:ACCOUNT:NAME\"`",
        )),
        ChannelKind::Sns => {}
        ChannelKind::Slack | ChannelKind::Webhook => {
            match channel.url.as_deref() {
                None => problems.push(ConfigError::new(
                    format!("channel `{name}` has no `url`"),
                    "name the environment variable that holds the address: `url = \"env:SLACK_WEBHOOK_URL\"`",
                )),
                Some(url) if is_reference(url) || is_loopback(url) => {}
                Some(_) => problems.push(ConfigError::new(
                    format!("the `url` of channel `{name}` is not of the form `env:NAME`"),
                    "an address that accepts messages is a credential: put it into the environment",
                )),
            }
            if channel.secret.as_deref().is_some_and(|secret| !is_reference(secret)) {
                problems.push(ConfigError::new(
                    format!("the `secret` of channel `{name}` is not of the form `env:NAME`"),
                    "put the key into the environment and name the variable here",
                ));
            }
        }
    }
}

fn is_reference(text: &str) -> bool {
    let allowed = |name: &str, more: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    match text.strip_prefix("secret:") {
        Some(name) => allowed(name, "/_+=.@-:#"),
        None => text.strip_prefix("env:").is_some_and(|name| allowed(name, "_")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_named() {
        let config: Config = toml::from_str(
            r#"
            [store]
            url = "mysql:x"
            detail_days = 999999999
            [[source]]
            name = "a"
            [[source]]
            name = "a"
            kind = "codex"
            [[source]]
            name = "b"
            kind = "litellm"
            [[source]]
            name = "live"
            kind = "openai-admin"
            key = "env:KEY"
            url = "http://gw.example.com"
            [[notify]]
            name = "f"
            kind = "file"
            [[notify]]
            name = "s"
            kind = "slack"
            url = "https://example.com/secret"
            [[notify]]
            name = "w"
            kind = "webhook"
            url = "http://127.0.0.1:9/x"
            secret = "plain"
            [unpriced]
            channels = ["w", "nochan"]
            [reconcile]
            channels = ["nobody"]
            [limits]
            delivery_attempts = 0
            "#,
        )
        .unwrap();
        let found: Vec<String> = check(&config).iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(found.join("\n"), @r#"
        `mysql:x` is not a store address
        `store.detail_days` is above 365000
        two `[[source]]` have the name `a`
        source `b` has no `paths`
        source `live` has a `url` that is not https
        source `a` has neither `kind` nor `paths`
        channel `f` of kind `file` has no `path`
        the `url` of channel `s` is not of the form `env:NAME`
        the `secret` of channel `w` is not of the form `env:NAME`
        `unpriced.channels` names `nochan`, which is not configured
        `reconcile.channels` names `nobody`, which is not configured
        `limits.delivery_attempts` is 0
        "#);
        assert!(check(&Config::default()).is_empty());
        let tables = |namespace: &str, url: &str| {
            let text = format!("namespace = \"{namespace}\"\n[store]\nurl = \"{url}\"\n");
            let found = check(&toml::from_str(&text).unwrap());
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            tables("a b", "dynamodb:"),
            ["`namespace` is `a b`, which no name of a DynamoDB table can hold"]
        );
        assert!(tables("a_b-c.1", "dynamodb:").is_empty() && tables("a b", "sqlite:x.db").is_empty());
    }
}
