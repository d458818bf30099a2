//! Bills as Parquet.

use super::read_text;

#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_the_decoder_says_so() {
    let kept = read_text("bill.parquet", b"PAR1\0\0\0\0PAR1");
    assert!(kept.rejected[0].reason.contains("lacks the feature `parquet`"));
    assert!(kept.bills.is_empty() && kept.checkpoints.is_empty());
}

#[cfg(feature = "parquet")]
mod decoded {
    use std::sync::Arc;

    use finops::domain::dimension::Dimension;
    use finops::domain::spend::Basis;
    use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;
    use rust_decimal::Decimal;

    use super::super::{Kept, read_on};
    use super::read_text;

    enum Column {
        Text(&'static str, Vec<&'static str>),
        Optional(&'static str, Vec<Option<String>>),
        Millis(&'static str, Vec<i64>),
        Double(&'static str, Vec<f64>),
        /// With ten digits behind the point.
        Decimal(&'static str, Vec<i64>),
    }

    fn write(columns: &[Column]) -> Vec<u8> {
        let field = |column: &Column| {
            let (name, physical) = match column {
                Column::Text(name, _) | Column::Optional(name, _) => (name, Physical::BYTE_ARRAY),
                Column::Millis(name, _) | Column::Decimal(name, _) => (name, Physical::INT64),
                Column::Double(name, _) => (name, Physical::DOUBLE),
            };
            let repetition = match column {
                Column::Optional(..) => Repetition::OPTIONAL,
                Column::Text(..) | Column::Millis(..) | Column::Double(..) | Column::Decimal(..) => {
                    Repetition::REQUIRED
                }
            };
            let field = Type::primitive_type_builder(name, physical).with_repetition(repetition);
            let field = match column {
                Column::Text(..) | Column::Optional(..) => field.with_logical_type(Some(LogicalType::String)),
                Column::Millis(..) => field.with_converted_type(ConvertedType::TIMESTAMP_MILLIS),
                Column::Double(..) => field,
                Column::Decimal(..) => field
                    .with_converted_type(ConvertedType::DECIMAL)
                    .with_precision(18)
                    .with_scale(10),
            };
            Arc::new(field.build().unwrap())
        };
        let schema = Type::group_type_builder("bill").with_fields(columns.iter().map(field).collect());
        let properties = Arc::new(
            WriterProperties::builder()
                .set_compression(parquet::basic::Compression::SNAPPY)
                .build(),
        );
        let mut bytes = Vec::new();
        let mut file = SerializedFileWriter::new(&mut bytes, Arc::new(schema.build().unwrap()), properties).unwrap();
        let mut group = file.next_row_group().unwrap();
        for column in columns {
            let mut writer = group.next_column().unwrap().unwrap();
            match column {
                Column::Text(_, values) => {
                    let values: Vec<ByteArray> = values.iter().map(|v| ByteArray::from(*v)).collect();
                    writer
                        .typed::<ByteArrayType>()
                        .write_batch(&values, None, None)
                        .unwrap();
                }
                Column::Optional(_, values) => {
                    let levels: Vec<i16> = values.iter().map(|v| i16::from(v.is_some())).collect();
                    let values: Vec<ByteArray> = values.iter().flatten().map(|v| ByteArray::from(v.as_str())).collect();
                    let writer = writer.typed::<ByteArrayType>();
                    writer.write_batch(&values, Some(&levels), None).unwrap();
                }
                Column::Millis(_, values) | Column::Decimal(_, values) => {
                    writer.typed::<Int64Type>().write_batch(values, None, None).unwrap();
                }
                Column::Double(_, values) => {
                    writer.typed::<DoubleType>().write_batch(values, None, None).unwrap();
                }
            }
            writer.close().unwrap();
        }
        group.close().unwrap();
        file.close().unwrap();
        bytes
    }

    fn focus() -> Vec<u8> {
        let (start, end) = (1_790_812_800_000, 1_793_491_200_000);
        write(&[
            Column::Decimal("BilledCost", vec![12_345_678_901, -5_000_000_000, 1]),
            Column::Double("EffectiveCost", vec![1e-7, 0.1, 0.2]),
            Column::Text("BillingCurrency", vec!["USD", "USD", "nothing"]),
            Column::Text("BillingAccountId", vec!["a", "a", "a"]),
            Column::Millis("BillingPeriodStart", vec![start; 3]),
            Column::Millis("BillingPeriodEnd", vec![end; 3]),
            Column::Millis("ChargePeriodStart", vec![start + 3_600_000; 3]),
            Column::Text("ChargeCategory", vec!["Usage", "Credit", "Usage"]),
            Column::Text("ProviderName", vec!["AWS", "AWS", "AWS"]),
            Column::Text("Tags", vec![r#"{"team":"ads"}"#, "{}", "{}"]),
        ])
    }

    fn costs(kept: &Kept, basis: Basis) -> String {
        let rows = kept
            .bills
            .iter()
            .flat_map(|b| b.rows.iter())
            .filter(|(key, _)| key.basis == basis);
        rows.map(|(_, sums)| sums.cost).sum::<Decimal>().normalize().to_string()
    }

    #[test]
    fn rows_are_those_of_the_same_table_as_text() {
        let kept = read_text("bill.parquet", focus());
        assert_eq!((kept.bills.len(), kept.rejected.len()), (1, 1));
        assert_eq!(
            (kept.rejected[0].line, kept.rejected[0].field.as_deref()),
            (3, Some("BillingCurrency"))
        );
        assert_eq!(costs(&kept, Basis::Billed), "0.7345678901");
        assert_eq!(costs(&kept, Basis::Effective), "0.1000001");
        let bill = &kept.bills[0];
        assert_eq!(bill.identity, "test/aws/a/2026-10-01");
        assert!(
            bill.rows
                .iter()
                .any(|(key, _)| key.dimensions.get(Dimension::Team).as_str() == "ads")
        );
    }

    #[test]
    fn cur_columns_are_understood() {
        let kept = read_text(
            "cur.parquet",
            write(&[
                Column::Text("line_item_line_item_type", vec!["Usage"]),
                Column::Text("bill_billing_period_start_date", vec!["2026-10-01T00:00:00Z"]),
                Column::Millis("line_item_usage_start_date", vec![1_790_812_800_000]),
                Column::Double("line_item_unblended_cost", vec![0.0102]),
                Column::Text("line_item_product_code", vec!["AmazonBedrock"]),
            ]),
        );
        assert_eq!(
            (kept.bills.len(), costs(&kept, Basis::Billed)),
            (1, "0.0102".to_owned())
        );
    }

    #[test]
    fn damaged_and_foreign_files_are_told() {
        let whole = focus();
        for cut in [5, 20, 200, whole.len() / 2, whole.len() - 5] {
            let kept = read_text("bill.parquet", &whole[..cut]);
            assert_eq!((kept.bills.len(), kept.rejected.len()), (0, 1), "{cut}");
        }
        for at in (4..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x5A;
            // Whatever comes of it, it comes back.
            read_text("bill.parquet", damaged);
        }
        let kept = read_text("x.parquet", write(&[Column::Double("x", vec![1.0])]));
        assert!(kept.rejected[0].reason.contains("no known usage format"));
    }

    #[test]
    fn files_without_rows_are_no_copies_of_each_other() {
        let bill = |account: &'static str, rows: usize| {
            let (start, end) = (1_790_812_800_000, 1_793_491_200_000);
            let text = |name, value: &'static str| Column::Text(name, vec![value; rows]);
            let times = |name, at: i64| Column::Millis(name, vec![at; rows]);
            write(&[
                Column::Double("BilledCost", vec![1.5; rows]),
                Column::Double("EffectiveCost", vec![1.5; rows]),
                text("BillingCurrency", "USD"),
                text("BillingAccountId", account),
                times("BillingPeriodStart", start),
                times("BillingPeriodEnd", end),
                times("ChargePeriodStart", start),
                text("ChargeCategory", "Usage"),
                text("ProviderName", "AWS"),
            ])
        };
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: Vec<u8>| std::fs::write(folder.path().join(name), bytes).unwrap();
        let mut kept = Kept::default();
        for (name, account) in [("a.parquet", "a"), ("b.parquet", "b"), ("copy of b.parquet", "b")] {
            put(name, bill(account, 2));
        }
        read_on(folder.path(), &["."], &mut kept);
        assert_eq!((kept.bills.len(), costs(&kept, Basis::Billed).as_str()), (2, "6"));
        // Another month begins: what they told stays.
        (kept.bills, kept.warnings) = Default::default();
        for name in ["a.parquet", "b.parquet", "copy of b.parquet"] {
            put(name, bill("", 0));
        }
        read_on(folder.path(), &["."], &mut kept);
        assert!(kept.bills.is_empty(), "{:?}", kept.bills);
        let told: Vec<_> = kept.warnings.iter().collect();
        assert!(
            told.len() == 1 && told[0].0.contains("have no rows any more") && *told[0].1 == 2,
            "{told:?}"
        );
    }

    /// Values by turns that differ from column to column, so that rows meet again and again, and in ever new ways.
    fn turns(texts: &[&'static str], rows: usize, step: usize) -> Vec<Option<String>> {
        let text = |row: usize| texts[(row * step + row / 7 * (step + 3) + row / 611) % texts.len()];
        (0..rows).map(text).map(|t| (t != "-").then(|| t.to_owned())).collect()
    }

    #[test]
    fn many_rows_give_the_bills_and_faults_that_they_give_as_text() {
        const ROWS: usize = 9_001;
        let billed: Vec<f64> = (0..ROWS)
            .map(|row| [0.1, -7.25, 3e-7, 1_234.567_8, 0.1 + 0.2, 0.0][row % 6] * if row % 11 == 0 { 3.0 } else { 1.0 })
            .collect();
        let effective: Vec<i64> = (0..ROWS)
            .map(|row| (row as i64 * 7_919 % 1_000_003 - 300_000) * 1_000)
            .collect();
        let named: Vec<Option<String>> = (0..ROWS)
            .map(|row| (row % 5 > 0).then(|| format!("{{\"team\":\"t{}\",\"Name\":\"{row}\"}}", row % 3)))
            .collect();
        let texts = [
            (
                "BillingCurrency",
                turns(&["USD", "USD ", "USD", "EUR", " dollars"], ROWS, 1),
            ),
            ("BillingAccountId", turns(&["a", "b", " b ", "-"], ROWS, 5)),
            (
                "BillingPeriodStart",
                turns(&["2026-10-01T00:00:00Z", "2026-09-01"], ROWS, 3),
            ),
            (
                "BillingPeriodEnd",
                turns(&["2026-11-01T00:00:00Z", "2026-10-01", "2026-11-01"], ROWS, 2),
            ),
            (
                "ChargePeriodStart",
                turns(
                    &[
                        "2026-10-05T07:00:00Z",
                        "2026-10-05 08:00:00 ",
                        "1790812800",
                        "noon ",
                        "-",
                    ],
                    ROWS,
                    7,
                ),
            ),
            (
                "ChargeCategory",
                turns(&["Usage", "Credit", "usage", "Usage  ", "Tax"], ROWS, 3),
            ),
            ("ProviderName", turns(&["AWS", "-", "NULL", " null ", "  "], ROWS, 2)),
            (
                "ServiceName",
                turns(&["Bedrock", "Storage, all", "Say \"it\" ", "-"], ROWS, 9),
            ),
            ("ConsumedUnit", turns(&["1K tokens ", "Hours", "-", "Tokens"], ROWS, 5)),
            ("ConsumedQuantity", turns(&["12", " 0.5", "-", "much "], ROWS, 7)),
            (
                "SkuMeter",
                turns(&["input", "output tokens", "cache read", "4o out ", "-"], ROWS, 3),
            ),
            ("Tags", named),
        ];
        let mut columns = vec![
            Column::Double("BilledCost", billed.clone()),
            Column::Decimal("EffectiveCost", effective.clone()),
        ];
        columns.extend(
            texts
                .iter()
                .map(|(name, values)| Column::Optional(name, values.clone())),
        );
        let stored = read_text("bill.parquet", write(&columns));

        let mut table = csv::Writer::from_writer(Vec::new());
        table
            .write_record(
                ["BilledCost", "EffectiveCost"]
                    .into_iter()
                    .chain(texts.iter().map(|(name, _)| *name)),
            )
            .unwrap();
        for row in 0..ROWS {
            let costs = [billed[row].to_string(), Decimal::new(effective[row], 10).to_string()];
            let others = texts.iter().map(|(_, values)| values[row].clone().unwrap_or_default());
            table.write_record(costs.into_iter().chain(others)).unwrap();
        }
        let written = read_text("bill.csv", table.into_inner().unwrap());

        assert!(stored.rejected.len() > 100 && stored.bills.len() > 4);
        let faults = |kept: &Kept, header: u64| -> Vec<_> {
            let rejected = kept.rejected.iter();
            rejected
                .map(|r| (r.line - header, r.field.clone(), r.reason.clone()))
                .collect()
        };
        assert_eq!(faults(&stored, 0), faults(&written, 1));
        assert_eq!(stored.bills, written.bills);
    }
}
