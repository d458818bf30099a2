//! Which tables hold each other's rows.

use proptest::prelude::*;

use super::*;

const HEADER: &str = "cost,day,who";

/// The names of those that are held, and of those in doubt.
fn told(files: &[(&str, String)]) -> (Vec<String>, Vec<(String, String)>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| folder.path().join(name)).collect();
    let alike = alike(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let doubts = alike.doubts.iter().map(|(a, b)| (name(a), name(b)));
    (alike.held.iter().map(name).collect(), doubts.collect())
}

fn table(header: &str, rows: &[String], end: &str) -> String {
    let lines = std::iter::once(header).chain(rows.iter().map(String::as_str));
    lines.map(|line| format!("{line}{end}")).collect()
}

#[test]
fn a_table_whose_rows_another_one_has_is_held_however_they_are_written() {
    let all: Vec<String> = (1..=40).map(|day| format!("{day}.25,2026-11-{day},a")).collect();
    let five = table(HEADER, &all[..5], "\n");
    let mut reversed = all.clone();
    reversed.reverse();
    let wider: Vec<String> = reversed.iter().map(|row| format!("x,{row}")).collect();
    let quoted: Vec<String> = reversed
        .iter()
        .map(|row| format!("\"{}\"", row.replace(',', "\",\"")))
        .collect();
    for newer in [
        table(HEADER, &reversed, "\n"),
        table(HEADER, &all, "\r\n"),
        table(HEADER, &quoted, "\n"),
        format!("\u{feff}{}", table("Cost,Day,Who", &reversed, "\r\n")),
    ] {
        for names in [["a", "b"], ["b", "a"]] {
            let [old, new] = names;
            let found = told(&[(old, five.clone()), (new, newer.clone())]);
            assert_eq!(found, (vec![old.to_owned()], Vec::new()), "{newer}");
        }
    }
    // The same rows: one of them counts. With one more column nobody can know: it may say whose the rows are.
    let wide = table(&format!("more,{HEADER}"), &wider, "\n");
    let same = [
        ("a", table(HEADER, &all, "\n")),
        ("b", wide),
        ("c", five),
        ("d", table(HEADER, &reversed, "\n")),
    ];
    let doubt = vec![("a".to_owned(), "b".to_owned())];
    assert_eq!(told(&same), (vec!["c".to_owned(), "d".to_owned()], doubt));
    // The same columns in another order.
    let turned: Vec<String> = all
        .iter()
        .map(|row| row.split(',').rev().collect::<Vec<_>>().join(","))
        .collect();
    let same = [
        ("a", table(HEADER, &all[..9], "\n")),
        ("b", table("who,day,cost", &turned, "\n")),
    ];
    assert_eq!(told(&same).0, ["a"]);
}

#[test]
fn parts_are_none_of_another_and_what_nobody_can_know_is_told() {
    let row = |day: u32, who: &str| format!("20,2026-11-{day},{who}");
    let doubt = vec![("a".to_owned(), "b".to_owned())];
    let month = |who: &str| {
        (1..=9)
            .map(|day| row(day, if day > 6 { who } else { "x" }))
            .collect::<Vec<_>>()
    };
    let corrected = [
        ("a", table(HEADER, &month("y"), "\n")),
        ("b", table(HEADER, &month("z"), "\n")),
    ];
    assert_eq!(told(&corrected), (Vec::new(), doubt));
    // Some rows are alike: nothing is told.
    let some = |who: &str| {
        (1..=9)
            .map(|day| row(day, if day > 2 { who } else { "x" }))
            .collect::<Vec<_>>()
    };
    let some = [
        ("a", table(HEADER, &some("y"), "\n")),
        ("b", table(HEADER, &some("z"), "\n")),
    ];
    assert_eq!(told(&some), (Vec::new(), Vec::new()));
    let other = [
        ("a", table(HEADER, &month("y"), "\n")),
        ("b", "{\"cost\":1}\n".to_owned()),
    ];
    assert_eq!(told(&other), (Vec::new(), Vec::new()));
}

#[test]
fn what_is_equal_by_nature_is_no_evidence() {
    let none = (Vec::new(), Vec::new());
    let rows = |times: usize| {
        (0..48)
            .flat_map(|hour| vec![format!("1.5,2026-11-01T{hour},x"); times])
            .collect::<Vec<_>>()
    };
    // As many seats of one price, of two teams; and the last rows of an export that has each twice.
    let (five, three, two) = (rows(5), rows(3), rows(2));
    for (one, other) in [
        (&five[..], &three[..]),
        (&two[..95], &two[95..]),
        (&two[..93], &two[93..]),
    ] {
        for (a, b) in [(one, other), (other, one)] {
            let files = [("a", table(HEADER, a, "\n")), ("b", table(HEADER, b, "\n"))];
            assert_eq!(told(&files), none);
        }
    }
    // Parts of an export that has each row four times, in no order.
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    for (at, row) in rows(4).into_iter().enumerate() {
        parts[at * 7 % 11 % 3].push(row);
    }
    let [a, b, c] = parts.map(|rows| table(HEADER, &rows, "\n"));
    assert_eq!(told(&[("a", a), ("b", b), ("c", c)]), none);
    // Rows of nothing beside one of their own.
    let free = |own: &str| {
        let rows = (1..=20).map(|day| format!("{},2026-11-{day},x", ["0", "0.00", "0E-9", ""][day % 4]));
        rows.chain([own.to_owned()]).collect::<Vec<_>>()
    };
    let files = ["5,2026-11-01,y", "7,2026-11-01,z"].map(|own| table(HEADER, &free(own), "\n"));
    let [a, b] = files;
    assert_eq!(told(&[("a", a), ("b", b)]), none);
}

#[test]
fn what_is_held_is_found_among_many_that_are_only_alike() {
    let day = |restated: usize| {
        let rows = (0..30).map(|at| format!("{}.5,2026-11-{at},{}", at + 1, if at % 3 == 0 { restated } else { 0 }));
        rows.collect::<Vec<_>>()
    };
    let mut files: Vec<(String, String)> = (10..35)
        .map(|at| (format!("d{at}"), table(HEADER, &day(at), "\n")))
        .collect();
    let mut last = day(34);
    last.reverse();
    files.push(("e".to_owned(), table(HEADER, &last, "\n")));
    let files: Vec<(&str, String)> = files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let (held, doubts) = told(&files);
    assert_eq!(held, ["e"]);
    assert_eq!(doubts.len(), PAIRS);
}

proptest! {
    /// An export that is cut into files by row is added up, a bill that is downloaded again is not.
    #[test]
    fn parts_of_an_export_are_added_up_and_a_later_download_replaces(
        order in Just((0..120_usize).collect::<Vec<_>>()).prop_shuffle(),
        cuts in prop::collection::btree_set(1..119_usize, 0..5),
        known in 1..120_usize,
    ) {
        let row = |at: usize| format!("{}.5,2026-11-{},{at}", at % 7, at % 30);
        let rows: Vec<String> = order.iter().map(|at| row(*at)).collect();
        let bounds: Vec<usize> = std::iter::once(0).chain(cuts).chain([rows.len()]).collect();
        let mut files: Vec<(String, String)> = bounds
            .windows(2)
            .map(|cut| (format!("part{}", cut[0]), table(HEADER, &rows[cut[0]..cut[1]], "\n")))
            .collect();
        let found = |files: &[(String, String)]| {
            told(&files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect::<Vec<_>>())
        };
        prop_assert_eq!(found(&files), (Vec::new(), Vec::new()));
        // The month so far, in its own order, beside the whole one.
        let so_far: Vec<String> = (0..known).map(row).collect();
        files = vec![("so-far".to_owned(), table(HEADER, &so_far, "\r\n")), ("whole".to_owned(), table(HEADER, &rows, "\n"))];
        prop_assert_eq!(found(&files), (vec!["so-far".to_owned()], Vec::new()));
    }
}
