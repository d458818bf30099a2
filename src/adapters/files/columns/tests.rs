//! Settings of foreign columns.

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(field, text)| ((*field).to_owned(), (*text).to_owned()))
        .collect()
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let fixed = [("provider", "openai"), ("model", "gpt-4o")];
    let refused = |columns: &[(&str, &str)], start: Option<&str>| {
        Columns::new(&map(columns), &map(&fixed), start.map(|at| at.parse().unwrap())).unwrap_err()
    };
    for (columns, start, expected) in [
        (
            &[("ts", "T"), ("input_token", "I")][..],
            None,
            "`input_token` is no field of the plain format, the nearest is `input_tokens`",
        ),
        (&[("input_tokens", "I")], None, "neither a column nor a value for `ts`"),
        (
            &[("ts", "T"), ("team", "a * b")],
            None,
            "`team` is text: it is one column",
        ),
        (
            &[("ts", "T"), ("output_tokens", "a * ")],
            None,
            "`a * ` is neither a column nor a product or difference of columns and numbers",
        ),
        (
            &[("ts", "T"), ("user", "a - b")],
            None,
            "`user` is text: it is one column",
        ),
        (
            &[("ts", "T"), ("model", "M")],
            None,
            "`model` has both a column and a value",
        ),
    ] {
        assert_eq!(refused(columns, start), expected);
    }
    let fixed = [("provider", "openai"), ("model", "gpt-4o"), ("ts", "2026-10-01")];
    let start = Some("2026-10-01T00:00:00Z".parse().unwrap());
    assert!(Columns::new(&BTreeMap::new(), &map(&fixed), start).is_err());
    assert!(Columns::new(&BTreeMap::new(), &map(&fixed), None).is_ok());
}
