//! What a type of usage tells: the model, and the tokens of an amount of it.

use rust_decimal::Decimal;

use super::super::focus_tokens::{TOO_MANY, count_of};
use crate::domain::money::parse_amount;
use crate::domain::spend::TokenSums;
use crate::domain::usage::Bucket;

/// Editions of the Marketplace whose names are not those of their ids.
const EDITIONS: [(&str, &str); 10] = [
    ("cohere command r", "cohere.command-r-v1:0"),
    ("cohere command r+", "cohere.command-r-plus-v1:0"),
    ("cohere embed 3 model - english", "cohere.embed-english-v3"),
    ("cohere embed model 3 - english", "cohere.embed-english-v3"),
    ("cohere embed 3 model - multilingual", "cohere.embed-multilingual-v3"),
    ("cohere embed model 3 - multilingual", "cohere.embed-multilingual-v3"),
    ("cohere embed 4 model", "cohere.embed-v4:0"),
    ("cohere generate model - command", "cohere.command-text-v14"),
    ("cohere generate model - command-light", "cohere.command-light-text-v14"),
    ("cohere rerank v3.5", "cohere.rerank-v3-5:0"),
];

/// Models as types of usage write them, in small letters, where that is not in their ids.
const WRITTEN: [(&str, &str); 12] = [
    ("novamicro", "amazon.nova-micro-v1:0"),
    ("novalite", "amazon.nova-lite-v1:0"),
    ("novapro", "amazon.nova-pro-v1:0"),
    ("novapremier", "amazon.nova-premier-v1:0"),
    ("nova2.0lite", "amazon.nova-2-lite-v1:0"),
    ("titantextlite", "amazon.titan-text-lite-v1"),
    ("titantextexpress", "amazon.titan-text-express-v1"),
    ("titanembeddingv2-text", "amazon.titan-embed-text-v2:0"),
    ("deepseek-r1", "deepseek.r1-v1:0"),
    ("mistralsmall", "mistral.mistral-small-2402-v1:0"),
    ("gpt-oss-20b", "openai.gpt-oss-20b-1:0"),
    ("gpt-oss-120b", "openai.gpt-oss-120b-1:0"),
];

/// Those that are written as in their ids, by their beginning, with what stands around them there.
const IN_IDS: [(&str, &str, &str); 5] = [
    ("llama3-", "meta.", "-instruct-v1:0"),
    ("llama4-", "meta.", "-instruct-v1:0"),
    ("qwen3-", "qwen.", "-v1:0"),
    ("gemma-", "google.", ""),
    ("gpt-oss-safeguard-", "openai.", ""),
];

/// The model that the name of a Marketplace edition or a type of usage tells.
pub(in super::super) fn named_model(usage: &str, service: &str) -> Option<String> {
    if let Some(edition) = service.strip_suffix(" (Amazon Bedrock Edition)") {
        let edition = edition.to_lowercase();
        let id = EDITIONS.into_iter().find(|(name, _)| *name == edition);
        return Some(id.map_or_else(|| edition.replace([' ', '.'], "-"), |(_, id)| id.to_owned()));
    }
    // Behind the place: `USE1-`.
    let own = usage.split_once('-').map_or(usage, |(_, rest)| rest);
    if let Some((name, _)) = own.split_once("-mantle-") {
        return Some(name.to_owned());
    }
    let own = own.to_lowercase();
    let kinds = [
        "-text-input-token",
        "-text-output-token",
        "-input-token",
        "-output-token",
        "-cache-",
    ];
    let fronts = kinds.into_iter().filter_map(|kind| Some(own.split_once(kind)?.0));
    if let Some(name) = fronts.min_by_key(|front| front.len()) {
        let around = IN_IDS.into_iter().find(|(front, ..)| name.starts_with(front));
        let id = around.map(|(_, front, behind)| format!("{front}{name}{behind}"));
        return written(name).or(id).or_else(|| claude(name));
    }
    written(own.split('-').next().unwrap_or_default())
}

fn written(name: &str) -> Option<String> {
    let id = WRITTEN.into_iter().find(|(written, _)| *written == name);
    id.map(|(_, id)| id.to_owned())
}

/// `claude4.6opus` is `claude-opus-4-6`, and `claude3haiku` is `claude-3-haiku`.
fn claude(name: &str) -> Option<String> {
    let rest = name.strip_prefix("claude")?;
    let class = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let version = rest.strip_suffix(class)?.replace('.', "-");
    let is_told = !version.is_empty() && !class.is_empty() && class.bytes().all(|b| b.is_ascii_lowercase());
    is_told.then(|| match version.as_str() {
        "3" | "3-5" | "3-7" => format!("claude-{version}-{class}"),
        _ => format!("claude-{class}-{version}"),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editions_and_types_of_usage_tell_the_models_of_calls() {
        let aws = "Amazon Bedrock";
        for (usage, service, model) in [
            ("x", "Claude Sonnet 4.6 (Amazon Bedrock Edition)", "claude-sonnet-4-6"),
            (
                "x",
                "Cohere Command R+ (Amazon Bedrock Edition)",
                "cohere.command-r-plus-v1:0",
            ),
            (
                "x",
                "Cohere Embed Model 3 - English (Amazon Bedrock Edition)",
                "cohere.embed-english-v3",
            ),
            (
                "x",
                "Cohere Rerank v3.5 (Amazon Bedrock Edition)",
                "cohere.rerank-v3-5:0",
            ),
            ("USE1-Llama3-3-70B-input-tokens", aws, "meta.llama3-3-70b-instruct-v1:0"),
            (
                "EUC1-Llama4-Scout-17B-output-tokens-batch",
                aws,
                "meta.llama4-scout-17b-instruct-v1:0",
            ),
            (
                "USE1-Qwen3-Coder-30B-A3B-input-tokens-flex",
                aws,
                "qwen.qwen3-coder-30b-a3b-v1:0",
            ),
            ("USE1-qwen.qwen3-32b-mantle-input-tokens-flex", aws, "qwen.qwen3-32b"),
            ("USE1-GPT-OSS-120B-output-tokens-batch", aws, "openai.gpt-oss-120b-1:0"),
            (
                "USE1-GPT-OSS-Safeguard-20B-input-tokens",
                aws,
                "openai.gpt-oss-safeguard-20b",
            ),
            ("USE1-Gemma-3-4B-IT-input-tokens-flex", aws, "google.gemma-3-4b-it"),
            ("USE1-DeepSeek-R1-input-tokens", aws, "deepseek.r1-v1:0"),
            (
                "USE1-NovaLite-cache-read-input-token-count",
                aws,
                "amazon.nova-lite-v1:0",
            ),
            ("USE1-NovaPro-Customization-Training", aws, "amazon.nova-pro-v1:0"),
            (
                "USE1-Nova2.0Lite-text-input-tokens-cross-region-global",
                aws,
                "amazon.nova-2-lite-v1:0",
            ),
            (
                "USE1-Claude4.6Opus-input-tokens-cross-region-global",
                aws,
                "claude-opus-4-6",
            ),
            ("USE1-Claude3Haiku-output-tokens", aws, "claude-3-haiku"),
            ("USE1-Claude2.0-input-tokens", aws, ""),
            ("USE1-NewModel-input-tokens", aws, ""),
            ("USE1-Guardrail-ContentPolicyUnitsConsumed", aws, ""),
        ] {
            assert_eq!(
                named_model(usage, service).unwrap_or_default(),
                model,
                "{usage} {service}"
            );
        }
    }
}
