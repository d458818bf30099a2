//! What single providers leave in their answers.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::object;
use super::super::scalar::Scalar;
use super::super::usage::Usage;
use super::record::Record;

impl Record<'_> {
    /// Whether what filters of Azure's found stands in it. In a stream that is so of all parts but the last, which has the usage.
    pub fn is_of_azure(&self) -> bool {
        // Within a text its quotes would be escaped.
        let filtered = |raw: &RawValue| memchr::memmem::find(raw.get().as_bytes(), FILTERED).is_some();
        let told = self.prompt_filter_results.is_some() || self.content_filters.is_some();
        // Pictures.
        let data = self.data.filter(|_| self.object.is_null());
        told || self.choices.or(data).is_some_and(filtered)
    }

    /// Whether llama.cpp's server made it, by what it measured or by its build: a number and a commit.
    pub fn is_of_llama(&self) -> bool {
        let measured =
            |raw: &RawValue| memchr::memmem::find(raw.get().as_bytes(), b"\"predicted_per_second\"").is_some();
        let build = self.system_fingerprint.str().strip_prefix('b');
        let build = build.and_then(|rest| rest.split_once('-'));
        let built = |(number, commit): (&str, &str)| {
            let of = |text: &str, one: fn(&u8) -> bool| !text.is_empty() && text.bytes().all(|byte| one(&byte));
            of(number, u8::is_ascii_digit) && of(commit, u8::is_ascii_hexdigit)
        };
        self.timings.is_some_and(measured) || build.is_some_and(built)
    }

    /// Whether it is what OpenAI answers to a request for decisions, which have a price of their own.
    pub fn decides(&self) -> bool {
        #[derive(Deserialize)]
        struct Answer<'a> {
            #[serde(borrow, default, rename = "type")]
            kind: Scalar<'a>,
        }
        // Each has a name, which may be null.
        let named = |raw: &&RawValue| raw.get().contains("\"name\"");
        let answers = self.answers.filter(|_| self.usage.is_some()).filter(named);
        let answers: Option<Vec<Answer<'_>>> = answers.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let known = ["predicate", "choice", "score", "refusal"];
        answers.is_some_and(|all| !all.is_empty() && all.iter().all(|one| known.contains(&one.kind.str())))
    }
}

/// What Azure says of each choice, and of each picture.
const FILTERED: &[u8] = b"\"content_filter_results\":";

/// What Groq keeps apart, and where the last part of a stream has its usage.
pub(super) fn usage_of_groq(kept: &RawValue) -> serde_json::Result<Option<Usage<'_>>> {
    #[derive(Deserialize)]
    struct Kept<'a> {
        #[serde(borrow, default, deserialize_with = "object::one")]
        usage: Option<Usage<'a>>,
    }
    Ok(serde_json::from_str::<Kept<'_>>(kept.get())?.usage)
}
