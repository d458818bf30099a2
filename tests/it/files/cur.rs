//! AWS Cost and Usage Reports.

use finops::domain::dimension::Dimension;
use finops::domain::spend::{Basis, Bill};
use finops::domain::usage::Bucket;
use rust_decimal::Decimal;

use super::{Kept, read_on, read_text};

const HEADER: &str = "bill_billing_period_start_date,bill_payer_account_id,line_item_usage_start_date,line_item_usage_account_id,line_item_line_item_type,line_item_product_code,line_item_usage_type,line_item_usage_amount,pricing_unit,line_item_unblended_cost,line_item_net_unblended_cost,line_item_resource_id,product,resource_tags,savings_plan_savings_plan_effective_cost,reservation_effective_cost\n";

/// Kind, product code, type of usage, amount, unit, cost, resource, product map, savings plan's cost.
fn row(columns: [&str; 9]) -> String {
    let [kind, code, usage, amount, unit, cost, resource, product, plan] = columns;
    format!(
        "2026-10-01T00:00:00Z,111111111111,2026-10-20T08:00:00Z,123456789012,{kind},{code},{usage},{amount},{unit},{cost},,{resource},\"{product}\",\"{{\"\"user_team\"\":\"\"search\"\"}}\",{plan},\n"
    )
}

fn sum(bill: &Bill, basis: Basis, pick: impl Fn(&str) -> bool) -> Decimal {
    let rows = bill.rows.iter().filter(|(key, _)| key.basis == basis);
    rows.filter(|(key, _)| pick(key.dimensions.get(Dimension::Category).as_str()))
        .map(|(_, sums)| sums.cost)
        .sum()
}

#[test]
fn rows_become_one_bill_with_both_bases_and_their_tokens() {
    let edition = "{\"\"product_name\"\":\"\"Claude Sonnet 4.6 (Amazon Bedrock Edition)\"\"}";
    let nova = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/p1";
    let rows = [
        row([
            "Usage",
            "AmazonBedrock",
            "USE1-NovaLite-output-tokens",
            "42.5",
            "1K tokens",
            "0.0102",
            nova,
            "",
            "",
        ]),
        row([
            "Usage",
            "x",
            "USE1-MP:USE1_CacheReadInputTokenCount-Units",
            "3.76",
            "Units",
            "1.2408",
            "",
            edition,
            "",
        ]),
        row([
            "Usage",
            "x",
            "USE1-MP:USE1_CacheWrite1hInputTokenCount-Units",
            "0.5",
            "Units",
            "3",
            "",
            edition,
            "",
        ]),
        row([
            "Usage",
            "AmazonBedrock",
            "USW2-anthropic.claude-opus-4-8-mantle-input-tokens-standard",
            "2",
            "",
            "0.01",
            "",
            "",
            "",
        ]),
        row([
            "SavingsPlanCoveredUsage",
            "AmazonEC2",
            "BoxUsage",
            "1",
            "Hrs",
            "10",
            "",
            "",
            "7",
        ]),
        row([
            "SavingsPlanNegation",
            "AmazonEC2",
            "BoxUsage",
            "1",
            "Hrs",
            "-10",
            "",
            "",
            "",
        ]),
        row(["Credit", "AmazonEC2", "BoxUsage", "1", "Hrs", "-2.5", "", "", ""]),
        row(["Tax", "AmazonEC2", "", "1", "", "0.7", "", "", ""]),
        row(["EdpDiscount", "AmazonEC2", "", "1", "", "-0.1", "", "", ""]),
        row(["Usage", "AmazonEC2", "", "1", "", "x", "", "", ""]),
        "too,few\n".to_owned(),
    ];
    let kept = read_text("cur.csv", HEADER.to_owned() + &rows.concat());
    assert_eq!((kept.bills.len(), kept.rejected.len()), (1, 2));
    let bill = &kept.bills[0];
    assert_eq!(bill.identity, "test/aws/111111111111/2026-10-01");
    assert_eq!(bill.period.end, super::time("2026-11-01T00:00:00Z"));
    let of = |basis, category: &str| sum(bill, basis, |c| c == category).normalize().to_string();
    assert_eq!(
        (of(Basis::Billed, "Usage"), of(Basis::Effective, "Usage")),
        ("4.261".into(), "11.261".into())
    );
    assert_eq!(
        (
            of(Basis::Billed, "Credit"),
            of(Basis::Billed, "Tax"),
            of(Basis::Billed, "Adjustment")
        ),
        ("-2.5".into(), "0.7".into(), "-0.1".into())
    );
    let tokens = |model: &str, bucket| -> i128 {
        let rows = bill.rows.iter().filter(|(key, _)| key.basis == Basis::Billed);
        rows.filter(|(key, _)| key.dimensions.get(Dimension::Model).as_str() == model)
            .map(|(_, sums)| sums.tokens.get(bucket))
            .sum()
    };
    assert_eq!(tokens("claude-sonnet-4-6", Bucket::CacheRead), 3_760_000);
    assert_eq!(tokens("claude-sonnet-4-6", Bucket::CacheWrite1h), 500_000);
    assert_eq!(tokens("amazon.nova-lite-v1:0", Bucket::Output), 42_500);
    assert_eq!(tokens("anthropic.claude-opus-4-8", Bucket::InputUncached), 2000);
    assert!(
        bill.rows
            .iter()
            .all(|(key, _)| key.dimensions.get(Dimension::Team).as_str() == "search")
    );
}

#[test]
fn what_is_mistaken_is_told_under_its_column_and_the_rest_counts() {
    let row = |amount: &str, cost: &str| {
        row([
            "Usage",
            "AmazonBedrock",
            "USE1-NovaLite-output-tokens",
            amount,
            "1K tokens",
            cost,
            "",
            "",
            "",
        ])
    };
    let (start, at) = ("2026-10-01T00:00:00Z", "2026-10-20T08:00:00Z");
    let rows = [
        row("1", "1"),
        row("much", "2"),
        row("1e30", "4"),
        row("", "8"),
        row("1", "1e28"),
        row("1", "1000").replace(at, "-1"),
        row("1", "1000").replace(start, "-1"),
        row("1", "1000").replace(at, "2062-10-20"),
    ];
    let kept = read_text("cur.csv", HEADER.to_owned() + &rows.concat());
    let faults: Vec<_> = kept
        .rejected
        .iter()
        .map(|r| (r.line, r.field.as_deref().unwrap_or("")))
        .collect();
    let (amount, time) = ("line_item_usage_amount", "line_item_usage_start_date");
    assert_eq!(
        faults,
        [
            (3, amount),
            (4, amount),
            (6, "line_item_unblended_cost"),
            (7, time),
            (8, "bill_billing_period_start_date"),
            (9, time)
        ]
    );
    assert_eq!(kept.bills.len(), 1);
    assert_eq!(sum(&kept.bills[0], Basis::Billed, |_| true), Decimal::from(15));
    let tokens: i128 = kept.bills[0].rows.iter().map(|(_, sums)| sums.tokens.total()).sum();
    assert_eq!(tokens, 2 * 1_000, "on both bases");
    // What does not fit into a sum is told under the name that the column has here.
    let rows = row("", "999999999999") + &row("", "0.000000000000000001");
    let kept = read_text("cur.csv", HEADER.to_owned() + &rows);
    assert_eq!(
        (kept.rejected[0].line, kept.rejected[0].field.as_deref()),
        (3, Some("line_item_unblended_cost"))
    );
}

#[test]
fn the_older_kind_is_read_too_and_a_delivery_replaces_the_period() {
    let header = "identity/LineItemId,bill/BillingPeriodStartDate,bill/BillingPeriodEndDate,bill/PayerAccountId,lineItem/UsageStartDate,lineItem/UsageAccountId,lineItem/LineItemType,lineItem/ProductCode,lineItem/UsageType,lineItem/UsageAmount,lineItem/UnblendedCost,product/ProductName,resourceTags/user:team\n";
    let line = |id: &str, cost: &str| {
        format!(
            "{id},2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,1,2026-10-20T08:00:00Z,2,Usage,AmazonBedrock,USE1-NovaPro-input-tokens,5,{cost},Amazon Bedrock,ads\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cur.csv");
    // The same id twice is two rows.
    std::fs::write(&path, header.to_owned() + &line("a", "1") + &line("a", "2")).unwrap();
    let mut kept = Kept::default();
    read_on(folder.path(), &["."], &mut kept);
    std::fs::write(&path, header.to_owned() + &line("b", "1.25")).unwrap();
    read_on(folder.path(), &["."], &mut kept);
    let costs: Vec<String> = kept
        .bills
        .iter()
        .map(|b| sum(b, Basis::Billed, |_| true).to_string())
        .collect();
    assert_eq!(costs, ["3", "1.25"]);
    assert_eq!(kept.bills[0].identity, kept.bills[1].identity);
    let (key, sums) = kept.bills[1].rows.iter().next().unwrap();
    let names = [Dimension::Team, Dimension::Service, Dimension::Model].map(|d| key.dimensions.get(d).as_str());
    assert_eq!(names, ["ads", "Amazon Bedrock", "amazon.nova-pro-v1:0"]);
    assert_eq!(sums.tokens.get(Bucket::InputUncached), 5000);
}

/// A row with these columns, beside those that every row has.
fn told(columns: &[(&str, &str)]) -> Bill {
    let usual = [
        ("bill_billing_period_start_date", "2026-10-01T00:00:00Z"),
        ("bill_payer_account_id", "999"),
        ("line_item_usage_start_date", "2026-10-20T08:00:00Z"),
        ("line_item_product_code", "AmazonEC2"),
        ("line_item_unblended_cost", "100"),
    ];
    let (names, values): (Vec<&str>, Vec<&str>) = usual.into_iter().chain(columns.iter().copied()).unzip();
    let mut kept = read_text("cur.csv", format!("{}\n{}\n", names.join(","), values.join(",")));
    assert_eq!(kept.rejected, []);
    kept.bills.remove(0)
}

#[test]
fn what_is_not_used_of_a_commitment_counts_after_discounts_as_all_else_does() {
    let fee = [
        ("line_item_line_item_type", "RIFee"),
        ("line_item_net_unblended_cost", "90"),
        ("reservation_unused_amortized_upfront_fee_for_billing_period", "10"),
        ("reservation_unused_recurring_fee", "40"),
    ];
    let plan = [
        ("line_item_line_item_type", "SavingsPlanRecurringFee"),
        ("line_item_net_unblended_cost", "90"),
        ("savings_plan_total_commitment_to_date", "100"),
        ("savings_plan_used_commitment", "60"),
    ];
    let recurring = |net, gross| {
        [
            ("savings_plan_net_recurring_commitment_for_billing_period", net),
            ("savings_plan_recurring_commitment_for_billing_period", gross),
        ]
    };
    let upfront = [
        ("savings_plan_net_amortized_upfront_commitment_for_billing_period", "7"),
        ("savings_plan_amortized_upfront_commitment_for_billing_period", "8"),
    ];
    let net_fee = [
        ("reservation_net_unused_amortized_upfront_fee_for_billing_period", "9"),
        ("reservation_net_unused_recurring_fee", "36"),
    ];
    for (columns, effective) in [
        (fee.to_vec(), "50"),
        ([&fee[..], &net_fee].concat(), "45"),
        ([&fee[..], &net_fee[1..]].concat(), "46"),
        (plan.to_vec(), "40"),
        ([&plan[..], &recurring("90", "100")].concat(), "36"),
        ([&plan[..], &recurring("2", "3")].concat(), "26.666666666666666667"),
        ([&plan[..], &recurring("0", "0"), &upfront].concat(), "35"),
        ([&plan[..], &recurring("90", "100"), &upfront].concat(), "36"),
    ] {
        let bill = told(&columns);
        assert_eq!(sum(&bill, Basis::Billed, |_| true).to_string(), "100");
        let found = sum(&bill, Basis::Effective, |_| true).normalize().to_string();
        assert_eq!(found, effective, "{columns:?}");
    }
}

#[test]
fn the_account_of_a_row_is_who_used_it_else_who_pays_and_never_a_tag() {
    let quoted = "\"{\"\"user_account\"\":\"\"prod\"\",\"\"Account\"\":\"\"prod\"\",\"\"account_id\"\":\"\"prod\"\"}\"";
    for tag in [
        ("resource_tags", quoted),
        ("cost_category", quoted),
        ("resource_tags_user_account", "prod"),
        ("resourceTags/user:Account", "prod"),
    ] {
        for (used, expected) in [("111122223333", "111122223333"), ("", "999")] {
            let usage = ("line_item_line_item_type", "Usage");
            let bill = told(&[usage, ("line_item_usage_account_id", used), tag]);
            let accounts = bill
                .rows
                .iter()
                .map(|(key, _)| key.dimensions.get(Dimension::Account).as_str());
            assert!(
                accounts.into_iter().all(|account| account == expected),
                "{tag:?} {used}"
            );
        }
    }
}

#[test]
fn the_fee_of_a_reservation_is_spread_over_its_use_in_the_older_kind_too() {
    let bill = read_text(
        "cur.csv",
        "bill/BillingPeriodStartDate,lineItem/UsageStartDate,lineItem/UsageAccountId,lineItem/LineItemType,lineItem/ProductCode,lineItem/UnblendedCost,reservation/ReservationARN,resourceTags/user:TEAM\n\
         2026-10-01T00:00:00Z,2026-10-01T00:00:00Z,2,Fee,AmazonEC2,100,arn:aws:ec2:us-east-1:2:reserved-instances/r,ads\n\
         2026-10-01T00:00:00Z,2026-10-01T00:00:00Z,2,Fee,AmazonEC2,7,,ads\n",
    )
    .bills
    .remove(0);
    assert_eq!(sum(&bill, Basis::Billed, |_| true).to_string(), "107");
    assert_eq!(sum(&bill, Basis::Effective, |_| true).to_string(), "7");
    let teams = bill
        .rows
        .iter()
        .map(|(key, _)| key.dimensions.get(Dimension::Team).as_str());
    assert!(
        teams.into_iter().all(|team| team == "ads"),
        "keys of tags are their owner's"
    );
}

/// Keys of tags that differ by their capitals alone have a column each, most of them empty.
#[test]
fn columns_of_one_tag_fill_each_other_and_the_preferred_tag_counts() {
    let header = "bill/BillingPeriodStartDate,lineItem/UsageStartDate,lineItem/UsageAccountId,lineItem/LineItemType,lineItem/ProductCode,lineItem/UnblendedCost";
    let front = "2026-10-01T00:00:00Z,2026-10-01T00:00:00Z,2,Usage,AmazonEC2";
    for (names, values) in [
        ("user:Team,resourceTags/user:team", ["ads,", ",ads"]),
        ("user:team,resourceTags/user:Team", ["ads,", ",ads"]),
        ("user:team_id,resourceTags/user:team", ["7,ads", "ads,"]),
        ("user:id,resourceTags/user:team", ["7,ads", "8,ads"]),
    ] {
        let mut text = format!("{header},resourceTags/{names}\n");
        for (n, value) in values.into_iter().enumerate() {
            text += &format!("{front},{},{value}\n", n + 1);
        }
        let kept = read_text("cur.csv", text);
        assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
        let rows = &kept.bills[0].rows;
        let teams: Vec<&str> = rows
            .iter()
            .map(|(key, _)| key.dimensions.get(Dimension::Team).as_str())
            .collect();
        assert!(teams.iter().all(|team| *team == "ads"), "{names} {teams:?}");
        assert_eq!(sum(&kept.bills[0], Basis::Billed, |_| true).to_string(), "3");
    }
}

#[test]
fn a_tag_whose_key_is_that_of_a_users_id_names_the_user() {
    let header = "bill/BillingPeriodStartDate,lineItem/UsageStartDate,lineItem/UsageAccountId,lineItem/LineItemType,lineItem/ProductCode,lineItem/UnblendedCost";
    let front = "2026-10-01T00:00:00Z,2026-10-01T00:00:00Z,2,Usage,AmazonEC2,1";
    for name in ["user:user", "user:user_id", "user:userId", "user_id", "aws:user_id"] {
        let kept = read_text("cur.csv", format!("{header},resourceTags/{name}\n{front},u\n"));
        let (key, _) = kept.bills[0].rows.iter().next().unwrap();
        assert_eq!(key.dimensions.get(Dimension::User).as_str(), "u", "{name}");
    }
}

/// Of tags whose keys differ by capitals alone the first in the alphabet counts, whatever the shape of a bill and the order of its columns.
#[test]
fn of_tags_that_are_alike_one_counts_in_every_shape() {
    let team = |text: String| {
        let kept = read_text("bill.csv", text);
        assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
        let (key, _) = kept.bills[0].rows.iter().next().unwrap();
        key.dimensions.get(Dimension::Team).as_str().to_owned()
    };
    let older = |names: &str, values: &str| {
        let header = "bill/BillingPeriodStartDate,lineItem/UsageStartDate,lineItem/UsageAccountId,lineItem/LineItemType,lineItem/ProductCode,lineItem/UnblendedCost";
        team(format!(
            "{header},{names}\n2026-10-01T00:00:00Z,2026-10-01T00:00:00Z,2,Usage,AmazonEC2,1,{values}\n"
        ))
    };
    assert_eq!(older("resourceTags/user:team,resourceTags/user:Team", "a,c"), "c");
    assert_eq!(older("resourceTags/user:Team,resourceTags/user:team", "c,a"), "c");
    assert_eq!(
        older(
            "resourceTags/user:Team,resourceTags/user:team,resourceTags/user:TEAM",
            "c,a,"
        ),
        "c"
    );
    assert_eq!(older("costCategory/Team,resourceTags/user:team", "k,a"), "a");
    let newer = |tags: &str, category: &str| {
        let header = "bill_billing_period_start_date,line_item_usage_start_date,line_item_usage_account_id,line_item_line_item_type,line_item_product_code,line_item_unblended_cost";
        team(format!(
            "{header},resource_tags,cost_category\n2026-10-01T00:00:00Z,2026-10-01T00:00:00Z,2,Usage,AmazonEC2,1,\"{}\",\"{}\"\n",
            tags.replace('"', "\"\""),
            category.replace('"', "\"\"")
        ))
    };
    assert_eq!(newer(r#"{"user_team":"a","user_Team":"c"}"#, "{}"), "c");
    assert_eq!(newer(r#"{"user_team":"a"}"#, r#"{"Team":"k"}"#), "a");
    let focus = |tags: &str| {
        let header = "BilledCost,EffectiveCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargePeriodStart,ProviderName,ServiceName,Tags";
        team(format!(
            "{header}\n1,1,1,USD,2026-10-01,2026-11-01,Usage,2026-10-01,AWS,x,\"{}\"\n",
            tags.replace('"', "\"\"")
        ))
    };
    assert_eq!(focus(r#"{"team":"a","Team":"c"}"#), "c");
    assert_eq!(focus(r#"[{"key":"team","value":"a"},{"key":"Team","value":"c"}]"#), "c");
    assert_eq!(
        focus(r#"[{"key":"user:team","value":"a"},{"key":"team","value":"c"}]"#),
        "c"
    );
}
