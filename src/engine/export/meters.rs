//! What a call used, by meter, and the FOCUS units of meters.

use rust_decimal::Decimal;

use crate::domain::usage::{Extras, Unit, UnitKey, UsageEvent};

/// `cache_write_5m` is metered as `cache write 5m tokens`.
pub(super) fn meter(what: &str) -> String {
    if UnitKey::parse(what).is_some() {
        return what.to_owned();
    }
    match what {
        "web_search" => "web searches".to_owned(),
        "file_search" => "file searches".to_owned(),
        "code_execution" => "code executions".to_owned(),
        "request" => "requests".to_owned(),
        "minimum" => "minimum of a call".to_owned(),
        "input_uncached" => "input tokens".to_owned(),
        "reasoning" => "reasoning output tokens".to_owned(),
        bucket => format!("{} tokens", bucket.replace('_', " ")),
    }
}

/// What a call used, by meter: never nothing, since a call that tells no quantity is one request.
pub(super) fn used(event: &UsageEvent) -> Vec<(String, Decimal)> {
    let tokens = event.tokens.iter().filter(|(_, count)| *count > 0);
    let mut used: Vec<(String, Decimal)> = tokens
        .map(|(bucket, count)| (meter(bucket.name()), Decimal::from(count)))
        .collect();
    let extras = Extras::of(event.extras);
    used.extend(extras.units().iter().map(|(key, amount)| (key.to_string(), *amount)));
    let requests = &event.requests;
    for (what, count) in [
        ("web_search", requests.web_searches),
        ("file_search", requests.file_searches),
        ("code_execution", requests.code_executions),
    ] {
        if count > 0 {
            used.push((meter(what), Decimal::from(count)));
        }
    }
    if used.is_empty() {
        used.push((meter("request"), Decimal::ONE));
    }
    used
}

/// The FOCUS unit of what a meter counts.
pub(super) fn unit_of(meter: &str) -> &'static str {
    let counted = if meter.ends_with("tokens") {
        "Tokens"
    } else {
        "Requests"
    };
    consumed_of(meter).unwrap_or(counted)
}

/// The FOCUS unit of what is priced by one: seconds, pictures, pages.
pub(super) fn consumed_of(meter: &str) -> Option<&'static str> {
    Some(match UnitKey::parse(meter)?.unit {
        Unit::AudioInSecond | Unit::AudioOutSecond | Unit::VideoInSecond | Unit::VideoOutSecond => "Seconds",
        Unit::ImageIn | Unit::ImageOut => "Images",
        Unit::Page => "Pages",
        Unit::CharacterIn => "Characters",
        Unit::RankQuery | Unit::MapQuery => "Requests",
    })
}
