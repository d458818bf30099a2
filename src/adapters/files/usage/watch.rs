//! Counts in usage objects under names that nobody here knows. Read as if they were not there, they leave what was cached or written among the
//! plain input; they are seen while the object is read, which costs the others nothing but a look at their names.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{CowStrDeserializer, MapAccessDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::object;
use super::Usage;

/// What an object has under names that nobody here knows.
#[derive(Default, Clone, Copy)]
pub(in super::super) struct Unknown {
    /// Whether there are counts of tokens.
    pub counts: bool,
    /// Whether there are those of Opik, which keeps the provider's own object with the way to each value as its name.
    pub flattened: bool,
}

/// How Opik's names begin.
pub(in super::super) const FLATTENED: &str = "original_usage.";

/// An object whose names are looked at.
pub(in super::super) trait Watched {
    /// Whether what stands under a name is read, or is a part of what is.
    fn knows(name: &str) -> bool;

    /// Where what was seen is kept.
    fn unknown(&mut self) -> &mut Unknown;
}

impl Watched for Usage<'_> {
    fn knows(name: &str) -> bool {
        matches!(
            name,
            "prompt_tokens"
                | "completion_tokens"
                | "total_tokens"
                | "prompt_tokens_details"
                | "completion_tokens_details"
                | "prompt_token_details"
                | "completion_token_details"
                | "prompt_cache_hit_tokens"
                | "cached_tokens"
                | "num_cached_tokens"
                | "cached_input_tokens"
                | "input_tokens"
                | "output_tokens"
                | "input_tokens_details"
                | "output_tokens_details"
                | "input_token_details"
                | "output_token_details"
                | "cache_read_input_tokens"
                | "cache_creation_input_tokens"
                | "cache_creation"
                | "inputTokens"
                | "outputTokens"
                | "totalTokens"
                | "cacheReadInputTokens"
                | "cacheWriteInputTokens"
                | "cacheReadInputTokenCount"
                | "cacheWriteInputTokenCount"
                | "cachedInputTokens"
                | "reasoningTokens"
                | "inputTokenDetails"
                | "outputTokenDetails"
                | "total_input_tokens"
                | "cacheCreationInputTokens"
                | "inputTokensDetails"
                | "outputTokensDetails"
                | "cache_read_tokens"
                | "cache_write_tokens"
                | "cache_write_1h_tokens"
                | "input_audio_tokens"
                | "cache_audio_read_tokens"
                | "output_audio_tokens"
                | "output_reasoning_tokens"
                | "claude_cache_creation_5_m_tokens"
                | "claude_cache_creation_1_h_tokens"
                | "provider_cache_read_input_tokens"
                | "provider_cache_write_input_tokens"
                | "tensorzero_provider_cache_read_input_tokens"
                | "tensorzero_provider_cache_write_input_tokens"
                // What is left of the input, parts of the counts that have no price of their own, and what Cohere used beside what it bills.
                | "prompt_cache_miss_tokens"
                | "reasoning_tokens"
                | "reasoning_output_tokens"
                | "text_tokens"
                | "tokens"
        )
    }

    fn unknown(&mut self) -> &mut Unknown {
        &mut self.unknown
    }
}

/// A field that holds an object, or nothing.
pub(in super::super) fn watched<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Watched,
{
    let read: Option<Seen<T>> = object::one(from)?;
    Ok(read.map(|Seen(object)| object))
}

struct Seen<T>(T);

impl<'de, T: Deserialize<'de> + Watched> Deserialize<'de> for Seen<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Watch(PhantomData)).map(Seen)
    }
}

struct Watch<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Watched> Visitor<'de> for Watch<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        let mut unknown = Unknown::default();
        let names = Names {
            map,
            knows: T::knows,
            unknown: &mut unknown,
            looks: false,
        };
        let mut object = T::deserialize(MapAccessDeserializer::new(names))?;
        *object.unknown() = unknown;
        Ok(object)
    }
}

/// The entries of an object, whose names are looked at as they pass.
struct Names<'u, A> {
    map: A,
    knows: fn(&str) -> bool,
    unknown: &'u mut Unknown,
    /// Whether the value that comes next may be such a count.
    looks: bool,
}

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Names<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(Name(name)) = self.map.next_key()? else {
            return Ok(None);
        };
        if !(self.knows)(&name) {
            self.unknown.flattened |= name.starts_with(FLATTENED);
            self.looks = may_count(&name);
        }
        seed.deserialize(CowStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        if !std::mem::take(&mut self.looks) {
            return self.map.next_value_seed(seed);
        }
        let raw: &'de RawValue = self.map.next_value()?;
        self.unknown.counts |= counts(raw.get(), DEEPEST);
        let mut value = serde_json::Deserializer::from_str(raw.get());
        seed.deserialize(&mut value).map_err(A::Error::custom)
    }
}

/// How deep in objects under such a name counts are looked for.
const DEEPEST: u32 = 2;

/// Whether a name may be that of a count of tokens: not that of a speed, a time or a bound.
fn may_count(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let counts = ["tokens", "token_count", "tokencount", "token_details", "tokendetails"];
    let caches = [
        "cache_read",
        "cache_write",
        "cache_creation",
        "cacheread",
        "cachewrite",
        "cached_",
    ];
    let others = [
        "_per_",
        "persecond",
        "max",
        "limit",
        "remaining",
        "budget",
        "cost",
        "price",
    ];
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    (has(&counts) || has(&caches)) && !has(&others)
}

/// Whether a value is a whole number above zero, or an object that has one.
fn counts(value: &str, depth: u32) -> bool {
    if value.starts_with('{') && depth > 0 {
        let parts: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(value).unwrap_or_default();
        return parts.values().any(|part| counts(part.get(), depth - 1));
    }
    value.parse::<u64>().is_ok_and(|count| count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Record<'a> {
        #[serde(borrow, default, deserialize_with = "watched")]
        usage: Option<Usage<'a>>,
    }

    fn unknown(usage: &str) -> bool {
        let text = format!(r#"{{"usage":{{"prompt_tokens":1,{usage}}}}}"#);
        let record: Record<'_> = serde_json::from_str(&text).unwrap();
        record.usage.unwrap().has_unknown()
    }

    #[test]
    fn counts_under_other_names_are_seen_and_what_is_no_count_is_not() {
        for told in [
            r#""original_usage.input_tokens":5"#,
            r#""cached_content_token_count":800"#,
            r#""cached_prompt":{"tokens":800}"#,
            r#""prompt_tokens_details":{"new_cache_tokens":1}"#,
            r#""input_token_details":{"cache_write_30m":7}"#,
            r#""cache_creation":{"ephemeral_12h_input_tokens":7}"#,
            r#""cached_by_age":{"short":{"tokens":1}}"#,
            r#""cache_read_tokens":800"#,
            r#""input_audio_tokens":800"#,
        ] {
            assert!(unknown(told), "{told}");
        }
        for quiet in [
            r#""queue_time":5,"total_time":7,"num_sources_used":3,"cost":2,"is_byok":false"#,
            r#""new_tokens":0,"other_tokens":null,"cached_tokens_of":"all","cached_tokens":3,"cache_discount":1"#,
            r#""tokens_per_second":55,"max_tokens":4096,"time_to_first_token_ms":300,"token_cost":4"#,
            r#""prompt_tokens_details":{"text_tokens":5,"cached_tokens":1,"rejected_prediction_tokens":2}"#,
            r#""cached_tokens_more":{"a":0,"b":[1]}"#,
            r#""prompt_tokens_details":{"cached_tokens":800},"num_cached_tokens":800"#,
        ] {
            assert!(!unknown(quiet), "{quiet}");
        }
    }
}
