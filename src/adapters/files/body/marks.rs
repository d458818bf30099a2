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
    fn is_of_llama(&self) -> bool {
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

    /// The program that made it on a machine of one's own, under whatever name is asked for; empty where none says so.
    pub fn own_server(&self) -> &'static str {
        match self.system_fingerprint.str() {
            "fp_ollama" => "ollama",
            _ if self.is_of_llama() => "llama.cpp",
            _ => "",
        }
    }

    /// Whether AutoGen tells an answer again that it kept, with the usage that it had.
    pub fn is_from_cache(&self) -> bool {
        let is_kept = self.cached.is_true() && !self.finish_reason.is_null() && self.choices.is_none();
        // Others say of a call that its prompt was cached.
        is_kept && self.usage.as_ref().is_some_and(Usage::is_bare)
    }

    /// Whether it is what OpenAI answers to a request for decisions, which have a price of their own.
    pub fn decides(&self) -> bool {
        #[derive(Deserialize)]
        struct Answer<'a> {
            #[serde(borrow, default, rename = "type")]
            kind: Scalar<'a>,
        }
        // Each has a name, which may be null, and those that were not declined how likely they are. What is null may be left out.
        let own = |raw: &&RawValue| raw.get().contains("\"name\"") || raw.get().contains("\"probabilit");
        let answers = self.answers.filter(|_| self.usage.is_some()).filter(own);
        let answers: Option<Vec<Answer<'_>>> = answers.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let known = ["predicate", "choice", "score", "refusal"];
        answers.is_some_and(|all| !all.is_empty() && all.iter().all(|one| known.contains(&one.kind.str())))
    }
}

/// What Azure says of each choice, and of each picture.
const FILTERED: &[u8] = b"\"content_filter_results\":";

/// Whether it ranks what was asked, as answers do that have no output.
pub(super) fn ranks(text: &str) -> bool {
    text.contains("\"relevance_score\"")
}

/// Whether MiniMax says of an answer without tokens that it failed.
pub(super) fn failed_at_minimax(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow, default, deserialize_with = "object::one")]
        base_resp: Option<State<'a>>,
    }
    #[derive(Deserialize)]
    struct State<'a> {
        #[serde(borrow, default)]
        status_code: Scalar<'a>,
    }
    let answer: Option<Answer<'_>> = serde_json::from_str(text).ok();
    let state = answer.and_then(|answer| answer.base_resp);
    state.is_some_and(|state| state.status_code.count("").is_ok_and(|code| code > 0))
}

/// What Groq keeps apart, and where the last part of a stream has its usage.
pub(super) fn usage_of_groq(kept: &RawValue) -> serde_json::Result<Option<Usage<'_>>> {
    #[derive(Deserialize)]
    struct Kept<'a> {
        #[serde(borrow, default, deserialize_with = "object::one")]
        usage: Option<Usage<'a>>,
    }
    Ok(serde_json::from_str::<Kept<'_>>(kept.get())?.usage)
}
