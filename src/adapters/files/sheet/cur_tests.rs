//! Rows of a Cost and Usage Report that are looked up by what they share come to what each of them comes to by itself.

use super::super::probe::{Probed, probed};
use super::*;
use proptest::prelude::*;
use proptest::sample::select;

/// What all rows of a template have, by column: rows of the same template are summed alike.
const SHARED: [(&str, &[&str]); 16] = [
    (
        "bill_billing_period_start_date",
        &[
            "2026-10-01T00:00:00Z",
            "2026-10-01T00:00:00Z",
            "2026-09-01",
            "",
            "soon",
            "-1",
            "2062-10-01",
        ],
    ),
    (
        "bill_billing_period_end_date",
        &["2026-11-01T00:00:00Z", "2026-11-01 00:00:00", "", "NULL", "never", "0"],
    ),
    ("bill_payer_account_id", &["111111111111", "111111111111", "2", ""]),
    ("line_item_usage_account_id", &["1", "2", "\"3\"", ""]),
    (
        "line_item_line_item_type",
        &[
            "Usage",
            "Usage",
            "DiscountedUsage",
            "SavingsPlanCoveredUsage",
            "SavingsPlanNegation",
            "SavingsPlanUpfrontFee",
            "SavingsPlanRecurringFee",
            "RIFee",
            "Fee",
            "Tax",
            "Credit",
            "Refund",
            "EdpDiscount",
            "\"Usage\"",
            "null",
            "",
        ],
    ),
    (
        "line_item_product_code",
        &["AmazonBedrock", "AmazonEC2", "\"A, B\"", ""],
    ),
    ("product_product_name", &["", "", "Claude 4.6 (Amazon Bedrock Edition)"]),
    (
        "line_item_usage_type",
        &[
            "BoxUsage",
            "USE1-NovaLite-output-tokens",
            "USE1-MP:USE1_CacheReadInputTokenCount-Units",
            "USW2-acme.model-mantle-input-tokens",
            "TokenBox",
            "",
        ],
    ),
    ("line_item_currency_code", &["USD", "USD", "USD", "", "EUR", "dollars"]),
    (
        "line_item_iam_principal",
        &["", "arn:aws:iam::1:user/ann", "\"say \"\"x\"\"\""],
    ),
    ("pricing_unit", &["1K tokens", "Tokens", "Hrs", "1M tokens", ""]),
    (
        "product",
        &[
            "",
            "\"{\"\"product_name\"\": \"\"Storage\"\"}\"",
            "{}",
            "{not json}",
            "Storage",
        ],
    ),
    (
        "resource_tags",
        &[
            "",
            "\"{\"\"user_team\"\":\"\"ads\"\",\"\"user_Name\"\":\"\"n\"\"}\"",
            "\"{\"\"aws:account\"\":\"\"x\"\"}\"",
            "\"{\"\"user:project\"\":7}\"",
            "\"{\"",
        ],
    ),
    ("cost_category", &["", "\"{\"\"team\"\": \"\"search\"\"}\"", "null"]),
    ("resource_tags_user_team", &["", "ml", "NULL"]),
    ("cost_category_user_name", &["", "a", "b", "c"]),
];

const RESOURCES: [&str; 8] = [
    "",
    "i-0abc",
    "i-0def",
    "arn:aws:ec2:eu-central-1:1:instance/i-1",
    "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
    "arn:aws:bedrock:us-east-1:1:inference-profile/us.acme.model",
    "arn:aws:bedrock:us-east-1:1:application-inference-profile/p1",
    "\"x, \"\"foundation-model/\"\", y\"",
];

const AMOUNTS: [&str; 18] = [
    "0.0102000000",
    "-10",
    "7.25",
    "0",
    "0.0",
    "4.0E-7",
    "1e3",
    "1.5e-30",
    "\"3.5\"",
    " 4 ",
    "1234567890123456789012.345",
    "99999999999999999999999999",
    "1000000000000.0",
    "5e14",
    "NULL",
    "null",
    "",
    "much",
];

/// The other columns that count, and how they are filled.
const EACH: [(&str, &[&str]); 14] = [
    ("line_item_unblended_cost", &AMOUNTS),
    ("line_item_net_unblended_cost", &AMOUNTS),
    ("savings_plan_net_savings_plan_effective_cost", &AMOUNTS),
    ("savings_plan_savings_plan_effective_cost", &AMOUNTS),
    ("savings_plan_total_commitment_to_date", &AMOUNTS),
    ("savings_plan_used_commitment", &AMOUNTS),
    ("reservation_net_effective_cost", &AMOUNTS),
    ("reservation_effective_cost", &AMOUNTS),
    ("reservation_unused_amortized_upfront_fee_for_billing_period", &AMOUNTS),
    ("reservation_unused_recurring_fee", &AMOUNTS),
    ("line_item_usage_amount", &AMOUNTS),
    (
        "reservation_reservation_a_r_n",
        &["", "arn:aws:ec2:1:reserved-instances/a", "arn:b", "x", " ", "null"],
    ),
    ("line_item_resource_id", &RESOURCES),
    (
        "line_item_usage_start_date",
        &[
            "2026-10-20T08:00:00Z",
            "2026-10-20T08:00:00Z",
            "2026-10-21 09:30:00",
            "noon",
            "-1",
            "2062-10-20",
            "",
        ],
    ),
];

/// A name as the older kind of report writes it, `lineItem/UsageType`; that of a reservation stays.
fn older(name: &str) -> String {
    if name.ends_with("_a_r_n") {
        return name.to_owned();
    }
    let fronts = [
        "line_item_",
        "bill_",
        "product_",
        "savings_plan_",
        "reservation_",
        "pricing_",
    ];
    let Some(front) = fronts.into_iter().find(|front| name.starts_with(front)) else {
        return name.replacen("resource_tags_user_", "resourceTags/user_", 1);
    };
    let words = |text: &str, first: bool| -> String {
        let mut up = first;
        let letters = text.chars().filter_map(|c| match c {
            '_' => {
                up = true;
                None
            }
            c if std::mem::take(&mut up) => Some(c.to_ascii_uppercase()),
            c => Some(c),
        });
        letters.collect()
    };
    let rest = words(&name[front.len()..], true);
    format!("{}/{rest}", words(front.trim_end_matches('_'), false))
}

fn read(text: &[u8], full: bool) -> Probed {
    probed(None, |run| {
        let records = Records::new(Box::new(Cursor::new(text)) as Input<'_>, 0, 0);
        match full {
            true => run.bill_rows(records, "bill", FileFormat::Cur, 0, false),
            false => run.bill_table(records, "bill", FileFormat::Cur),
        }
    })
}

/// Mostly one of the first ones, which are sound.
fn value(values: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => select(&values[..values.len().div_ceil(2)]), 1 => select(values)]
}

fn template() -> impl Strategy<Value = Vec<&'static str>> {
    SHARED.map(|(_, values)| value(values).boxed()).to_vec()
}

fn own() -> impl Strategy<Value = Vec<&'static str>> {
    EACH.map(|(_, values)| value(values).boxed()).to_vec()
}

/// Which columns there are, and in which order: those without which there is no bill are hardly ever missing.
fn header() -> impl Strategy<Value = Vec<usize>> {
    let all: Vec<usize> = (0..SHARED.len() + EACH.len()).collect();
    let needed = [0, 4, SHARED.len(), SHARED.len() + EACH.len() - 1];
    let some = proptest::sample::subsequence(all.clone(), all.len() / 2..=all.len());
    (some, 0_u8..20).prop_map(move |(mut columns, missing)| {
        if missing > 0 {
            columns.extend(needed);
        }
        columns.sort_unstable_by_key(|at| (at * 7 % 5, *at));
        columns.dedup();
        columns
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn rows_that_are_looked_up_come_to_what_they_are_one_by_one(
        columns in header(), legacy in any::<bool>(), templates in prop::collection::vec(template(), 1..4),
        rows in prop::collection::vec((any::<prop::sample::Index>(), own()), 0..60),
    ) {
        let names: Vec<&str> = SHARED.iter().chain(&EACH).map(|(name, _)| *name).collect();
        let line = |of: &dyn Fn(usize) -> String| columns.iter().map(|at| of(*at)).collect::<Vec<_>>().join(",");
        let mut text = line(&|at| if legacy { older(names[at]) } else { names[at].to_owned() }) + "\n";
        for (template, own) in &rows {
            let shared = template.get(&templates);
            let value = |at: usize| shared.iter().chain(own).nth(at).copied().unwrap_or_default().to_owned();
            text += &(line(&value) + "\n");
        }
        let (fast, full) = (read(text.as_bytes(), false), read(text.as_bytes(), true));
        prop_assert_eq!(fast, full, "{}", text);
    }
}

#[test]
fn names_of_the_older_kind_are_those_of_the_newer() {
    for (name, _) in SHARED.iter().chain(&EACH) {
        assert_eq!(super::super::cur::column(&older(name)), *name);
    }
    assert_eq!(older("line_item_usage_type"), "lineItem/UsageType");
}

#[test]
fn what_is_summed_alike_is_looked_up() {
    let header = "line_item_line_item_type,bill_billing_period_start_date,line_item_usage_start_date,line_item_unblended_cost,\
        line_item_resource_id,line_item_usage_type,line_item_usage_amount,savings_plan_savings_plan_effective_cost,reservation_reservation_a_r_n\n";
    let mut text = header.to_owned();
    for row in 0..50 {
        let kind = [
            "Usage",
            "SavingsPlanCoveredUsage",
            "SavingsPlanNegation",
            "DiscountedUsage",
            "RIFee",
        ][row % 5];
        text += &format!("{kind},2026-10-01,2026-10-01T05:00:00Z,0.{row},i-{row},x-input-tokens,1.5,4e-7,arn:{row}\n");
    }
    let records = Records::new(Box::new(Cursor::new(text.as_bytes())) as Input<'_>, 0, 0);
    let Ok(Ok(mut sheet)) = Sheet::of(records, FileFormat::Cur, None) else {
        panic!("not for the full parser");
    };
    let (mut ways, mut block) = (Vec::new(), Grid::default());
    probed(None, |run| {
        sheet.fill()?;
        block.scan(&sheet.block);
        let bytes = std::mem::take(&mut sheet.block);
        run.rows_of(&mut sheet, &bytes, &block, "bill");
        Ok(())
    });
    sheet.memo.each(|known| ways.push(known.way));
    let fast = ways.iter().filter(|way| matches!(way, Way::Counted(_))).count();
    assert_eq!((ways.len(), fast), (5, 4), "{ways:?}");
}
