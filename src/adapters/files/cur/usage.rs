//! What a type of usage tells: the model, and the tokens of an amount of it.

use rust_decimal::Decimal;

use super::super::focus_tokens::{TOO_MANY, count_of};
use crate::domain::money::parse_amount;
use crate::domain::spend::TokenSums;
use crate::domain::usage::Bucket;

/// The model that the name of a Marketplace edition or a type of usage tells.
pub(in super::super) fn named_model(usage: &str, service: &str) -> Option<String> {
    if let Some(edition) = service.strip_suffix(" (Amazon Bedrock Edition)") {
        return Some(edition.to_lowercase().replace([' ', '.'], "-"));
    }
    let own = usage.split_once('-').map_or(usage, |(_, rest)| rest);
    if let Some((name, _)) = own.split_once("-mantle-") {
        return Some(name.to_owned());
    }
    let novas = [
        ("NovaMicro-", "amazon.nova-micro-v1:0"),
        ("NovaLite-", "amazon.nova-lite-v1:0"),
        ("NovaPro-", "amazon.nova-pro-v1:0"),
        ("NovaPremier-", "amazon.nova-premier-v1:0"),
    ];
    let nova = novas.into_iter().find(|(front, _)| own.starts_with(front));
    nova.map(|(_, name)| name.to_owned())
}

/// How an amount of usage counts tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) struct Counted {
    bucket: Bucket,
    /// Tokens of one.
    scale: u32,
}

/// The tokens of an amount of usage, or what is wrong with it.
pub(in super::super) fn usage_tokens(usage: &str, amount: &str, unit: &str) -> Result<TokenSums, String> {
    let counted = Counted::of(usage, unit);
    counted.map_or_else(|| Ok(TokenSums::default()), |counted| counted.tokens_of_text(amount))
}

impl Counted {
    /// None where a type of usage counts no tokens. The Marketplace counts in millions, AWS itself in thousands, unless the unit says.
    pub fn of(usage: &str, unit: &str) -> Option<Self> {
        let usage = usage.to_lowercase();
        if !usage.contains("token") {
            return None;
        }
        let has = |part: &str| usage.contains(part);
        // `InputTokenCount` is part of the names of all cache kinds: they come first.
        let bucket = if has("cacheread") || has("cache-read") || has("cache_read") {
            Bucket::CacheRead
        } else if has("cachewrite") || has("cache-write") || has("cache_write") {
            if has("1h") || has("1-hour") {
                Bucket::CacheWrite1h
            } else {
                Bucket::CacheWrite5m
            }
        } else if has("output") {
            Bucket::Output
        } else if has("input") {
            Bucket::InputUncached
        } else {
            return None;
        };
        let unit = unit.to_lowercase();
        let scale = if unit.contains("1k") || unit.contains("thousand") {
            1_000_u32
        } else if unit.contains("1m") || unit.contains("million") || usage.contains("-mp:") {
            1_000_000
        } else if unit == "tokens" || unit == "token" {
            1
        } else {
            1_000
        };
        Some(Counted { bucket, scale })
    }

    /// The tokens of an amount as text, none of an empty one; or what is wrong with it.
    pub fn tokens_of_text(self, amount: &str) -> Result<TokenSums, String> {
        if amount.trim().is_empty() {
            return Ok(TokenSums::default());
        }
        let (amount, _) = parse_amount(amount).map_err(|e| e.to_string())?;
        self.tokens(amount).ok_or_else(|| TOO_MANY.to_owned())
    }

    /// The tokens of an amount; none where they are too many.
    pub fn tokens(self, amount: Decimal) -> Option<TokenSums> {
        let mut sums = TokenSums::default();
        sums.set(self.bucket, count_of(amount, self.scale)?);
        Some(sums)
    }
}
