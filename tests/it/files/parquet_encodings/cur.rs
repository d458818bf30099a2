//! The same for Cost and Usage Reports, whose effective costs stand in several columns.

use super::*;

/// A column of these texts that may be left out.
fn table(rows: usize, seed: u64, pick: u64, sound: bool) -> Vec<Column> {
    let (start, hour) = (START, 3_600_000);
    let money = [
        Kind::Double,
        Kind::Text,
        Kind::Long(10),
        Kind::Double,
        Kind::Fixed(6, 16),
        Kind::Int(4),
        Kind::Decimal(9),
        Kind::Float,
    ];
    let money = |at: u64| money[usize::try_from((pick >> (at * 3)) % 8).unwrap()];
    let amounts: &[&str] = match sound {
        true => &["1.5", "-0.25", "", "2e-7", "NULL", "0"],
        false => &[
            "1.5",
            "-0.25",
            "much",
            "1e3",
            "NULL",
            "",
            "12345678901234567890.5",
            "1000000000000",
        ],
    };
    let billed: &[&str] = if sound { &["1.5", "-0.25", "1.125"] } else { amounts };
    let currencies: &[&str] = match sound {
        true => &["USD", "USD", "", "EUR"],
        false => &["USD", "USD", "USD", "", "EUR", "dollars"],
    };
    let tags: &[&str] = match sound {
        true => &TAGS[..5],
        false => &TAGS,
    };
    let columns = [
        ("line_item_unblended_cost", money(0), billed, 90_000_000),
        ("line_item_net_unblended_cost", money(1), amounts, 70_000_000),
        (
            "savings_plan_net_savings_plan_effective_cost",
            money(2),
            amounts,
            900_000,
        ),
        ("savings_plan_savings_plan_effective_cost", money(3), amounts, 900_000),
        ("savings_plan_total_commitment_to_date", money(4), amounts, 900_000),
        ("savings_plan_used_commitment", money(5), amounts, 900_000),
        ("reservation_net_effective_cost", money(6), amounts, 900_000),
        ("reservation_effective_cost", money(7), amounts, 900_000),
        (
            "reservation_unused_amortized_upfront_fee_for_billing_period",
            money(8),
            amounts,
            900_000,
        ),
        ("reservation_unused_recurring_fee", money(9), amounts, 900_000),
        ("line_item_usage_amount", money(10), amounts, 900_000),
        ("bill_billing_period_start_date", Kind::Millis, &[], start),
        (
            "bill_billing_period_end_date",
            Kind::Micros,
            &[],
            (start + 31 * 24 * hour) * 1000,
        ),
        ("line_item_usage_start_date", Kind::Millis, &[], start),
        texts("bill_payer_account_id", &["a", "a", "b", ""]),
        texts("line_item_usage_account_id", &["s1", "s2", "s3"]),
        texts(
            "line_item_line_item_type",
            &[
                "Usage",
                "SavingsPlanCoveredUsage",
                "Usage",
                "SavingsPlanNegation",
                "DiscountedUsage",
                "RIFee",
                "Fee",
                "Tax",
                "SavingsPlanRecurringFee",
                "SavingsPlanUpfrontFee",
                "Credit",
            ],
        ),
        texts("line_item_product_code", &["AmazonBedrock", "AmazonEC2", ""]),
        texts("product_product_name", &["", "Claude 4.6 (Amazon Bedrock Edition)"]),
        texts(
            "line_item_usage_type",
            &[
                "BoxUsage",
                "NovaLite-output-tokens",
                "x-MP:CacheReadInputTokenCount-Units",
                "TokenBox",
                "",
            ],
        ),
        texts("line_item_currency_code", currencies),
        texts("line_item_iam_principal", &["", "ann"]),
        texts("pricing_unit", &["1K tokens", "Tokens", "Hrs"]),
        match (pick >> 42) % 2 {
            0 => texts("product", &["", "{\"product_name\":\"Storage\"}", "{}"]),
            _ => ("product", Kind::Map, &["{\"product_name\":\"Storage\"}", "{}"], 0),
        },
        match (pick >> 40) % 4 {
            0 => ("resource_tags", Kind::Map, &MAPS, 0),
            1 => ("resource_tags", Kind::Group, &MAPS, 0),
            _ => ("resource_tags", Kind::Text, tags, 0),
        },
        // A group of which no field is given is none as Parquet, and as text one whose fields come before these columns.
        match (pick >> 40) % 4 {
            1 => texts("cost_category_more", &["", "ml"]),
            _ => texts("cost_category_team", &["", "ml"]),
        },
        texts("cost_category_name", &["", "a", "b"]),
        (
            "reservation_reservation_a_r_n",
            Kind::Bytes,
            &["", "arn:aws:ec2:1:a", "arn:b", "x", "NULL"],
            0,
        ),
        (
            "line_item_resource_id",
            Kind::Bytes,
            &[
                "i-0abc",
                "arn:aws:ec2:eu-central-1:1:instance/i-1",
                "",
                "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
                "i-0def",
                "arn:aws:bedrock:us-east-1:1:application-inference-profile/p1",
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.acme.model",
            ],
            0,
        ),
    ];
    let mut state = seed | 1;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut table = Vec::new();
    for (name, kind, texts, base) in columns {
        let needed = [
            "line_item_unblended_cost",
            "bill_billing_period_start_date",
            "line_item_usage_start_date",
        ];
        let needed = needed.contains(&name);
        let (turns, optional, empty) = (random() % 4, random() % 3 > 0 && !(needed && sound), random() % 4 > 2);
        // A report has not all of the columns.
        if random() % 4 == 0 && !needed && name != "line_item_line_item_type" {
            continue;
        }
        // Where all rows have one value, it is one or the other.
        let first = i64::try_from(random() % 7).unwrap();
        let mut last = 0;
        let values = (0..rows).map(|row| {
            let next = i64::try_from(random()).unwrap();
            last = match turns {
                0 => i64::try_from(row / 97).unwrap(),
                1 => i64::try_from(row % 5).unwrap(),
                2 if next % 50 > 0 => last,
                _ => next % 4_000,
            };
            let value = match kind {
                // Sums of large amounts and of many digits are more than a decimal holds.
                Kind::Double | Kind::Float if sound && [4, 6].contains(&(last % 8)) => last + 1,
                Kind::Text | Kind::Bytes | Kind::Map | Kind::Group => last + first,
                Kind::Double | Kind::Float => last,
                Kind::Millis | Kind::Micros if !sound && turns == 3 && last % 61 == 60 => NO_TIMES[row % 2],
                Kind::Millis if name == "line_item_usage_start_date" => base + last % 40 * hour,
                Kind::Millis | Kind::Micros => base,
                Kind::Int(_) | Kind::Long(_) | Kind::Fixed(..) | Kind::Decimal(_) => (last - 1_000) * (base / 9_000),
            };
            let none = optional && (next % 13 == 0 || empty && !needed && next % 11 > 0);
            Some(value).filter(|_| !none)
        });
        let values = values.collect();
        table.push(Column {
            name,
            kind,
            optional,
            texts,
            values,
        });
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn any_encoding_gives_the_bills_and_faults_of_the_rows_as_text(
        rows in prop_oneof![4 => 1_usize..600, 1 => Just(4_500)], seed in any::<u64>(), pick in any::<u64>(), way in ways(),
        asked in questions(),
    ) {
        let columns = table(rows, seed, pick, false);
        let text = read("bill.csv", written(&columns), asked.clone());
        let binary = read("bill.parquet", stored(&columns, way.properties(&columns), way.group), asked);
        prop_assert_eq!(faults(&binary, 0), faults(&text, 1));
        prop_assert_eq!(binary.bills, text.bills);
    }

    #[test]
    fn what_is_asked_of_a_report_is_what_all_of_it_sums_up_to(
        rows in prop_oneof![4 => 1_usize..600, 1 => Just(4_500)], seed in any::<u64>(), pick in any::<u64>(), way in ways(),
        asked in questions(),
    ) {
        let Some(asked) = asked else { return Ok(()) };
        let columns = table(rows, seed, pick, true);
        let bytes = stored(&columns, way.properties(&columns), way.group);
        let whole = read("bill.parquet", bytes.clone(), None);
        let part = read("bill.parquet", bytes, Some(asked.clone()));
        prop_assert_eq!(faults(&whole, 0), vec![]);
        prop_assert_eq!(faults(&part, 0), vec![]);
        prop_assert_eq!(part.bills.len(), whole.bills.len());
        for (part, whole) in part.bills.iter().zip(&whole.bills) {
            prop_assert_eq!(&part.identity, &whole.identity);
            let mut rows: Vec<(SpendKey, Sums)> = part.rows.iter().collect();
            rows.sort_by_key(|(key, _)| *key);
            prop_assert_eq!(rows, narrowed(&asked, &whole.rows));
        }
    }
}
