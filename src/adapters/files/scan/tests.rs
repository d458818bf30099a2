//! The scan against the general parser.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const KEYS: Keys = Keys {
    object: 0,
    names: &["a", "b", "c", "d", "e", "f", "long"],
};

/// The members of a record, simple values only.
fn members(text: &str, shape: &mut Shape) -> Option<Vec<(Field, Option<Value>)>> {
    let mut seen = Vec::new();
    Scan::record(text, shape, &KEYS, |scan, field| {
        let value = match scan.byte() {
            b'[' | b'{' | b'-' => {
                scan.skip()?;
                None
            }
            _ => Some(match scan.scalar()? {
                Scalar::Null => Value::Null,
                Scalar::Text(text) => text.as_ref().into(),
                Scalar::Whole(n) => n.into(),
                Scalar::Bool(b) => b.into(),
                Scalar::Negative(_) | Scalar::Float(_) | Scalar::Other => return None,
            }),
        };
        seen.push((field, value));
        Some(())
    })?;
    Some(seen)
}

fn json(depth: u32) -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~é\n\"\\\\]{0,90}".prop_map(Value::from),
    ];
    leaf.prop_recursive(depth, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,12}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
    .boxed()
}

proptest! {
    #[test]
    fn what_it_reads_is_what_the_general_parser_reads(
        records in prop::collection::vec(prop::collection::btree_map("[a-h]|long", json(3), 0..6), 1..4),
        pretty in any::<bool>(),
    ) {
        let mut shape = Shape::default();
        for fields in records {
            let value = Value::Object(fields.into_iter().collect());
            let text =
                if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let Some(seen) = members(&text, &mut shape) else { continue };
            let object = value.as_object().unwrap();
            prop_assert_eq!(seen.len(), object.len());
            for (field, value) in seen {
                let key = KEYS.names.get(usize::from(field));
                if let (Some(key), Some(value)) = (key, value) {
                    prop_assert_eq!(Some(&value), object.get(*key));
                }
            }
        }
    }

    #[test]
    fn what_is_not_json_is_never_read(texts in prop::collection::vec("[{}\\[\\]:,\"a1 \\\\tn-]{0,24}", 1..4)) {
        let mut shape = Shape::default();
        for text in texts {
            if members(&text, &mut shape).is_some() {
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
            }
        }
    }
}

#[test]
fn common_records_are_read_and_odd_ones_are_left_alone() {
    let mut shape = Shape::default();
    let common = r#"{"a":"x", "b" : 12,"c":{"d":["\"}",{}],"e":1},"f":null,"long":"0123456789012345678901234567890123456789012345678901234567890123456789 é"}"#;
    for _ in 0..2 {
        let fields = members(common, &mut shape).map(|m| m.into_iter().map(|(f, _)| f).collect());
        assert_eq!(fields, Some(vec![0, 1, 2, 5, 6]));
    }
    let shorter = r#"{"a":"x","f":null,"z":1}"#;
    let fields = members(shorter, &mut shape).map(|m| m.into_iter().map(|(f, _)| f).collect());
    assert_eq!(fields, Some(vec![0, 5, UNKNOWN]));
    for odd in [
        r#"{"a":"\n"}"#,
        r#"{"a\n":1}"#,
        r#"{"a":1.5}"#,
        r#"{"a":01}"#,
        r#"{"a":1}x"#,
        r#"{"a":1"#,
        r#"{"a":"x"#,
        r#"{"a":nul}"#,
        r#"{"a":99999999999999999999}"#,
        "{\"a\":\"\u{1}\"}",
        "",
    ] {
        assert!(members(odd, &mut shape).is_none(), "{odd}");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(80), "]".repeat(80));
    assert!(members(&deep, &mut shape).is_none());
}
