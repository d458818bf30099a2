//! What single providers tell in their answers, in places of their own.

use finops::adapters::prices::load;
use finops::domain::usage::{Bucket, UsageEvent};

use super::{Kept, charged, read_text, time};

fn call<'k>(kept: &'k Kept, model: &str) -> &'k UsageEvent {
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
    let mut calls = kept.calls.values().filter(|call| call.model().as_str() == model);
    let found = calls.next().unwrap_or_else(|| panic!("no call of {model}"));
    assert!(calls.next().is_none(), "two calls of {model}");
    found
}

fn told(kept: &Kept, about: &str) -> bool {
    kept.warnings.keys().any(|warning| warning.contains(about))
}

fn is_priced(call: &UsageEvent) -> bool {
    load(None, &[]).unwrap().books().quote(call).charge.is_priced()
}

fn tokens<const N: usize>(call: &UsageEvent, buckets: [Bucket; N]) -> [u64; N] {
    buckets.map(|bucket| call.tokens.get(bucket))
}

const RESPONSE: &str = r#"{"id":"resp_1","object":"response","created_at":1792484104,"status":"completed","model":"gpt-5","output":[{"type":"web_search_call","action":{"type":"search"}},{"type":"web_search_call","action":{"type":"search"}},{"type":"image_generation_call","result":"x"}],"tools":[{"type":"web_search"},{"type":"image_generation","model":"gpt-image-1"}],"usage":{"input_tokens":1000,"input_tokens_details":{"cached_tokens":0},"output_tokens":100,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":1100}TOLD}"#;

/// Pictures, and searches, of which the billable ones are told beside the usage of the model.
#[test]
fn what_tools_of_openai_used_is_charged_beside_the_answer() {
    let drawn = r#""image_gen":{"input_tokens":50,"input_tokens_details":{"image_tokens":0,"text_tokens":50},"output_tokens":4160,"output_tokens_details":{"image_tokens":4160,"text_tokens":0},"total_tokens":4210}"#;
    let none = r#""image_gen":{"input_tokens":0,"input_tokens_details":{"image_tokens":0,"text_tokens":0},"output_tokens":0,"total_tokens":0}"#;
    let with = |pictures: &str, searches: u32, more: &str| {
        let used = format!(r#","tool_usage":{{{pictures},"web_search":{{"num_requests":{searches}}}}}{more}"#);
        RESPONSE.replace("TOLD", &used)
    };
    let text = with(drawn, 1, r#","service_tier":"flex""#);
    let kept = read_text("a.jsonl", [text.clone(), text].join("\n"));
    assert_eq!((kept.calls.len(), kept.observed), (2, 4));
    assert_eq!(call(&kept, "gpt-5").requests.web_searches, 1);
    let picture = call(&kept, "gpt-image-1");
    assert_eq!(tokens(picture, [Bucket::InputUncached, Bucket::ImageOut]), [50, 4160]);
    assert_eq!((picture.tier().as_str(), charged(picture).as_str()), ("", "0.16665"));
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    // No picture is told, no item, or no tool whose model it was.
    let kept = read_text("a.json", with(none, 0, ""));
    assert_eq!(kept.only().requests.web_searches, 0);
    assert!(told(&kept, "pictures that a tool made"));
    let bare = with(none, 3, "").replacen(r#""output":["#, r#""left_out":["#, 1);
    let kept = read_text("a.json", bare);
    assert_eq!(kept.only().requests.web_searches, 3);
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    let kept = read_text("a.json", with(drawn, 1, "").replace(r#","model":"gpt-image-1""#, ""));
    assert_eq!(call(&kept, "").tokens.total(), 4210);
    assert!(!is_priced(call(&kept, "")));
    // As it was where nothing is told beside.
    let kept = read_text("a.json", RESPONSE.replace("TOLD", ""));
    assert_eq!(kept.only().requests.web_searches, 2);
    assert!(told(&kept, "pictures that a tool made"));
}

#[test]
fn pictures_that_are_written_as_text_are_calls_of_the_model_that_wrote_them() {
    let svg = r#""svg_usage":{"input_tokens":1000,"output_tokens":50000,"model":"gpt-5","reasoning_tokens":0,"total_tokens":51000}"#;
    let response = RESPONSE.replace("TOLD", "").replace("\"gpt-5\"", "\"gpt-4o\"");
    let response = response.replace(r#""result":"x""#, svg);
    let images = format!(
        r#"{{"created":1792484104,"data":[{{"b64_json":"x"}}],"model":"gpt-4o","usage":{{"input_tokens":10,"input_tokens_details":{{"image_tokens":0,"text_tokens":10}},"output_tokens":10,"total_tokens":20}},{svg}}}"#
    );
    for text in [response, images] {
        let kept = read_text("a.json", &text);
        assert_eq!(kept.calls.len(), 2, "{text}");
        assert_eq!(charged(call(&kept, "gpt-5")), "0.50125", "{text}");
        assert!(!told(&kept, "pictures that a tool made"), "{text}");
    }
}

#[test]
fn usage_in_the_last_part_of_groqs_streams_is_read() {
    let part = |groq: &str, end: &str| {
        format!(
            r#"{{"id":"chatcmpl-g1","object":"chat.completion.chunk","created":1792484104,"model":"llama-3.3-70b-versatile","choices":[{{"index":0,"delta":{{}},"finish_reason":{end}}}],"x_groq":{{"id":"req_1"{groq}}}}}"#
        )
    };
    let usage = r#","usage":{"queue_time":0.1,"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}"#;
    let kept = read_text("a.jsonl", [part("", "null"), part(usage, "\"stop\"")].join("\n"));
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
    let call = kept.only();
    assert_eq!(
        (call.provider().as_str(), charged(&call).as_str()),
        ("groq", "0.000669")
    );
}

const BEGUN: &str = r#"{"type":"message_start","message":{"id":"msg_ID","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":null,"usage":{"input_tokens":ASKED,"cache_read_input_tokens":5000,"output_tokens":1,"service_tier":"priority","inference_geo":"us"}}}"#;
const ENDED: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{COUNTS"output_tokens":OUT,"server_tool_use":{"web_search_requests":1}}}"#;

/// The first event of a stream has the prompt, the last one all tokens so far, or the output alone, and no name of anything.
#[test]
fn events_of_a_stream_of_claude_are_one_call() {
    let begun = |id: &str, asked: u32| BEGUN.replace("ID", id).replace("ASKED", &asked.to_string());
    let ended = |counts: &str, out: u32| ENDED.replace("COUNTS", counts).replace("OUT", &out.to_string());
    let asked = |asked: u32| format!(r#""input_tokens":{asked},"cache_read_input_tokens":5000,"#);
    let stop = r#"{"type":"message_stop"}"#.to_owned();
    let buckets = [Bucket::InputUncached, Bucket::CacheRead, Bucket::Output];
    let outputs = |kept: &Kept| {
        let mut all: Vec<[u64; 3]> = kept.calls.values().map(|call| tokens(call, buckets)).collect();
        all.sort_unstable();
        all
    };
    for counts in ["", &asked(1000)] {
        let kept = read_text(
            "a.jsonl",
            [begun("1", 1000), ended(counts, 100), stop.clone()].join("\n"),
        );
        let call = kept.only();
        assert_eq!(tokens(&call, buckets), [1000, 5000, 100], "{counts}");
        let names = (call.provider().as_str(), call.tier().as_str(), call.geo.as_str());
        assert_eq!(
            (names, call.requests.web_searches),
            (("anthropic", "priority", "us"), 1)
        );
    }
    // One after the other; the first of them broke off.
    let text = [begun("1", 7), begun("2", 1000), ended(&asked(1000), 100), stop.clone()];
    assert_eq!(
        outputs(&read_text("a.jsonl", text.join("\n"))),
        [[7, 5000, 1], [1000, 5000, 100]]
    );
    // Two at a time are told apart by their prompts; where these do not tell, an end is that of the one that began last.
    let text = [begun("1", 7), begun("2", 8), ended(&asked(7), 70), ended(&asked(8), 80)];
    assert_eq!(
        outputs(&read_text("a.jsonl", text.join("\n"))),
        [[7, 5000, 70], [8, 5000, 80]]
    );
    let text = [
        begun("1", 7),
        begun("2", 8),
        ended("", 80),
        begun("3", 9),
        ended("", 90),
    ];
    let kept = read_text("a.jsonl", text.join("\n"));
    assert_eq!(outputs(&kept), [[7, 5000, 1], [8, 5000, 80], [9, 5000, 90]]);
    assert!(!told(&kept, "may belong to any of several"), "the first one broke off");
    let text = [
        begun("1", 7),
        begun("2", 8),
        begun("3", 9),
        ended("", 90),
        ended("", 80),
    ];
    let kept = read_text("a.jsonl", text.join("\n"));
    assert_eq!(outputs(&kept), [[7, 5000, 1], [8, 5000, 80], [9, 5000, 90]]);
    assert!(told(&kept, "may belong to any of several"));
    // An end alone is a call that nobody names.
    let kept = read_text("a.jsonl", ended(&asked(7), 70));
    assert_eq!(
        (outputs(&kept), kept.only().model().as_str()),
        (vec![[7, 5000, 70]], "")
    );
}

/// A file that is read on in the middle of a stream.
#[test]
fn a_stream_of_claude_goes_on_where_its_file_was_read_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let begun = BEGUN.replace("ASKED", "1000") + "\n";
    std::fs::write(&path, &begun).unwrap();
    let mut kept = Kept::default();
    super::read_on(folder.path(), &["a.jsonl"], &mut kept);
    let ended = ENDED.replace("COUNTS", "").replace("OUT", "100") + "\n";
    std::fs::write(&path, begun + &ended).unwrap();
    super::read_on(folder.path(), &["a.jsonl"], &mut kept);
    let buckets = [Bucket::InputUncached, Bucket::Output];
    assert_eq!(tokens(&kept.only(), buckets), [1000, 100]);
    assert_eq!(kept.observed, 2);
}

#[test]
fn what_perplexitys_agents_looked_up_is_its_own() {
    let text = r#"{"id":"resp_p","object":"response","created_at":1792484104,"status":"completed","model":"openai/gpt-5.1","output":[{"type":"search_results"}],"usage":{"input_tokens":100,"output_tokens":10,"total_tokens":110,"cost":{"currency":"USD","total_cost":0.005225},"tool_calls_details":{"web_search":{"invocation":1},"fetch_url":{"invocation":2}}}}"#;
    let call = read_text("a.json", text).only();
    assert_eq!(call.provider().as_str(), "perplexity");
    assert_eq!((call.requests.web_searches, call.requests.web_fetches), (1, 2));
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.005225");
    assert!(!is_priced(&call), "another seller's price");
    // The tool has two names, of which both may stand there.
    let both = text.replace(r#""fetch_url""#, r#""search_web":{"invocation":3},"fetch_url""#);
    assert_eq!(read_text("a.json", both).only().requests.web_searches, 3);
    // A cost that is a number is another's; its own models search once.
    let other = text.replace(r#"{"currency":"USD","total_cost":0.005225}"#, "0.01");
    assert_eq!(read_text("a.json", other).only().provider().as_str(), "openrouter");
    let own = text
        .replace("openai/gpt-5.1", "sonar")
        .replace("\"invocation\":1", "\"invocation\":9");
    assert_eq!(read_text("a.json", own).only().requests.web_searches, 1);
}

#[test]
fn images_that_cohere_embedded_are_charged() {
    let body = |model: &str, billed: &str| {
        format!(
            r#"{{"id":"e1","embeddings":{{"float":[]}},"model":"{model}","created_at":"2026-11-01T00:00:00Z","meta":{{"billed_units":{{{billed}}}}}}}"#
        )
    };
    for (model, billed, expected) in [
        (
            "embed-v4.0",
            r#""images":2,"input_tokens":1000,"image_tokens":1000000"#,
            "0.47012",
        ),
        ("embed-v4.0", r#""images":2,"image_tokens":1000000"#, "0.47"),
        (
            "embed-v4.0",
            r#""input_tokens":1001000,"text_tokens":1000,"image_tokens":1000000"#,
            "0.47012",
        ),
        ("embed-v4.0", r#""input_tokens":1000"#, "0.00012"),
        ("embed-english-v3.0", r#""images":1000"#, "0.1"),
    ] {
        let kept = read_text("a.json", body(model, billed));
        assert_eq!(charged(&kept.only()), expected, "{billed}");
        assert!(!told(&kept, "without tokens"), "{billed}");
    }
    assert!(!is_priced(
        &read_text("a.json", body("embed-v4.0", r#""images":2"#)).only()
    ));
}

#[test]
fn searches_of_gemini_are_those_that_are_billed() {
    let body = |model: &str, queries: &str| {
        format!(
            r#"{{"responseId":"a","modelVersion":"{model}","createTime":"2026-10-20T00:00:00Z","candidates":[{{"finishReason":"STOP","groundingMetadata":{{"webSearchQueries":[{queries}]}}}}],"usageMetadata":{{"promptTokenCount":10,"candidatesTokenCount":10,"totalTokenCount":20}}}}"#
        )
    };
    for (model, queries, expected) in [
        (
            "gemini-3-flash-preview",
            r#""","best platforms",""," ","a vs b","a vs b""#,
            2,
        ),
        ("gemini-2.5-flash", r#""a","b","a""#, 1),
        ("gemini-2.5-flash", "\"\"", 0),
    ] {
        let call = read_text("a.json", body(model, queries)).only();
        assert_eq!(call.requests.web_searches, expected, "{model}");
    }
}

#[test]
fn pictures_and_films_of_xai_are_told_by_their_cost() {
    let text = r#"{"created":1792484104,"data":[{"url":"https://imgen.x.ai/x.jpg"}],"model":"grok-imagine-image","usage":{"cost_in_usd_ticks":700000000}}"#;
    let call = read_text("a.json", text).only();
    assert_eq!(call.provider().as_str(), "xai");
    assert_eq!(call.reported_cost.unwrap().to_string(), "0.07");
    assert!(!is_priced(&call));
}

/// Voyage AI tells nothing but the total, which is input.
#[test]
fn a_total_alone_is_the_input_of_embeddings_and_rankings() {
    let body = |model: &str, item: &str, usage: &str| {
        format!(r#"{{"object":"list","data":[{{{item}}}],"model":"{model}","usage":{{{usage}}}}}"#)
    };
    let total = r#""total_tokens":1000000"#;
    for (text, expected) in [
        (
            body("voyage-3-large", r#""object":"embedding","embedding":[0.1]"#, total),
            "0.18",
        ),
        (body("rerank-2.5", r#""relevance_score":0.4,"index":0"#, total), "0.05"),
        // Others tell it as the input, too.
        (
            body(
                "text-embedding-3-small",
                r#""object":"embedding""#,
                r#""prompt_tokens":1000000,"total_tokens":1000000"#,
            ),
            "0.02",
        ),
    ] {
        let kept = read_text("a.json", &text);
        assert_eq!(charged(&kept.only()), expected, "{text}");
        assert!(!told(&kept, "totals hold tokens"), "{:?}", kept.warnings);
    }
    // Of an answer it is not known how much of it was answered.
    let chat = r#"{"id":"c","object":"chat.completion","created":1792484104,"model":"gpt-4o","choices":[],"usage":{"total_tokens":100}}"#;
    assert_eq!(read_text("a.json", chat).only().tokens.total(), 0);
}

#[test]
fn decisions_have_a_tier_of_their_own() {
    let body = |kind: &str| {
        format!(
            r#"{{"answers":[{{"type":"{kind}","name":"spam"}}],"model":"gpt-6-luna","created_at":"2026-11-01T00:00:00Z","usage":{{"input_tokens":1000,"input_tokens_details":{{"cached_tokens":0}},"output_tokens":2000,"output_tokens_details":{{"reasoning_tokens":1900}},"total_tokens":3000}}}}"#
        )
    };
    let call = read_text("a.json", body("predicate")).only();
    assert_eq!((call.tier().as_str(), charged(&call).as_str()), ("decisions", "0.0001"));
    // What is null may be left out.
    for likely in [r#","probability":0.9"#, r#","choice":true,"probabilities":[]"#] {
        let unnamed = body("choice").replace(r#","name":"spam""#, likely);
        assert_eq!(read_text("a.json", unnamed).only().tier().as_str(), "decisions");
    }
    assert_eq!(read_text("a.json", body("text")).only().tier().as_str(), "");
    // Answers of somebody's own.
    for other in [
        body("refusal").replace(r#","name":"spam""#, ""),
        body("score").replace("gpt-6-luna", "claude-sonnet-4-6"),
    ] {
        assert_eq!(read_text("a.json", other).only().tier().as_str(), "");
    }
}

#[test]
fn signs_of_vertex_and_of_azure_tell_who_sold_a_call() {
    let gemini = |traffic: &str| {
        format!(
            r#"{{"responseId":"a","createTime":"2026-10-20T00:00:00Z","modelVersion":"gemini-2.5-flash","usageMetadata":{{"promptTokenCount":1000,"totalTokenCount":1000{traffic}}}}}"#
        )
    };
    let picture = |filtered: &str| {
        format!(
            r#"{{"created":1792484104,"data":[{{"b64_json":"x"{filtered}}}],"model":"gpt-image-1","usage":{{"input_tokens":50,"input_tokens_details":{{"image_tokens":0,"text_tokens":50}},"output_tokens":4160,"total_tokens":4210}}}}"#
        )
    };
    for (text, provider) in [
        (gemini(r#","trafficType":"PROVISIONED_THROUGHPUT""#), "vertex"),
        (gemini(r#","trafficType":"ON_DEMAND""#), "vertex"),
        (gemini(r#","trafficType":"TRAFFIC_TYPE_UNSPECIFIED""#), "google"),
        (gemini(r#","serviceTier":"standard""#), "google"),
        (
            picture(r#","content_filter_results":{"hate":{"filtered":false}}"#),
            "azure",
        ),
        (picture(""), "openai"),
    ] {
        let call = read_text("a.json", &text).only();
        assert_eq!(call.provider().as_str(), provider, "{text}");
    }
}

/// Gateways write 0 where they know no time, and logs have it under names of their own.
#[test]
fn the_time_of_a_call_is_the_best_that_stands_around_it() {
    let chat = |created: &str| {
        format!(
            r#"{{"id":"c1","object":"chat.completion","created":{created},"model":"gpt-4o","choices":[],"usage":{{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}}}"#
        )
    };
    let message = r#""id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1000,"output_tokens":100}"#;
    let at = "2026-10-31T10:00:00Z";
    for text in [
        format!(r#"{{"timestamp":"{at}","response":{}}}"#, chat("0")),
        format!(
            r#"{{"timestamp":"2026-11-02T00:00:00Z","response":{}}}"#,
            chat("1793440800")
        ),
        format!(r#"{{"@timestamp":"{at}","response":{{{message}}}}}"#),
        format!(r#"{{"datetime":"2026-10-31 10:00:00+00:00","response":{{{message}}}}}"#),
        format!(r#"{{"date":"{at}",{message}}}"#),
        format!(r#"{{"timestamp":"{at}","response":{{"date":"of birth",{message}}}}}"#),
        format!(r#"{{{message},"ResponseMetadata":{{"HTTPHeaders":{{"date":"Sat, 31 Oct 2026 10:00:00 GMT"}}}}}}"#),
        format!(r#"{{{message},"sdk_http_response":{{"headers":{{"Date":"Sat, 31 Oct 2026 10:00:00 GMT"}}}}}}"#),
        format!(
            r#"{{"time":"{at}","response":{{{message},"ResponseMetadata":{{"HTTPHeaders":{{"date":"Sat, 31 Oct 2026 10:00:09 GMT"}}}}}}}}"#
        ),
    ] {
        let kept = read_text("a.json", &text);
        assert_eq!(kept.only().at, time(at), "{text}");
        assert!(!told(&kept, "without a time"), "{text}");
    }
    for text in [chat("0"), format!(r#"{{"date":"of birth","HTTPHeaders":7,{message}}}"#)] {
        let kept = read_text("a.json", &text);
        assert!(told(&kept, "without a time"), "{text}");
        assert_eq!(kept.calls.len(), 1);
    }
    // A time that says something wrong is no reason to look for another.
    assert_eq!(read_text("a.json", chat("1")).rejected.len(), 1);
}

#[test]
fn sums_of_sessions_so_far_are_not_added_up() {
    let span = |n: u32| {
        format!(
            r#"{{"id":"sevt_{n}","type":"span.model_request_end","is_error":false,"model_usage":{{"cache_creation_input_tokens":100,"cache_read_input_tokens":1000,"input_tokens":10,"output_tokens":50}},"processed_at":"2026-10-20T00:00:0{n}Z"}}"#
        )
    };
    let usage = r#""usage":{"active_seconds":10,"cache_creation":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":0},"cache_read_input_tokens":2000,"input_tokens":20,"output_tokens":100}"#;
    let so_far = format!(r#"{{"id":"sevt_9","type":"session.usage","processed_at":"2026-10-20T00:00:02Z",{usage}}}"#);
    let kept = read_text("a.jsonl", [span(1), so_far.clone(), span(2), so_far].join("\n"));
    assert_eq!(kept.calls.len(), 2);
    assert_eq!(kept.totals(), [20, 2000, 200, 0, 100, 0]);
    assert!(told(&kept, "sums of what a session has used so far"));
    assert!(!told(&kept, "without a time"), "{:?}", kept.warnings);
    let session = format!(
        r#"{{"id":"sesn_1","type":"session","agent":{{"id":"agent_1","model":{{"id":"claude-sonnet-4-6","speed":"standard"}}}},"created_at":"2026-10-20T00:00:00Z","status":"idle",{usage}}}"#
    );
    let kept = read_text("a.jsonl", session);
    assert_eq!(kept.only().model().as_str(), "claude-sonnet-4-6");
    assert!(told(&kept, "sessions of agents"));
}

#[test]
fn a_turn_of_an_agent_counts_once_and_a_live_session_at_its_end() {
    let usage = r#""usage":{"input_tokens":1000,"input_tokens_details":{"cached_tokens":0},"output_tokens":100,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":1100}"#;
    let turn = format!(
        r#"{{"id":"turn_1","object":"agent.session.turn","created_at":1792484104,"status":"completed","session_id":"as_1",{usage}}}"#
    );
    let event = format!(
        r#"{{"type":"agent.session.turn.completed","event_id":"ev1","session_id":"as_1","turn_id":"turn_1","turn":{turn},{usage}}}"#
    );
    let kept = read_text("a.jsonl", [event, turn].join("\n"));
    assert_eq!((kept.only().tokens.total(), kept.observed), (1100, 2));
    let live = |n: u32| {
        format!(
            r#"{{"type":"session.usage.updated","event_id":"e{n}","timestamp":"2026-11-01T00:00:{n}Z","usage":{{"seconds":{n}.0}}}}"#
        )
    };
    let closed = r#"{"type":"session.closed","event_id":"e3","timestamp":"2026-11-01T00:00:21Z","session":{"id":"sess_1","model":"gpt-live-1"},"usage":{"seconds":21.0}}"#;
    let kept = read_text("a.jsonl", [live(10), live(20), closed.to_owned()].join("\n"));
    let call = kept.only();
    assert_eq!(
        (call.model().as_str(), call.extras.as_str()),
        ("gpt-live-1", "audio_in_second=21")
    );
}

/// Keys that programs of other formats write stand in many a log, too.
#[test]
fn an_answer_is_one_whatever_stands_around_it() {
    let answer = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1792484104,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}"#;
    for around in [
        r#""info":{"sessionID":"p","role":"user"}"#,
        r#""starting_at":"2026-10-20T10:00:00Z""#,
        r#""type":"session.usage","session_id":"s-1""#,
        r#""type":"message","parentId":"x","message":{"role":"assistant","content":"hi"}"#,
    ] {
        let kept = read_text("a.jsonl", format!("{{{around},\"response\":{answer}}}"));
        assert_eq!(
            tokens(&kept.only(), [Bucket::InputUncached, Bucket::Output]),
            [1000, 100],
            "{around}"
        );
        let usage =
            r#""ts":"2026-10-20T10:00:00Z","model":"gpt-4o","usage":{"prompt_tokens":1000,"completion_tokens":100}"#;
        if around.contains("info") || around.contains("session.usage") {
            let kept = read_text("a.jsonl", format!("{{{around},{usage}}}"));
            assert_eq!(
                tokens(&kept.only(), [Bucket::InputUncached, Bucket::Output]),
                [1000, 100],
                "{around}"
            );
        }
    }
    let begun = BEGUN.replace(
        r#""id":"msg_ID","type":"message","role":"assistant""#,
        r#""role":"assistant","id":"msg_1","type":"message""#,
    );
    let kept = read_text("a.jsonl", begun.replace("ASKED", "7"));
    assert_eq!(kept.only().model().as_str(), "claude-sonnet-4-5");
}
