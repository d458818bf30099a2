//! FOCUS bills.

use finops::adapters::files::FileFormat;
use finops::domain::dimension::Dimension;
use finops::domain::focus::CATEGORIES;
use finops::domain::money::{add_exact, parse_decimal};
use finops::domain::spend::{Basis, Bill};
use finops::ports::UsageSource;
use rust_decimal::Decimal;

use super::{Kept, read_on, read_text, source};

const HEADER: &str = "BilledCost,EffectiveCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargePeriodStart,ProviderName,ServiceName,SubAccountId,Tags\r\n";

fn row(billed: &str, effective: &str, account: &str, at: &str, tags: &str) -> String {
    format!(
        "{billed},{effective},{account},USD,2024-09-01 00:00:00,2024-10-01T00:00:00Z,Usage,{at},AWS,\"Amazon S3, EU\",NULL,{tags}\r\n"
    )
}

fn total(bill: &Bill, basis: Basis) -> Decimal {
    let of_basis = bill.rows.iter().filter(|(key, _)| key.basis == basis);
    of_basis.fold(Decimal::ZERO, |sum, (_, row)| add_exact(sum, row.cost).unwrap())
}

#[test]
fn rows_become_one_bill_per_account_and_period() {
    let tags = r#""{""user_team"": ""search"", ""env"": ""dev""}""#;
    let text = format!("\u{feff}{HEADER}")
        + &row("0.10", "0.20", "a-1", "2024-09-18 22:00:00", tags)
        + &row("0.01", "0.02", "a-1", "2024-09-18T22:00:00Z", tags)
        + &row("-0.05", "0", "a-1", "2024-09-19", "null")
        + &row("1e-7", "1e-7", "a-2", "2024-09-19", "")
        + &row("much", "0", "a-1", "2024-09-19", "")
        + &row("1", "", "a-1", "2024-09-19", "");
    let kept = read_text("bill.csv", text);
    let faults: Vec<_> = kept.rejected.iter().map(|r| (r.line, r.field.as_deref())).collect();
    assert_eq!(faults, [(6, Some("BilledCost")), (7, Some("EffectiveCost"))]);
    let [first, second] = kept.bills.as_slice() else {
        panic!("{:?}", kept.bills)
    };
    assert_eq!(
        (first.identity.as_str(), first.rows.len()),
        ("test/aws/a-1/2024-09-01", 4)
    );
    assert_eq!(second.identity, "test/aws/a-2/2024-09-01");
    assert_eq!(total(first, Basis::Billed), parse_decimal("0.06").unwrap());
    assert_eq!(total(first, Basis::Effective), parse_decimal("0.22").unwrap());
    let (key, sums) = first.rows.iter().next().unwrap();
    let names = [
        "aws",
        "",
        "Amazon S3, EU",
        "a-1",
        "search",
        "",
        "",
        "",
        "",
        "test",
        "",
        "Usage",
    ];
    assert!(
        Dimension::ALL
            .iter()
            .zip(names)
            .all(|(d, n)| key.dimensions.get(*d).as_str() == n)
    );
    assert_eq!(
        (sums.events, key.hour.start()),
        (2, super::time("2024-09-18T22:00:00Z"))
    );
}

#[test]
fn tags_may_be_a_list_of_keys_and_values() {
    let tags = r#""[{""key"":""team"",""value"":""ads"",""inherited"":false},{""key"":""project"",""value"":null}]""#;
    let rows = row("1", "1", "a", "2024-09-18", tags) + &row("2", "2", "a", "2024-09-18", r#""[{""team"":""ads""}]""#);
    let kept = read_text("bill.csv", HEADER.to_owned() + &rows);
    let (key, _) = kept.bills[0].rows.iter().next().unwrap();
    assert_eq!(key.dimensions.get(Dimension::Team).as_str(), "ads");
    assert_eq!(
        (kept.rejected[0].line, kept.rejected[0].field.as_deref()),
        (3, Some("Tags"))
    );
}

#[test]
fn a_quantity_that_is_a_double_counts_its_tokens() {
    let header = HEADER.replace("Tags", "ConsumedQuantity,ConsumedUnit,SkuMeter");
    let counted = |quantity: &str, unit: &str| {
        row(
            "1",
            "1",
            "a-1",
            "2024-09-18",
            &format!("{quantity},{unit},input tokens"),
        )
    };
    let text = header
        + &counted("1234.001", "1K tokens")
        + &counted("1234.0010000000002", "1K tokens")
        + &counted("0.30000000000000004", "1K tokens")
        + &counted("7", "100 Tokens");
    let kept = read_text("bill.csv", text);
    assert_eq!(kept.rejected, []);
    let tokens: Vec<i128> = kept.bills[0].rows.iter().map(|(_, sums)| sums.tokens.total()).collect();
    assert_eq!(tokens, [2_468_002 + 300 + 700; 2]);
}

#[test]
fn times_that_are_of_no_bill_are_refused_and_those_beside_them_count() {
    let row = |cost: &str, start: &str, end: &str, at: &str| {
        format!("{cost},{cost},a,USD,{start},{end},Usage,{at},AWS,S3,,\r\n")
    };
    let (start, end) = ("2024-09-01T00:00:00Z", "2024-10-01T00:00:00Z");
    let text = HEADER.to_owned()
        + &row("1", start, end, "2024-09-18")
        + &row("1000", start, end, "-1")
        + &row("1000", start, end, "9999-12-31T00:00:00Z")
        + &row("1000", start, end, "2042-09-18")
        + &row("1000", "-1", end, "2024-09-18")
        + &row("1000", "2042-09-01", "2042-10-01", "2042-09-18")
        + &row("1000", start, "9999-12-31", "2024-09-18")
        + &row("1000", start, "2024-08-01", "2024-09-18")
        // Corrected late, bought ahead, and with a period of a day that is told by its last one.
        + &row("2", start, end, "2021-07-01")
        + &row("4", start, end, "2027-09-01")
        + &row("8", start, start, "2024-09-18");
    // Quoted in an unusual way each value goes through the full parser.
    for text in [text.clone(), text.replace("USD", "\"U\"SD")] {
        let kept = read_text("bill.csv", text);
        let faults: Vec<_> = kept.rejected.iter().map(|r| (r.line, r.field.as_deref())).collect();
        let [charged, from, to] = ["ChargePeriodStart", "BillingPeriodStart", "BillingPeriodEnd"].map(Some);
        let fields = [charged, charged, charged, from, from, to, to];
        assert_eq!(faults, (3..).zip(fields).collect::<Vec<_>>());
        assert_eq!(
            kept.rejected[0].reason,
            "implausible time, years away from the billing period"
        );
        assert_eq!(kept.bills.len(), 1);
        assert_eq!(total(&kept.bills[0], Basis::Billed), Decimal::from(15));
    }
}

#[test]
fn a_cost_that_no_row_has_takes_the_others_not_with_it() {
    let text = HEADER.to_owned()
        + &row("1", "1", "a", "2024-09-18", "")
        + &row("1e28", "1", "a", "2024-09-19", "")
        + &row("1", "-1000000000000", "a", "2024-09-19", "")
        + &row("0.000000000000000001", "999999999", "a", "2024-09-19", "")
        + &row("100", "1", "a", "2024-09-19", "");
    let kept = read_text("bill.csv", text);
    let faults: Vec<_> = kept.rejected.iter().map(|r| (r.line, r.field.as_deref())).collect();
    assert_eq!(faults, [(3, Some("BilledCost")), (4, Some("EffectiveCost"))]);
    assert_eq!(
        kept.rejected[0].reason,
        "1000000000000 or more, which is no amount of a bill"
    );
    let bill = &kept.bills[0];
    assert_eq!(total(bill, Basis::Billed).to_string(), "101.000000000000000001");
    assert_eq!(total(bill, Basis::Effective), Decimal::from(1_000_000_001));
}

#[test]
fn a_quantity_that_cannot_be_read_is_told_once_and_what_it_costs_counts() {
    let header = HEADER.replace(
        "Tags",
        "ConsumedQuantity,ConsumedUnit,SkuMeter,PricingQuantity,PricingUnit",
    );
    let counted = |columns: &str| row("1", "1", "a-1", "2024-09-18", columns);
    let rows = [
        "2,1K tokens,input tokens,,",
        "abc,1K tokens,input tokens,,",
        "1e400,1K tokens,input tokens,x,Tokens",
        // None, counted by another, of no kind that is known, and of what is no use.
        ",1K tokens,input tokens,,",
        "NULL,1K tokens,input tokens,,",
        "abc,1K tokens,input tokens,5,Tokens",
        "abc,1K tokens,web searches,,",
        "abc,Hours,input tokens,,",
    ];
    let credit = counted("abc,1K tokens,input tokens,,").replace(",Usage,", ",Credit,");
    let text = header + &rows.map(counted).concat() + &credit + counted("NaN,Tokens,output,,").trim_end();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bill.csv"), text).unwrap();
    let mut kept = Kept::default();
    for _ in 0..2 {
        read_on(folder.path(), &["."], &mut kept);
        let faults: Vec<_> = kept.rejected.iter().map(|r| (r.line, r.field.as_deref())).collect();
        assert_eq!(faults, [3, 4, 11].map(|line| (line, Some("ConsumedQuantity"))));
        assert_eq!(kept.progress.unknown_costs, 0, "costs are known");
    }
    assert_eq!(kept.rejected[0].reason, "`abc` is not a decimal number");
    assert_eq!(kept.bills.len(), 1);
    let of_basis = kept.bills[0].rows.iter().filter(|(key, _)| key.basis == Basis::Billed);
    let (cost, tokens) = of_basis.fold((Decimal::ZERO, 0), |(cost, tokens), (_, sums)| {
        (cost + sums.cost, tokens + sums.tokens.total())
    });
    assert_eq!((cost, tokens), (Decimal::from(10), 2_005));
}

#[test]
fn names_of_columns_may_be_written_in_any_case() {
    let text = |header: &str| header.to_owned() + &row("0.10", "0.20", "a-1", "2024-09-18", r#""{""team"":""x""}""#);
    let expected = read_text("bill.csv", text(HEADER)).bills;
    assert_eq!(expected.len(), 1);
    for header in [HEADER.to_lowercase(), HEADER.to_uppercase()] {
        let kept = read_text("bill.csv", text(&header));
        assert_eq!(
            (kept.rejected.as_slice(), kept.bills),
            (&[][..], expected.clone()),
            "{header}"
        );
    }
    // Which of the two counts, nobody knows.
    let twice = HEADER.replace("EffectiveCost", "billedcost");
    let kept = read_text("bill.csv", text(&twice));
    assert_eq!(kept.rejected[0].reason, "given twice");
}

#[test]
fn a_row_of_no_category_is_refused_since_no_budget_would_count_it() {
    let rows = |category: &str| row("1", "1", "a", "2024-09-18", "").replace(",Usage,", &format!(",{category},"));
    for category in ["Usage", "usage", "Purchase", "TAX", "Credit", "Adjustment"] {
        let kept = read_text("bill.csv", format!("{HEADER}{}", rows(category)));
        assert_eq!((kept.rejected.len(), kept.bills.len()), (0, 1), "{category}");
        // Reports have one row for one category.
        let (key, _) = kept.bills[0].rows.iter().next().unwrap();
        let told = key.dimensions.get(Dimension::Category);
        assert!(
            told.as_str().eq_ignore_ascii_case(category) && CATEGORIES.contains(&told.as_str()),
            "{told}"
        );
    }
    let none = "none of Usage, Purchase, Tax, Credit and Adjustment";
    for (category, reason) in [
        ("", "missing"),
        ("NULL", "missing"),
        ("Verbrauch", none),
        ("Total", none),
    ] {
        // The one before it is known, and so is what it shares with the others.
        let text = format!("{HEADER}{}{}{}", rows("Usage"), rows(category), rows(category));
        let kept = read_text("bill.csv", text);
        let told: Vec<_> = kept
            .rejected
            .iter()
            .map(|r| (r.line, r.field.as_deref(), r.reason.as_str()))
            .collect();
        let field = Some("ChargeCategory");
        assert_eq!(told, [(3, field, reason), (4, field, reason)], "{category}");
        assert_eq!(total(&kept.bills[0], Basis::Billed), Decimal::ONE);
    }
    let without = HEADER.replace("ChargeCategory,", "") + &rows("Usage").replace(",Usage,", ",");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bill.csv"), without).unwrap();
    let mut kept = Kept::default();
    let mut as_focus = source(folder.path(), Some(FileFormat::Focus), &["bill.csv"]);
    as_focus.read(&kept.checkpoints.clone(), &mut kept).unwrap();
    assert_eq!(kept.rejected[0].field.as_deref(), Some("ChargeCategory"));
}

#[test]
fn a_bill_in_several_files_is_replaced_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: &str| std::fs::write(folder.path().join(name), format!("{HEADER}{rows}")).unwrap();
    write("1.csv", &row("1", "1", "a", "2024-09-18", ""));
    write("2.csv", &row("2", "2", "a", "2024-09-19", ""));
    let mut kept = Kept::default();
    read_on(folder.path(), &["."], &mut kept);
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(kept.bills.len(), 1, "nothing new, nothing told");
    write(
        "2.csv",
        &(row("2", "2", "a", "2024-09-19", "") + &row("3", "3", "a", "2024-09-20", "")),
    );
    read_on(folder.path(), &["."], &mut kept);
    let totals: Vec<String> = kept.bills.iter().map(|b| total(b, Basis::Billed).to_string()).collect();
    assert_eq!(totals, ["3", "6"]);
}

#[test]
fn a_bill_that_is_cut_off_does_not_replace_a_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("bill.csv"), text).unwrap();
    let whole = HEADER.to_owned() + &row("1", "1", "a", "2024-09-18", "") + &row("2", "2", "a", "2024-09-19", "");
    // Each value quoted in an unusual way goes through the full parser.
    for whole in [whole.clone(), whole.replace("USD", "\"U\"SD")] {
        for cut in [40, 90] {
            let mut kept = Kept::default();
            write(&whole[..whole.len() - cut]);
            for _ in 0..2 {
                read_on(folder.path(), &["."], &mut kept);
            }
            let told: Vec<_> = kept
                .rejected
                .iter()
                .filter(|r| r.line == 0)
                .map(|r| r.reason.as_str())
                .collect();
            assert_eq!(
                told, ["cannot be read: it ends in the middle of a row"; 2],
                "told at each run"
            );
            assert!(kept.bills.is_empty() && kept.checkpoints.is_empty(), "{cut}");
        }
    }
    // A last row without an end that is whole is one.
    write(whole.trim_end());
    let mut kept = Kept::default();
    read_on(folder.path(), &["."], &mut kept);
    assert_eq!(
        (kept.bills.len(), kept.rejected.len(), kept.checkpoints.len()),
        (1, 0, 1)
    );
}

#[test]
fn a_row_that_is_refused_is_told_at_each_run() {
    let folder = tempfile::tempdir().unwrap();
    let rows = HEADER.to_owned() + &row("much", "1", "a", "2024-09-18", "") + &row("2", "2", "a", "2024-09-19", "");
    std::fs::write(folder.path().join("bill.csv"), rows).unwrap();
    let mut kept = Kept::default();
    for run in 1..3 {
        read_on(folder.path(), &["."], &mut kept);
        assert_eq!((kept.rejected.len(), kept.bills.len()), (run, run));
    }
    assert_eq!(kept.bills[0], kept.bills[1], "the rest is told");
}

#[test]
fn the_sample_of_the_specification_is_read_exactly() {
    let Some(sample) = super::shared("data/focus-sample/focus_sample_1000.csv") else {
        return;
    };
    let mut kept = Kept::default();
    read_on(sample.parent().unwrap(), &["focus_sample_1000.csv"], &mut kept);
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected[0].reason);
    let mut expected = Decimal::ZERO;
    let mut table = csv::Reader::from_path(&sample).unwrap();
    let at = table.headers().unwrap().iter().position(|h| h == "BilledCost").unwrap();
    for row in table.records() {
        expected = add_exact(expected, parse_decimal(&row.unwrap()[at]).unwrap()).unwrap();
    }
    let read = kept
        .bills
        .iter()
        .fold(Decimal::ZERO, |sum, b| add_exact(sum, total(b, Basis::Billed)).unwrap());
    let rows: i64 = kept
        .bills
        .iter()
        .flat_map(|b| b.rows.iter())
        .map(|(_, s)| s.events)
        .sum();
    assert_eq!((read, rows), (expected, 2000), "each row once on each basis");
}

#[test]
fn a_bill_of_several_files_stays_when_one_of_them_cannot_be_read_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let bill = |cost: &str| format!("{HEADER}{}", row(cost, cost, "a-1", "2024-09-19", ""));
    let cut = [&[0x1F, 0x8B][..], b"cut short"].concat();
    for large in [false, true] {
        // With so much to read there are two threads.
        let size = if large { 33 << 20 } else { 1 };
        std::fs::write(file("usage.jsonl"), vec![b'\n'; size]).unwrap();
        for unreadable in [&cut[..], b"no bill any more", b""] {
            let mut kept = Kept::default();
            std::fs::write(file("a.csv"), bill("3")).unwrap();
            std::fs::write(file("b.csv"), bill("40")).unwrap();
            read_on(folder.path(), &["*"], &mut kept);
            assert_eq!(kept.bills.len(), 1);
            std::fs::write(file("a.csv"), bill("31")).unwrap();
            std::fs::write(file("b.csv"), unreadable).unwrap();
            std::fs::write(file("usage.jsonl"), vec![b'\n'; size + 1]).unwrap();
            read_on(folder.path(), &["*"], &mut kept);
            assert_eq!(kept.bills.len(), 1, "it is replaced by a part of it");
            assert!(
                kept.warnings
                    .keys()
                    .any(|w| w.starts_with("bills were kept as they are"))
            );
            // Whole again, it is replaced as a whole.
            std::fs::write(file("b.csv"), bill("400")).unwrap();
            read_on(folder.path(), &["*"], &mut kept);
            let total = kept.bills.last().map(|bill| total(bill, Basis::Billed));
            assert_eq!((kept.bills.len(), total), (2, Some(Decimal::from(431))));
            std::fs::write(file("usage.jsonl"), vec![b'\n'; size]).unwrap();
        }
    }
}

/// The same order as for calls, and a tag without a value is none.
#[test]
fn of_several_tags_for_a_team_the_preferred_one_with_a_value_counts() {
    for tags in [
        r#"{""Team"":""search"",""team"":""""}"#,
        r#"{""team"":""search"",""team_id"":""""}"#,
        r#"{""team"":""search"",""team_name"":null}"#,
        r#"{""team"":""search"",""team_name"":""s"",""team_id"":""t-42""}"#,
        r#"{""team_id"":""t-42"",""user_team_name"":""search""}"#,
        r#"[{""key"":""team_id"",""value"":""t-42""},{""key"":""team"",""value"":""search""},{""key"":""Team"",""value"":""""}]"#,
    ] {
        let text = HEADER.to_owned() + &row("1", "1", "a-1", "2024-09-18 22:00:00", &format!("\"{tags}\""));
        let kept = read_text("bill.csv", text);
        let (key, _) = kept.bills[0].rows.iter().next().unwrap();
        assert_eq!(key.dimensions.get(Dimension::Team).as_str(), "search", "{tags}");
    }
}

#[test]
fn a_table_without_commas_is_told_once() {
    let row = row("0.10", "0.20", "a-1", "2024-09-18", "");
    for (text, told) in [
        (format!("{HEADER}{row}"), 0),
        (format!("{HEADER}{row}{row}").replace(',', ";"), 1),
        (format!("{HEADER}{row}").replace(',', "\t"), 1),
        (format!("sep=,\r\n{HEADER}{row}"), 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bill.csv"), text).unwrap();
        let mut kept = Kept::default();
        let mut focus = source(folder.path(), Some(FileFormat::Focus), &["bill.csv"]);
        focus.read(&Default::default(), &mut kept).unwrap();
        let warned = kept
            .warnings
            .keys()
            .filter(|about| about.contains("save them with commas"));
        assert_eq!(warned.count(), told, "{:?}", kept.warnings);
        assert_eq!(kept.bills.len(), 1 - told);
    }
}

#[test]
fn a_tag_names_a_user_as_the_metadata_of_calls_does() {
    for (key, user) in [
        ("user", "u"),
        ("user_id", "u"),
        ("userId", "u"),
        ("USER_ID", "u"),
        ("user:userId", "u"),
        ("user_user_id", "u"),
        ("user_user", "u"),
        ("user_idea", ""),
        ("id", ""),
        ("user_team", ""),
    ] {
        let tags = format!(r#""{{""{key}"":""u""}}""#);
        let kept = read_text("bill.csv", HEADER.to_owned() + &row("1", "1", "a", "2024-09-18", &tags));
        let (named, _) = kept.bills[0].rows.iter().next().unwrap();
        assert_eq!(named.dimensions.get(Dimension::User).as_str(), user, "{key}");
    }
}
