//! Halves of characters in JSON: JavaScript cuts a text within a character that has two, and writes the first as an escape that no text may hold.

use memchr::memchr;

/// The same JSON with U+FFFD in place of each half that stands alone; nothing where none does.
pub(super) fn mended(json: &str) -> Option<String> {
    let mut mended = String::new();
    let (mut at, mut kept) = (0, 0);
    while let Some(found) = memchr(b'\\', json.as_bytes().get(at..).unwrap_or_default()) {
        let escape = at + found;
        at = match (unit(json, escape), unit(json, escape + LENGTH)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => escape + 2 * LENGTH,
            (Some(0xD800..=0xDFFF), _) => {
                mended.push_str(json.get(kept..escape).unwrap_or_default());
                mended.push_str("\\ufffd");
                kept = escape + LENGTH;
                kept
            }
            (Some(_), _) => escape + LENGTH,
            // Of one sign, which may be another backslash.
            (None, _) => escape + 2,
        };
    }
    (kept > 0).then(|| mended + json.get(kept..).unwrap_or_default())
}

/// How long an escape by number is.
const LENGTH: usize = "\\u0000".len();

/// What stands there as an escape by number.
fn unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + LENGTH)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_half_that_stands_alone_is_replaced_and_nothing_else() {
        for (json, expected) in [
            (r#""hi \ud83d""#, Some("hi \u{fffd}")),
            (
                r#""\udE00 \uD83D\uDE00\ud83d\ud83d\ude00""#,
                Some("\u{fffd} 😀\u{fffd}😀"),
            ),
            (r#""\ud83d\n\\ud83d""#, Some("\u{fffd}\n\\ud83d")),
            (r#""\ud83d\u00e9é""#, Some("\u{fffd}éé")),
            (r#""\\ud83d \u00e9 \ud83d\ude00""#, None),
            (r#""\é\ud8""#, None),
            (r#""\"#, None),
        ] {
            let text = mended(json).map(|json| serde_json::from_str::<String>(&json).unwrap());
            assert_eq!(text.as_deref(), expected, "{json}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_cut_within_a_character_can_be_read(units in prop::collection::vec(prop_oneof![0xD7FE_u16..0xE002, any::<u16>()], 0..20)) {
            let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let json = format!("\"{escaped}\"");
            let text: String = serde_json::from_str(&mended(&json).unwrap_or(json)).unwrap();
            prop_assert_eq!(text, String::from_utf16_lossy(&units));
        }
    }
}
