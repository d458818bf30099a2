//! Saved answers of AWS Cost Explorer.

use finops::domain::dimension::Dimension;
use finops::domain::spend::{Basis, Bill, SpendKey, Sums};
use finops::domain::usage::Bucket;

use super::{Kept, read_on, read_text};

/// Service, type of usage, cost, amount of usage, its unit.
fn answer(groups: &[[&str; 5]], start: &str, end: &str, token: &str) -> String {
    let groups: Vec<String> = groups
        .iter()
        .map(|[service, usage, cost, amount, unit]| {
            format!(
                r#"{{"Keys": ["{service}", "{usage}"], "Metrics": {{"UnblendedCost": {{"Amount": "{cost}", "Unit": "USD"}}, "AmortizedCost": {{"Amount": "{cost}5", "Unit": "USD"}}, "UsageQuantity": {{"Amount": "{amount}", "Unit": "{unit}"}}}}}}"#
            )
        })
        .collect();
    let token = if token.is_empty() {
        String::new()
    } else {
        format!(",\n \"NextPageToken\": \"{token}\"")
    };
    format!(
        "{{\n \"GroupDefinitions\": [{{\"Type\": \"DIMENSION\", \"Key\": \"SERVICE\"}}, {{\"Type\": \"DIMENSION\", \"Key\": \"USAGE_TYPE\"}}],\n \"ResultsByTime\": [{{\"TimePeriod\": {{\"Start\": \"{start}\", \"End\": \"{end}\"}}, \"Total\": {{}},\n \"Groups\": [{}],\n \"Estimated\": true}}],\n \"DimensionValueAttributes\": []{token}\n}}\n",
        groups.join(", ")
    )
}

const CLAUDE: [&str; 5] = [
    "Claude Sonnet 4.6 (Amazon Bedrock Edition)",
    "USE1-MP:USE1_CacheReadInputTokenCount-Units",
    "1.24",
    "3.76",
    "N/A",
];
const NOVA: [&str; 5] = [
    "Amazon Bedrock",
    "USE1-NovaLite-input-tokens",
    "0.01",
    "255",
    "1K tokens",
];
const DISK: [&str; 5] = ["EC2 - Other", "EBS:VolumeUsage.gp3", "7.5", "93", "GB-Mo"];

fn rows(bill: &Bill, basis: Basis) -> Vec<(SpendKey, Sums)> {
    bill.rows.iter().filter(|(key, _)| key.basis == basis).collect()
}

fn total(bill: &Bill, basis: Basis) -> String {
    let sum: rust_decimal::Decimal = rows(bill, basis).iter().map(|(_, sums)| sums.cost).sum();
    sum.normalize().to_string()
}

#[test]
fn an_amount_of_usage_that_cannot_be_read_is_told_and_what_it_costs_counts() {
    let [service, usage, cost, _, unit] = NOVA;
    let odd = [service, usage, cost, "much", unit];
    let absurd = [DISK[0], DISK[1], "1e12", DISK[3], DISK[4]];
    let kept = read_text("a.json", answer(&[CLAUDE, odd, absurd], "2026-10-20", "2026-10-21", ""));
    let faults: Vec<_> = kept.rejected.iter().map(|r| r.field.as_deref()).collect();
    assert_eq!(faults, [Some("UsageQuantity"), Some("UnblendedCost")]);
    assert_eq!(total(&kept.bills[0], Basis::Billed), "1.25");
    assert_eq!(kept.progress.unknown_costs, 1, "of the cost alone");
}

#[test]
fn an_answer_is_a_bill_with_models_and_tokens() {
    let kept = read_text("a.json", answer(&[CLAUDE, NOVA, DISK], "2026-10-20", "2026-10-21", ""));
    assert_eq!((kept.rejected.as_slice(), kept.bills.len()), (&[][..], 1));
    assert_eq!(kept.warnings.get("costs that AWS still estimates"), Some(&1));
    let bill = &kept.bills[0];
    assert_eq!(bill.identity, "test/cost-explorer/2026-10-20T00");
    assert_eq!(
        (total(bill, Basis::Billed), total(bill, Basis::Effective)),
        ("8.75".to_owned(), "8.81".to_owned())
    );
    let of = |model: &str| {
        let rows = rows(bill, Basis::Billed);
        let (_, sums) = *rows
            .iter()
            .find(|(key, _)| key.dimensions.get(Dimension::Model).as_str() == model)
            .unwrap();
        (
            sums.cost.to_string(),
            sums.tokens.get(Bucket::CacheRead),
            sums.tokens.get(Bucket::InputUncached),
        )
    };
    assert_eq!(of("claude-sonnet-4-6"), ("1.24".to_owned(), 3_760_000, 0));
    assert_eq!(of("amazon.nova-lite-v1:0"), ("0.01".to_owned(), 0, 255_000));
    assert_eq!(of(""), ("7.5".to_owned(), 0, 0));
}

#[test]
fn pages_belong_together_and_a_later_answer_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String, minute: u64| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_792_600_000 + minute * 60);
        std::fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(at)
            .unwrap();
    };
    let page = |group, token| answer(&[group], "2026-10-20", "2026-10-21", token);
    write("a.json", page(CLAUDE, "x") + &page(NOVA, "y") + &page(DISK, ""), 0);
    let read = || {
        let mut kept = Kept::default();
        read_on(folder.path(), &["a.json", "b.json"], &mut kept);
        assert_eq!(kept.rejected, []);
        let totals: Vec<String> = kept.bills.iter().map(|bill| total(bill, Basis::Billed)).collect();
        totals
    };
    write("b.json", answer(&[DISK], "2026-10-21", "2026-10-22", ""), 1);
    assert_eq!(read(), ["8.75", "7.5"], "three pages, and a day of its own");
    write("b.json", page(NOVA, ""), 2);
    assert_eq!(read(), ["0.01"], "asked anew, the day is another");
    write("b.json", page(NOVA, ""), 0);
    write("a.json", page(CLAUDE, "x") + &page(DISK, ""), 5);
    assert_eq!(
        read(),
        ["8.74"],
        "the older answer does not count, whichever is read first"
    );
}

#[test]
fn what_is_no_cost_is_told() {
    let good = answer(&[NOVA], "2026-10-20", "2026-10-21", "");
    for (wrong, field) in [
        (good.replace("\"0.01\"", "\"much\""), "UnblendedCost"),
        (
            good.replace("UnblendedCost", "Blended").replace("AmortizedCost", "B"),
            "Metrics",
        ),
        (good.replace("2026-10-21", "2026-10-20"), "TimePeriod.End"),
        (
            good.replace("\"Start\": \"2026", "\"Start\": \"2062"),
            "TimePeriod.Start",
        ),
    ] {
        let kept = read_text("a.json", &wrong);
        assert_eq!(kept.rejected.len(), 1, "{wrong}");
        assert_eq!(kept.rejected[0].field.as_deref(), Some(field));
    }
}

#[test]
fn pages_belong_together_however_they_are_written_and_an_answer_whose_end_is_missing_replaces_nothing() {
    let page = |group, token| answer(&[group], "2026-10-20", "2026-10-21", token).replace('\n', "");
    let pages = [page(CLAUDE, "x"), page(NOVA, "y"), page(DISK, "")];
    for text in [format!("[{}]", pages.join(",")), pages.join("\n")] {
        let kept = read_text("a.json", &text);
        let totals: Vec<String> = kept.bills.iter().map(|bill| total(bill, Basis::Billed)).collect();
        assert_eq!(
            (kept.rejected.as_slice(), totals),
            (&[][..], vec!["8.75".to_owned()]),
            "{text}"
        );
    }
    let cut = pages[..2].join("\n");
    let kept = read_text("a.json", cut);
    assert_eq!((kept.bills.len(), kept.rejected.len()), (0, 1));
    assert_eq!(kept.rejected[0].field.as_deref(), Some("NextPageToken"));
    assert!(kept.checkpoints.is_empty(), "it is told again");
}
