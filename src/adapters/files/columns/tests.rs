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
            &[("ts", "T"), ("units", "seconds * 1")],
            None,
            "`units` is text: it is one column",
        ),
        (
            &[("ts", "T"), ("status", "a - b")],
            None,
            "`status` is text: it is one column",
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

/// What is wrong with a header is wrong with each of a million rows: it is looked for once.
#[test]
fn the_columns_of_a_table_are_looked_for_once() {
    let fixed = [("provider", "openai"), ("model", "gpt-4o")];
    let columns = Columns::new(&map(&[("ts", "when"), ("input_tokens", "in")]), &map(&fixed), None).unwrap();
    let columns = std::sync::Arc::new(columns);
    let header = |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    let row = csv::StringRecord::from(vec!["2026-11-01T00:00:00Z", "5"]);
    let mut context = Context::new("2026-12-01T00:00:00Z".parse().unwrap());
    let mut out = Output::default();
    let mut right = Foreign::new(std::sync::Arc::clone(&columns));
    let mut wrong = Foreign::new(columns);
    for names in [["when", "in"], ["other", "names"]] {
        right.row(&header(&names), &row, 1, &mut context, &mut out).unwrap();
    }
    assert_eq!(out.events.len(), 2);
    for names in [["whne", "in"], ["when", "in"]] {
        let fault = wrong.row(&header(&names), &row, 1, &mut context, &mut out).unwrap_err();
        assert_eq!(fault.reason, "no such column, the nearest is `whne`");
    }
}
