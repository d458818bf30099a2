//! A provider and a tier have one name, however a record spells it and whatever kind of record it is.

use std::collections::{BTreeMap, BTreeSet};

use finops::domain::label::Label;
use finops::domain::price::{SPELLINGS, is_company, known_provider, sold_apart};
use finops::domain::usage::{Bucket, UsageEvent};

use super::{Kept, aged, read_on, read_text, time};

/// A kind of record: how it tells a call by its number, its provider and its model.
type Kind = (&'static str, fn(usize, &str, &str) -> String);

const KINDS: [Kind; 7] = [
    ("span", |n, provider, model| {
        let counts = [
            ("input", 1000),
            ("output", 100),
            ("total", 101_100),
            ("cache_creation.input", 600),
        ];
        let counts = counts.map(|(name, count)| {
            format!(r#",{{"key":"gen_ai.usage.{name}_tokens","value":{{"intValue":"{count}"}}}}"#)
        });
        let texts = [
            ("operation.name", "chat"),
            ("provider.name", provider),
            ("request.model", model),
        ];
        let texts =
            texts.map(|(name, text)| format!(r#"{{"key":"gen_ai.{name}","value":{{"stringValue":"{text}"}}}}"#));
        let attributes = texts.join(",") + &counts.concat();
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{:032x}","spanId":"{:016x}","name":"n","startTimeUnixNano":"1792484104250000000","attributes":[{attributes}]}}]}}]}}]}}"#,
            n + 1,
            n + 1,
        )
    }),
    ("plain", |n, provider, model| {
        format!(
            r#"{{"id":"call-{n}","ts":"2026-10-20T08:15:04Z","provider":"{provider}","model":"{model}","input_tokens":1000,"output_tokens":100}}"#
        )
    }),
    ("answer", |n, provider, model| {
        format!(
            r#"{{"id":"answer-{n}","created":1792484104,"model":"{model}","provider":"{provider}","usage":{{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}}}"#
        )
    }),
    ("litellm", |n, provider, model| {
        format!(
            r#"{{"request_id":"request-{n}","spend":0.5,"startTime":"2026-10-20 08:15:04.120000+00:00","model":"{model}","custom_llm_provider":"{provider}","prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"metadata":{{}},"cache_hit":"None","request_tags":"[]"}}"#
        )
    }),
    ("helicone", |n, provider, model| {
        format!(
            r#"{{"request_id":"h-{n}","request_created_at":"2026-10-20T08:15:04.120Z","request_model":"{model}","response_model":"{model}","provider":"{provider}","prompt_tokens":1000,"completion_tokens":100}}"#
        )
    }),
    ("pi", |n, provider, model| {
        format!(
            r#"{{"type":"message","id":"a{n}","parentId":"a","timestamp":"2026-10-20T08:15:04.900Z","message":{{"role":"assistant","content":[],"api":"x","provider":"{provider}","model":"{model}","usage":{{"input":1000,"output":100,"cacheRead":0,"cacheWrite":0}},"timestamp":1792484104100}}}}"#
        )
    }),
    ("codex", |n, provider, model| {
        let usage = r#"{"input_tokens":1000,"cached_input_tokens":0,"output_tokens":100,"reasoning_output_tokens":0}"#;
        format!(
            r#"{{"timestamp":"2026-10-20T08:00:00.000Z","type":"session_meta","payload":{{"id":"s-{n}","cwd":"/srv","model_provider":"{provider}"}}}}
{{"timestamp":"2026-10-20T08:00:01.000Z","type":"turn_context","payload":{{"model":"{model}"}}}}
{{"timestamp":"2026-10-20T08:01:00.000Z","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{usage},"last_token_usage":{usage}}}}}}}"#
        )
    }),
];

/// Each spelling that is known, in small letters and in others, with the provider that it means.
fn spellings() -> Vec<(String, &'static str)> {
    let names = SPELLINGS
        .iter()
        .flat_map(|(own, others)| others.iter().chain([own]).map(move |name| (*name, *own)));
    let names = names.flat_map(|(name, own)| {
        [
            (name.to_owned(), own),
            (name.to_uppercase(), own),
            (name.replace('_', " "), own),
        ]
    });
    let mut all: Vec<_> = names.collect();
    all.extend(["vertex_ai-llama_models", "google.vertex.chat"].map(|name| (name.to_owned(), "vertex")));
    all.extend([
        ("openai.chat".to_owned(), "openai"),
        ("togetherai.chat".to_owned(), "together"),
    ]);
    all
}

/// What the ledger calls it. What has prices of its own under another's name is told by these where a record says no more.
fn label(kind: &str, spelling: &str, own: &'static str) -> String {
    match (kind, sold_apart(spelling)) {
        // Budgets on what somebody wrote so go on.
        ("plain", _) if is_company(spelling) => spelling.to_owned(),
        (_, "") | ("answer", _) => own.to_owned(),
        ("plain", _) => spelling.to_owned(),
        (_, apart) => apart.to_owned(),
    }
}

/// Reads records of a kind, each a file of its own where they would be one session, by their models.
fn read(kind: &str, records: &[String]) -> BTreeMap<&'static str, UsageEvent> {
    let folder = tempfile::tempdir().unwrap();
    let files = if kind == "codex" {
        records.chunks(1)
    } else {
        records.chunks(records.len())
    };
    for (n, records) in files.enumerate() {
        let file = folder.path().join(format!("{n}.jsonl"));
        std::fs::write(&file, records.join("\n") + "\n").unwrap();
        aged(&file);
    }
    let mut kept = Kept::default();
    read_on(folder.path(), &["*.jsonl"], &mut kept);
    assert!(kept.rejected.is_empty(), "{kind}: {:?}", kept.rejected);
    let calls: BTreeMap<_, _> = kept.calls.values().map(|call| (call.model().as_str(), *call)).collect();
    assert_eq!(calls.len(), records.len(), "{kind}");
    calls
}

#[test]
fn a_provider_has_one_name_whatever_kind_of_record_spells_it() {
    let spellings = spellings();
    for (kind, record) in KINDS {
        let model =
            |n: usize| format!("gemini-of-none-{n}").replace("gemini-", if kind == "span" { "gemini-" } else { "" });
        let records: Vec<String> = spellings
            .iter()
            .enumerate()
            .map(|(n, (name, _))| record(n, name, &model(n)))
            .collect();
        let calls = read(kind, &records);
        for (n, (name, own)) in spellings.iter().enumerate() {
            let call = &calls[model(n).as_str()];
            assert_eq!(call.provider().as_str(), label(kind, name, own), "{kind} {name}");
            if kind == "span" {
                // What Gemini thought, and for how long is kept what was written to a cache, is told by who was asked.
                let thinks = matches!(*own, "google" | "vertex");
                let long = matches!(*own, "openai" | "azure");
                let of = |bucket| call.tokens.get(bucket);
                assert_eq!(of(Bucket::Output), if thinks { 100_100 } else { 100 }, "{name}");
                let written = [Bucket::CacheWrite5m, Bucket::CacheWrite30m].map(of);
                assert_eq!(written, if long { [0, 600] } else { [600, 0] }, "{name}");
            }
        }
        // Names that nobody knows stay as they are written.
        let own = ["My-Gateway", "acme.chat", "vertexed"];
        let records: Vec<String> = own
            .iter()
            .enumerate()
            .map(|(n, name)| record(n, name, &model(n)))
            .collect();
        let calls = read(kind, &records);
        for (n, name) in own.iter().enumerate() {
            let written = if kind == "helicone" {
                name.to_lowercase()
            } else {
                (*name).to_owned()
            };
            assert_eq!(calls[model(n).as_str()].provider().as_str(), written, "{kind} {name}");
        }
    }
}

#[test]
fn what_claude_writes_to_a_cache_at_a_seller_of_openais_models_has_a_price() {
    let (_, span) = KINDS[0];
    for provider in ["azure", "azure_ai", "azure_openai", "azure_anthropic"] {
        let call = read_text("a.jsonl", span(1, provider, "claude-sonnet-4-6")).only();
        assert_eq!(call.tokens.get(Bucket::CacheWrite5m), 600, "{provider}");
        assert_eq!(super::charged(&call), "0.00495", "{provider}");
    }
}

/// A ledger has calls under the names that earlier versions took over.
#[test]
fn a_call_that_is_recorded_under_another_spelling_is_the_same_call_at_the_same_price() {
    let pricer = finops::adapters::prices::load(None, &[]).unwrap();
    let models = [
        "gpt-5.4",
        "claude-sonnet-4-6",
        "gemini-2.5-pro",
        "mistral-large-latest",
        "openai.gpt-6-sol",
        "grok-4.6",
    ];
    let cost = |provider: &str, model: &str| {
        let id = finops::domain::usage::EventId([7; 16]);
        let mut call = UsageEvent::new(id, time("2026-11-20T00:00:00Z"), provider.into(), model.into());
        call.tokens.set(Bucket::InputUncached, 1000);
        call.tokens.set(Bucket::Output, 1000);
        let charge = pricer.books().quote(&call).charge;
        (charge.is_priced(), charge.cost)
    };
    for (name, own) in spellings()
        .into_iter()
        .filter(|(name, _)| known_provider(name).is_some())
    {
        let label = label("plain", &name, own);
        assert!(
            models.iter().all(|model| cost(&name, model) == cost(&label, model)),
            "{name}"
        );
    }
    for (kind, record) in KINDS.into_iter().filter(|(kind, _)| *kind != "codex") {
        let mut kept = read_text("a.jsonl", record(1, "together_ai", "mine"));
        for call in kept.calls.values_mut() {
            call.dimensions.set(
                finops::domain::dimension::Dimension::Provider,
                Label::new("together_ai"),
            );
        }
        let folder = tempfile::tempdir().unwrap();
        for spelling in ["together_ai", "Together AI", "together"] {
            let file = folder.path().join(format!("{spelling}.jsonl"));
            std::fs::write(&file, record(1, spelling, "mine")).unwrap();
            aged(&file);
            read_on(folder.path(), &["*.jsonl"], &mut kept);
        }
        assert_eq!((kept.calls.len(), kept.observed), (1, 4), "{kind}");
    }
}

#[test]
fn a_tier_has_one_name_whatever_kind_of_record_tells_it() {
    let kinds: [(&str, fn(&str) -> String); 6] = [
        ("plain", |tier| {
            format!(
                r#"{{"id":"c","ts":"2026-10-20T08:15:04Z","provider":"openai","model":"m","service_tier":"{tier}","input_tokens":1}}"#
            )
        }),
        ("litellm", |tier| {
            let (_, row) = KINDS[3];
            row(1, "openai", "m").replace(
                r#""metadata":{}"#,
                &format!(r#""metadata":{{"usage_object":{{"service_tier":"{tier}","prompt_tokens":1000,"completion_tokens":100}}}}"#),
            )
        }),
        ("answer", |tier| {
            let (_, answer) = KINDS[2];
            answer(1, "openai", "m").replace(r#""created""#, &format!(r#""service_tier":"{tier}","created""#))
        }),
        ("span", |tier| {
            let (_, span) = KINDS[0];
            let attribute = format!(
                r#""attributes":[{{"key":"openai.response.service_tier","value":{{"stringValue":"{tier}"}}}},"#
            );
            span(1, "openai", "m").replace(r#""attributes":["#, &attribute)
        }),
        ("claude code", |tier| {
            format!(
                r#"{{"parentUuid":null,"isSidechain":false,"cwd":"/srv","sessionId":"s","type":"assistant","uuid":"u","timestamp":"2026-10-20T08:15:04.120Z","requestId":"req_1","message":{{"id":"msg_1","role":"assistant","model":"claude-sonnet-4-6","content":[],"stop_reason":"end_turn","usage":{{"input_tokens":12,"output_tokens":3,"service_tier":"{tier}"}}}}}}"#
            )
        }),
        ("anthropic-admin", |tier| {
            format!(
                r#"{{"data":[{{"starting_at":"2026-10-20T00:00:00Z","ending_at":"2026-10-21T00:00:00Z","results":[{{"uncached_input_tokens":2200,"cache_read_input_tokens":0,"output_tokens":1800,"api_key_id":"k","workspace_id":null,"model":"claude-sonnet-4-6","service_tier":"{tier}","context_window":"0-200k"}}]}}],"has_more":false,"next_page":null}}"#
            )
        }),
    ];
    for (told, tier) in [
        ("default", "standard"),
        ("Default", "standard"),
        ("standard", "standard"),
        ("auto", ""),
        ("PRIORITY", "priority"),
        ("Flex", "flex"),
        ("my_own", "my_own"),
    ] {
        let calls = kinds.map(|(_, record)| read_text("a.jsonl", record(told)).only());
        let tiers: BTreeSet<_> = calls.iter().map(|call| call.tier().as_str()).collect();
        assert_eq!(tiers, BTreeSet::from([tier]), "{told}");
    }
    // What was asked for hides nothing that another witness tells.
    let (_, row) = kinds[1];
    let (_, answer) = kinds[2];
    let id = "chatcmpl-aaaabbbbccccdddd1";
    let both = [
        row("auto").replace("request-1", id),
        answer("flex").replace("answer-1", id),
    ];
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Kept::default();
    for (name, record) in ["a.jsonl", "b.jsonl"].into_iter().zip(both) {
        std::fs::write(folder.path().join(name), record).unwrap();
        aged(&folder.path().join(name));
    }
    read_on(folder.path(), &["*.jsonl"], &mut kept);
    assert_eq!(kept.only().tier().as_str(), "flex");
}
