//! Bodies that are recorded together.

use super::*;

/// Keeps what is handed over.
#[derive(Default)]
struct Kept {
    calls: Vec<UsageEvent>,
    bills: usize,
    rejected: Vec<String>,
}

impl Sink for Kept {
    fn usage(&mut self, events: &[UsageEvent]) -> Result<(), StoreError> {
        self.calls.extend_from_slice(events);
        Ok(())
    }
    fn bill(&mut self, _: Bill) -> Result<(), StoreError> {
        self.bills += 1;
        Ok(())
    }
    fn checkpoint(&mut self, _: &str, _: Checkpoint) -> Result<(), StoreError> {
        Ok(())
    }
    fn reject(&mut self, rejection: Rejection) {
        self.rejected.push(rejection.reason);
    }
    fn exclude(&mut self, _: &'static str, _: u64) {}
    fn warn(&mut self, _: &str, _: u64) {}
    fn progress(&mut self, _: Progress) {}
}

fn now() -> DateTime<Utc> {
    "2026-11-20T00:00:00Z".parse().unwrap()
}

fn post(kind: PostKind, bodies: Vec<Vec<u8>>) -> (Kept, Vec<Posted>) {
    let mut kept = Kept::default();
    let posts = bodies.into_iter().map(|body| Post { kind, body }).collect();
    let mut inbox = Inbox::new(Label::new("in"), Vec::new());
    let (mut source, outcome) = inbox.source(posts, now(), &Checkpoints::new());
    source.read(&Checkpoints::new(), &mut kept).unwrap();
    let outcome = std::mem::take(&mut *held(&outcome));
    (kept, outcome)
}

fn record(id: u32) -> String {
    format!(
        r#"{{"id":"e-{id}","ts":"2026-10-20T08:15:04Z","provider":"anthropic","model":"claude-sonnet-4-6","input_tokens":5}}"#
    )
}

/// A bill of so many days.
fn bill(days: u32) -> String {
    let names = "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName,ProviderName,EffectiveCost";
    let row = |day: u32| {
        format!(
            "30,1,USD,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,2026-11-{day:02}T00:00:00Z,2026-11-{:02}T00:00:00Z,Usage,Amazon Bedrock,AWS,30\n",
            day + 1
        )
    };
    format!("{names}\n{}", (1..=days).map(row).collect::<String>())
}

#[test]
fn a_body_that_cannot_be_read_is_refused_and_those_beside_it_count() {
    let whole = bill(3);
    let utf_16: Vec<u8> = record(9).encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (body, reason) in [
        ([b"\xFF\xFE".as_slice(), &utf_16].concat(), "it is UTF-16, "),
        ([b"\xFF\xFE\0\0".as_slice(), &utf_16].concat(), "it is UTF-16, "),
        (
            whole.as_bytes()[..whole.len() - 60].to_vec(),
            "it ends in the middle of a row",
        ),
        (
            format!("{whole}\"2,1,USD").into_bytes(),
            "it ends in the middle of a row",
        ),
    ] {
        let around = [record(1).into_bytes(), body, record(2).into_bytes()];
        let (kept, told) = post(PostKind::Records, around.to_vec());
        assert_eq!((kept.calls.len(), kept.bills), (2, 0), "{reason}");
        assert!(
            kept.rejected.iter().any(|told| told.starts_with(reason)),
            "{:?}",
            kept.rejected
        );
        let unreadable: Vec<bool> = told.iter().map(|one| one.unreadable).collect();
        assert_eq!(unreadable, [false, true, false]);
        let first = told[1].first.clone().unwrap();
        assert!(first.starts_with(reason), "{first}");
    }
    // What ends with a row is whole, whether or not a line end says so.
    for body in [whole.as_str(), whole.trim_end()] {
        let (kept, told) = post(PostKind::Records, vec![body.into()]);
        assert_eq!((kept.bills, told[0].rejected), (1, 0));
    }
}

#[test]
fn what_is_no_object_in_a_list_takes_nothing_behind_it_along() {
    let (one, two, three) = (record(1), record(2), record(3));
    for element in [
        "null",
        "5",
        "-0.5e3",
        "true",
        r#""x, \"{ y""#,
        "[]",
        "[null]",
        "NaN",
        "-Infinity",
    ] {
        let refused = u64::from(element != "[]");
        for list in [
            format!("[{one},{element},{two}, {element} ,{three}]"),
            format!("[\n{one},\n{element},\n{two},\n{element}\n,{three}\n]\n"),
            format!("[{element},{one},{two},{three},{element}]"),
        ] {
            let (kept, told) = post(PostKind::Records, vec![list.clone().into()]);
            assert_eq!(kept.calls.len(), 3, "{list}");
            assert_eq!(
                (told[0].accepted, told[0].rejected),
                (3, 2 * refused),
                "{list}: {told:?}"
            );
        }
    }
}

/// A chat of a service, with one more attribute; the JSON of it and its protobuf.
fn spans(texts: &[&[u8]], start: u64) -> Vec<u8> {
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut length = Vec::new();
        let mut rest = bytes.len();
        while rest >= 0x80 {
            length.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        length.push(rest as u8);
        [&[number << 3 | 2], &length[..], bytes].concat()
    }
    let pair = |key: &str, value: Vec<u8>| [field(1, key.as_bytes()), field(2, &value)].concat();
    let text = |key: &str, text: &[u8]| pair(key, field(1, text));
    let service = field(1, &field(1, &text("service.name", b"helpdesk")));
    let spans = texts.iter().enumerate().map(|(n, cut)| {
        let attributes = [
            text("gen_ai.operation.name", b"chat"),
            text("gen_ai.provider.name", b"openai"),
            text("gen_ai.request.model", b"gpt-4o"),
            pair("gen_ai.usage.input_tokens", vec![3 << 3, 7]),
            text("output.value", cut),
        ];
        let attributes: Vec<u8> = attributes.iter().flat_map(|pair| field(9, pair)).collect();
        let begun = [&[7 << 3 | 1], &start.to_le_bytes()[..]].concat();
        field(
            2,
            &[field(1, &[7; 16]), field(2, &[n as u8 + 1; 8]), begun, attributes].concat(),
        )
    });
    let spans: Vec<u8> = spans.flatten().collect();
    field(1, &[service, field(2, &spans)].concat())
}

const BEGUN: u64 = 1_792_484_104_250_000_000;

#[test]
fn a_text_that_is_cut_within_a_character_takes_no_span_along() {
    for cut in [b"XXYY\xe2\x82".as_slice(), b"\xff"] {
        for at in 0..3 {
            let mut texts = [b"whole".as_slice(); 3];
            texts[at] = cut;
            let (kept, told) = post(PostKind::ProtobufTraces, vec![spans(&texts, BEGUN)]);
            assert_eq!((kept.calls.len(), told[0].rejected), (3, 0), "{told:?}");
        }
    }
    let attribute = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{value}}}"#);
    let span = |id: u32, cut: &str| {
        let attributes = [
            attribute("gen_ai.operation.name", r#"{"stringValue":"chat"}"#),
            attribute("gen_ai.system", r#"{"stringValue":"openai"}"#),
            attribute("gen_ai.usage.input_tokens", r#"{"intValue":"7"}"#),
            attribute("gen_ai.agent.name", &format!(r#"{{"stringValue":"{cut}"}}"#)),
        ];
        format!(
            r#"{{"traceId":"aa","spanId":"b{id}","startTimeUnixNano":"{BEGUN}","attributes":[{}]}}"#,
            attributes.join(",")
        )
    };
    for cut in [br"What a day \ud83d".as_slice(), br"\ude00", b"\xf0\x9f"] {
        let request = format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{},{},{}]}}]}}]}}"#,
            span(1, "a"),
            span(2, "@"),
            span(3, r"\ud83d\ude00")
        );
        let request: Vec<u8> = request
            .bytes()
            .flat_map(|byte| if byte == b'@' { cut.to_vec() } else { vec![byte] })
            .collect();
        let (kept, told) = post(PostKind::JsonTraces, vec![request]);
        assert_eq!((kept.calls.len(), told[0].rejected), (3, 0), "{told:?}");
        let agents: Vec<&str> = kept
            .calls
            .iter()
            .map(|call| call.dimensions.get(Dimension::Agent).as_str())
            .collect();
        assert!(
            agents[1].ends_with('\u{fffd}') && agents[2] == "\u{1f600}",
            "{agents:?}"
        );
    }
}

#[test]
fn a_span_that_is_refused_is_told_with_its_id_and_its_service() {
    let ahead = BEGUN + 400 * 86_400 * 1_000_000_000;
    let (kept, told) = post(PostKind::ProtobufTraces, vec![spans(&[b"x"], ahead)]);
    let reason = "implausible time in the future, in span `0101010101010101` of service `helpdesk`";
    assert_eq!(kept.rejected, [reason]);
    assert_eq!(
        told[0].first.as_deref(),
        Some(format!("`startTimeUnixNano`: {reason}").as_str())
    );
}
