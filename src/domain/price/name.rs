//! The names under which a model may stand in a book, in the order in which they are tried. Never a substring, never the
//! nearest name: a step either yields the same model or nothing.

use chrono::NaiveDate;

use super::place::{GEOGRAPHIES, is_region};
use super::provider::provider_key;
use super::seller::is_apart;

/// A name to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) name: String,
    /// Geography that the name carried.
    pub(super) geography: String,
    /// Date of the snapshot that was cut off the name.
    pub(super) snapshot: Option<NaiveDate>,
    /// The free variant of a paid model.
    pub(super) free: bool,
    /// Of a seller whose prices are not those of its namesakes: an entry with the provider before its name is not meant.
    pub(super) apart: bool,
    /// How it came about, for the receipt.
    pub(super) how: &'static str,
}

/// The words that LiteLLM writes before a name on Bedrock for the way that it asks, in their order.
pub(super) const ROUTES: [&str; 3] = ["bedrock/", "converse/", "invoke/"];

/// A name without such words.
pub(super) fn behind_route(name: &str) -> &str {
    ROUTES.into_iter().fold(name, |name, front| {
        let head = name.get(..front.len()).filter(|head| head.eq_ignore_ascii_case(front));
        head.and_then(|head| name.get(head.len()..)).unwrap_or(name)
    })
}

/// An ARN without such words; any other name as it is.
pub(super) fn without_route(name: &str) -> &str {
    let bare = behind_route(name);
    let is_arn = bare.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("arn:"));
    if is_arn { bare } else { name }
}

/// Whether only a map of the owner's can tell which model is meant.
pub(super) fn is_opaque(name: &str) -> bool {
    let lower = without_route(name).to_lowercase();
    lower.starts_with("arn:")
        && [
            "application-inference-profile/",
            "provisioned-model/",
            "custom-model",
            "imported-model/",
            "prompt-router/",
            ":prompt/",
        ]
        .iter()
        .any(|kind| lower.contains(kind))
}

pub(super) fn candidates(provider: &str, model: &str) -> Vec<Candidate> {
    let mut list = List(Vec::new());
    let lower = model.trim().to_lowercase();
    let first = Candidate {
        name: lower.clone(),
        geography: String::new(),
        snapshot: None,
        free: false,
        apart: is_apart(&lower),
        how: if lower == model {
            "exact id"
        } else {
            "exact id but for case"
        },
    };
    list.push(first.clone());
    let mut stem = first;
    if let Some((head, rest)) = lower.split_once('/')
        && provider_key(head) == provider
    {
        stem = Candidate {
            name: rest.to_owned(),
            how: "provider-qualified id",
            ..stem
        };
        list.push(stem.clone());
    }
    // The whole path of a model on Vertex AI: `projects/x/locations/y/publishers/…`.
    if matches!(provider, "google" | "vertex")
        && stem.name.starts_with("projects/")
        && let Some(at) = stem.name.find("/publishers/")
        && let Some(rest) = stem.name.get(at + 1..)
    {
        stem.name = rest.to_owned();
    }
    for prefix in ["models/", "publishers/", "google/", "anthropic/"] {
        // `publishers/meta/models/llama-…`
        let rest = stem.name.strip_prefix(prefix);
        let rest = rest.and_then(|rest| match prefix {
            "publishers/" => rest.split_once("/models/").map(|(_, rest)| rest),
            _ => Some(rest),
        });
        if matches!(provider, "google" | "vertex")
            && let Some(name) = rest.map(str::to_owned)
        {
            stem = Candidate {
                name,
                how: "provider-qualified id",
                ..stem
            };
            list.push(stem.clone());
        }
    }
    if matches!(provider, "bedrock" | "openrouter")
        && stem.name.contains("claude")
        && let Some(base) = stem.name.strip_suffix(LONG_CONTEXT)
    {
        stem = Candidate {
            name: base.to_owned(),
            how: "canonical spelling",
            ..stem
        };
        list.push(stem.clone());
    }
    match provider {
        "bedrock" => bedrock(&mut list, stem),
        "openrouter" => openrouter(&mut list, &stem),
        _ => {
            let stem = fine_tune(&mut list, stem);
            claude(&mut list, stem);
        }
    }
    for at in 0..list.0.len() {
        let Some(base) = list.0.get(at).cloned() else { break };
        if let Some((family, day)) = cut_date(&base.name) {
            list.push(Candidate {
                name: format!("{family}-{day}"),
                how: "date written out",
                ..base.clone()
            });
            list.push(Candidate {
                name: family,
                snapshot: Some(day),
                how: "family of the dated snapshot",
                ..base
            });
        }
    }
    list.0
}

/// How Claude Code is asked for a context of a million tokens, which is of the same model.
const LONG_CONTEXT: &str = "[1m]";

struct List(Vec<Candidate>);

impl List {
    fn push(&mut self, candidate: Candidate) {
        let same = |c: &Candidate| c.name == candidate.name && c.geography == candidate.geography;
        if !self.0.iter().any(same) {
            self.0.push(candidate);
        }
    }
}

/// Whose models begin so, of those that Bedrock sells behind the name of their maker.
const MAKERS: [(&str, &str); 20] = [
    ("claude-", "anthropic"),
    ("gpt-", "openai"),
    ("nova-", "amazon"),
    ("titan-", "amazon"),
    ("llama", "meta"),
    ("mistral-", "mistral"),
    ("mixtral-", "mistral"),
    ("ministral-", "mistral"),
    ("magistral-", "mistral"),
    ("pixtral-", "mistral"),
    ("voxtral-", "mistral"),
    ("devstral-", "mistral"),
    ("command-", "cohere"),
    ("embed-", "cohere"),
    ("rerank-", "cohere"),
    ("jamba-", "ai21"),
    ("qwen3-", "qwen"),
    ("minimax-", "minimax"),
    ("nemotron-", "nvidia"),
    ("kimi-", "moonshotai"),
];

fn bedrock(list: &mut List, mut stem: Candidate) {
    for mark in ["converse/", "invoke/"] {
        if let Some(rest) = stem.name.strip_prefix(mark) {
            stem = Candidate {
                name: rest.to_owned(),
                how: "region path",
                ..stem
            };
            list.push(stem.clone());
        }
    }
    if stem.name.starts_with("arn:")
        && let Some((kind, last)) = stem.name.rsplit_once('/')
        && (kind.ends_with(":foundation-model") || kind.ends_with(":inference-profile"))
    {
        // The Region of a model's ARN is like one before its name. That of a profile is where it was called, not where it answers.
        let region = kind.strip_suffix(":foundation-model").and_then(|k| k.split(':').nth(3));
        if let Some(region) = region.filter(|r| is_region(r)) {
            let there = Candidate {
                name: format!("{region}/{last}"),
                ..stem.clone()
            };
            bedrock(list, there);
        }
        stem = Candidate {
            name: last.to_owned(),
            how: "last part of the ARN",
            ..stem
        };
        list.push(stem.clone());
    }
    if let Some((region, rest)) = stem.name.split_once('/')
        && is_region(region)
    {
        // The Region is a part of the entry's name where its price is no multiple of the others.
        let of_maker = with_maker(rest);
        for (name, how) in [(rest, "region path"), (&without_version(rest), "region path")]
            .into_iter()
            .chain(of_maker.iter().map(|name| (name.as_str(), MAKER)))
        {
            list.push(Candidate {
                name: format!("{region}/{name}"),
                how,
                ..stem.clone()
            });
        }
        stem = Candidate {
            name: rest.to_owned(),
            geography: region.to_owned(),
            how: "region path",
            ..stem
        };
        list.push(stem.clone());
    }
    for name in with_maker(&stem.name) {
        list.push(Candidate {
            name,
            how: MAKER,
            ..stem.clone()
        });
    }
    list.push(Candidate {
        name: without_version(&stem.name),
        how: "without the version suffix",
        ..stem.clone()
    });
    if let Some((geography, rest)) = stem.name.split_once('.')
        && GEOGRAPHIES.contains(&geography)
        && rest.contains('.')
    {
        let placed = Candidate {
            name: rest.to_owned(),
            geography: geography.to_owned(),
            how: "geography prefix kept as an attribute",
            ..stem
        };
        list.push(Candidate {
            name: without_version(rest),
            ..placed.clone()
        });
        list.push(placed);
    }
}

/// How a name came about that has the maker of the model before it.
const MAKER: &str = "maker's name of the model";

/// A name behind its maker: answers and some emitters name the model as its maker does, or leave the maker away.
fn with_maker(name: &str) -> Vec<String> {
    let of_it = MAKERS.iter().filter(|(family, _)| name.starts_with(family)).take(1);
    let both = |maker: &str| [name, &without_version(name)].map(|name| format!("{maker}.{name}"));
    of_it.flat_map(|(_, maker)| both(maker)).collect()
}

/// A name on Bedrock without the version at its end: `-v1:0`, and the context size that may follow it: `-v1:0:200k`.
pub(super) fn without_version(name: &str) -> String {
    let mut name = name;
    if let Some((head, size)) = name.rsplit_once(':')
        && size.ends_with('k')
    {
        name = head;
    }
    let head = match name.rsplit_once(':') {
        Some((head, minor)) if minor.bytes().all(|b| b.is_ascii_digit()) => head,
        _ => name,
    };
    match head.rsplit_once("-v") {
        Some((base, major)) if !major.is_empty() && major.bytes().all(|b| b.is_ascii_digit()) => base.to_owned(),
        _ => head.to_owned(),
    }
}

fn openrouter(list: &mut List, stem: &Candidate) {
    if let Some((base, variant)) = stem.name.rsplit_once(':')
        && matches!(variant, "free" | "extended")
    {
        list.push(Candidate {
            name: base.to_owned(),
            free: variant == "free",
            how: "variant kept as an attribute",
            ..stem.clone()
        });
    }
}

fn fine_tune(list: &mut List, stem: Candidate) -> Candidate {
    let Some(rest) = stem.name.strip_prefix("ft:") else {
        return stem;
    };
    let base = rest.split(':').next().unwrap_or(rest);
    let tuned = Candidate {
        name: format!("ft:{base}"),
        how: "fine-tune entry of the base model",
        ..stem
    };
    list.push(tuned.clone());
    tuned
}

fn claude(list: &mut List, mut stem: Candidate) {
    if let Some((base, version)) = stem.name.split_once('@') {
        let name = if matches!(version, "default" | "latest") {
            base.to_owned()
        } else {
            format!("{base}-{version}")
        };
        stem = Candidate {
            name,
            how: "version after `@`",
            ..stem
        };
        list.push(stem.clone());
    }
    let Some(rest) = stem.name.strip_prefix("claude-") else {
        return;
    };
    let rest = rest.replace('.', "-");
    let rest = rest.strip_suffix(LONG_CONTEXT).unwrap_or(&rest);
    let rest = rest.strip_suffix("-latest").unwrap_or(rest).to_owned();
    list.push(Candidate {
        name: format!("claude-{rest}"),
        how: "canonical spelling",
        ..stem.clone()
    });
    // Both word orders occur: `claude-4-5-sonnet` and `claude-sonnet-4-5`.
    for family in ["opus", "sonnet", "haiku", "fable", "mythos"] {
        let Some((version, tail)) = rest.split_once(&format!("-{family}")) else {
            continue;
        };
        let numeric = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        if numeric && (tail.is_empty() || tail.starts_with('-')) {
            list.push(Candidate {
                name: format!("claude-{family}-{version}{tail}"),
                how: "canonical spelling",
                ..stem.clone()
            });
        }
    }
}

/// A name that ends in the date of a snapshot, as its family and that date.
pub(super) fn cut_date(name: &str) -> Option<(String, NaiveDate)> {
    let dashed = name
        .len()
        .checked_sub(11)
        .and_then(|at| Some((name.get(..at)?, name.get(at..)?)));
    if let Some((family, tail)) = dashed
        && let Ok(day) = NaiveDate::parse_from_str(tail, "-%Y-%m-%d")
    {
        return Some((family.to_owned(), day));
    }
    let (family, tail) = name
        .len()
        .checked_sub(9)
        .and_then(|at| Some((name.get(..at)?, name.get(at..)?)))?;
    let digits = tail.strip_prefix('-')?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let day = NaiveDate::parse_from_str(digits, "%Y%m%d").ok()?;
    Some((family.to_owned(), day))
}
