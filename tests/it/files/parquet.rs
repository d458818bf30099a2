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

    use super::super::Kept;
    use super::read_text;

    enum Column {
        Text(&'static str, Vec<&'static str>),
        Millis(&'static str, Vec<i64>),
        Double(&'static str, Vec<f64>),
        /// With ten digits behind the point.
        Decimal(&'static str, Vec<i64>),
    }

    fn write(columns: &[Column]) -> Vec<u8> {
        let field = |column: &Column| {
            let (name, physical) = match column {
                Column::Text(name, _) => (name, Physical::BYTE_ARRAY),
                Column::Millis(name, _) | Column::Decimal(name, _) => (name, Physical::INT64),
                Column::Double(name, _) => (name, Physical::DOUBLE),
            };
            let field = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
            let field = match column {
                Column::Text(..) => field.with_logical_type(Some(LogicalType::String)),
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
            .flat_map(|b| &b.rows)
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
        assert_eq!(bill.identity, "test/a/2026-10-01");
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
}
