//! The scan against the general parser.

use proptest::prelude::*;
use serde_json::Value;

use super::super::value::Value as Found;
use super::{Forms, Keys, Want, read};

static INNER: Keys = Keys {
    wanted: &[("a", Want::Slot(4)), ("raw", Want::Raw(5))],
    others: |_| true,
};
static KEYS: Keys = Keys {
    wanted: &[
        ("a", Want::Slot(0)),
        ("b", Want::Slot(1)),
        ("c", Want::Slot(2)),
        ("raw", Want::Raw(3)),
        ("in", Want::Object(&INNER)),
        ("leave", Want::Leave),
    ],
    others: |key| key != "never",
};

/// What each slot is the value of.
const PATHS: [&[&str]; 6] = [&["a"], &["b"], &["c"], &["raw"], &["in", "a"], &["in", "raw"]];

fn values(text: &str, forms: &mut Forms) -> Option<Vec<Value>> {
    let mut values = vec![Found::Null; PATHS.len()];
    read(text, &KEYS, forms, &mut values)?;
    Some(as_json(&values))
}

fn as_json(values: &[Found<'_>]) -> Vec<Value> {
    let raw = |slot| slot == 3 || slot == 5;
    values
        .iter()
        .enumerate()
        .map(|(slot, value)| match value {
            Found::Null => Value::Null,
            Found::Text(text) if raw(slot) => serde_json::from_str(text).unwrap(),
            Found::Text(text) => (*text).into(),
            Found::Whole(n) => (*n).into(),
            Found::Bool(b) => (*b).into(),
            Found::Negative(_) | Found::Float(_) | Found::Other => panic!("no scan reads these"),
        })
        .collect()
}

fn json(depth: u32) -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..200_u64).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
        "[ -~é\n\"\\\\]{0,90}".prop_map(Value::from),
    ];
    leaf.prop_recursive(depth, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("a|raw|x", inner, 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
    .boxed()
}

proptest! {
    /// Records of few forms with many values, so that forms are learned, met again and given up.
    #[test]
    fn what_it_reads_is_what_the_general_parser_reads(
        records in prop::collection::vec(prop::collection::btree_map("a|b|c|raw|in|x|y", json(2), 0..5), 1..12),
        pretty in any::<bool>(),
    ) {
        let mut forms = Forms::default();
        for fields in records {
            let record = Value::Object(fields.into_iter().collect());
            let text =
                if pretty { serde_json::to_string_pretty(&record) } else { serde_json::to_string(&record) }.unwrap();
            let Some(seen) = values(&text, &mut forms) else { continue };
            for (path, value) in PATHS.iter().zip(seen) {
                let expected = path.iter().try_fold(&record, |at, key| at.get(key)).unwrap_or(&Value::Null);
                prop_assert_eq!(&value, expected, "{}", text);
            }
        }
    }

    #[test]
    fn what_is_not_json_is_never_read(texts in prop::collection::vec("[{}\\[\\]:,\"a1 \\\\tn-]{0,24}", 1..6)) {
        let mut forms = Forms::default();
        for text in texts {
            if values(&text, &mut forms).is_some() {
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
            }
        }
    }

    /// Where a line ends is seen while it is read, whatever is broken in it, and it is read as it is without those behind it.
    #[test]
    fn the_first_line_of_a_text_is_read_as_it_is_alone(
        records in prop::collection::vec(("[a-c]{0,3}|[a-zé]{70}", 0..2_000_u64, "[ -~]{0,3}", prop::option::of(json(1))), 1..40),
        damage in prop::collection::vec((any::<prop::sample::Index>(), "[\n\r\\\\\", 1}]"), 0..3),
        crlf in any::<bool>(),
    ) {
        let line = |(b, a, skipped, other): &(String, u64, String, Option<Value>)| {
            let other = other.as_ref().map(|other| format!(",\"z\":{other}")).unwrap_or_default();
            format!(r#"{{"y":{},"a":{a},"x":[{{"q":1, "w":{}}}],"b":"{b}","c":null{other}}}"#, Value::from(skipped.as_str()), Value::from(b.as_str()))
        };
        let end = if crlf { "\r\n" } else { "\n" };
        let mut text = records.iter().map(|record| line(record) + end).collect::<String>();
        for (at, byte) in damage {
            let at = at.index(text.len() - 2);
            if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
                text.replace_range(at..=at, &byte);
            }
        }
        let (mut together, mut alone) = (Forms::default(), Forms::default());
        let (mut found, mut given) = (vec![Found::Null; PATHS.len()], false);
        let mut rest = text.as_str();
        while let Some((line, behind)) = rest.split_once('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line);
            let expected = values(line, &mut alone);
            match together.read_line(rest, &mut found, &mut given) {
                Some(length) => {
                    prop_assert_eq!(length, line.len());
                    prop_assert_eq!(Some(as_json(&found)), expected, "{}", line);
                }
                None => {
                    values(line, &mut together);
                    given = false;
                }
            }
            rest = behind;
        }
    }

    /// A good record that is cut or changed somewhere is read as what it then is, or not at all.
    #[test]
    fn a_damaged_record_of_a_known_form_is_not_taken_for_a_good_one(place in 0..60_usize, byte in "[{}\\[\\]:,\"x1 \\\\]", cut in any::<bool>()) {
        let good = r#"{"a":"x1","b":12,"y":[1,"z"],"in":{"a":true,"raw":[{}]},"c":"end"}"#;
        let mut forms = Forms::default();
        prop_assert!(values(good, &mut forms).is_some());
        prop_assert!(values(good, &mut forms).is_some());
        let mut bad = good.to_owned();
        if cut { bad.truncate(place) } else { bad.replace_range(place..=place, &byte) }
        let seen = values(&bad, &mut forms);
        match serde_json::from_str::<Value>(&bad) {
            Ok(record) => if let Some(seen) = seen {
                for (path, value) in PATHS.iter().zip(seen) {
                    let expected = path.iter().try_fold(&record, |at, key| at.get(key)).unwrap_or(&Value::Null);
                    prop_assert_eq!(&value, expected, "{}", &bad);
                }
            },
            Err(_) => prop_assert!(seen.is_none(), "{}", &bad),
        }
    }
}

#[test]
fn records_of_one_form_are_read_by_it() {
    let mut forms = Forms::default();
    let record = |a: u32, y: &str| format!(r#"{{"y":"{y}", "a" : {a},"in":{{"a":null,"x":[1]}},"b":"é"}}"#);
    for (a, y) in [(1, "p"), (2, "p"), (3, "\\n"), (44, "rather long")] {
        let text = record(a, y);
        let seen = values(&text, &mut forms);
        assert_eq!(seen.map(|v| (v[0].clone(), v[1].clone())), Some((a.into(), "é".into())));
    }
    let text = record(5, "another one");
    let mut read = vec![Found::Null; PATHS.len()];
    assert!(forms.read(&text, &mut read).is_some());
    assert!(forms.read(r#"{"a":5}"#, &mut read).is_none());
}

/// Line ends in texts and between values are none of a line.
#[test]
fn a_form_that_spans_lines_reads_no_line() {
    let mut forms = Forms::default();
    for text in [
        "{\"a\":1,\n\"b\":2}",
        "{\"a\":1,\"x\":\"\n\"}",
        "{\"a\":1,\"y\":[\n]}",
        "{\"a\":1,\"b\":2}",
    ] {
        assert!(values(text, &mut forms).is_some() && values(text, &mut forms).is_some());
        let lines = format!("{text}\n{text}\n");
        let mut read = vec![Found::Null; PATHS.len()];
        let length = forms.read_line(&lines, &mut read, &mut false);
        assert_eq!(length, (!text.contains('\n')).then_some(text.len()), "{text}");
    }
}

#[test]
fn an_object_where_none_was_before_is_looked_into() {
    let mut forms = Forms::default();
    assert!(values(r#"{"in":null}"#, &mut forms).is_some());
    for (record, expected) in [
        (r#"{"in":{"a":false}}"#, false.into()),
        (r#"{"in":null}"#, Value::Null),
        (r#"{"in":{"a":true}}"#, true.into()),
    ] {
        let seen = values(record, &mut forms).unwrap();
        let of = PATHS.iter().position(|path| *path == ["in", "a"]).unwrap();
        assert_eq!(seen[of], expected, "{record}");
    }
}

#[test]
fn odd_records_are_left_to_the_general_parser() {
    let mut forms = Forms::default();
    for odd in [
        r#"{"a":"\n"}"#,
        r#"{"a\n":1}"#,
        r#"{"a":1.5}"#,
        r#"{"a":01}"#,
        r#"{"x":01}"#,
        r#"{"a":1}x"#,
        r#"{"a":1"#,
        r#"{"a":"x"#,
        r#"{"a":nul}"#,
        r#"{"a":99999999999999999999}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"in":1}"#,
        r#"{"leave":1}"#,
        r#"{"never":1}"#,
        "{\"a\":\"\u{1}\"}",
        "",
    ] {
        assert!(values(odd, &mut forms).is_none(), "{odd}");
    }
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(80), "]".repeat(80));
    assert!(values(&deep, &mut forms).is_none());
}
