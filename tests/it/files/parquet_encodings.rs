//! Parquet bills however their values are encoded: they are the bills that the same rows are as text.
#![cfg(feature = "parquet")]

mod cur;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{
    Compression, ConvertedType, Encoding, GzipLevel, LogicalType, Repetition, Type as Physical, ZstdLevel,
};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::file::metadata::{ParquetMetaDataReader, ParquetMetaDataWriter};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type, TypePtr};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{Kept, read_text};
use finops::adapters::files::{Asked, FileSource, FileSourceOptions, WholeDays};
use finops::domain::dimension::{Dimension, Dimensions};
use finops::domain::label::Label;
use finops::domain::period::Hour;
use finops::domain::spend::{Basis, SpendKey, SpendRows, Sums, TokenSums};
use finops::ports::UsageSource;

/// How a column is stored.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Text,
    /// Bytes of which nobody says that they are text.
    Bytes,
    Millis,
    Micros,
    Double,
    Float,
    /// Decimals with so many digits behind the point.
    Int(u32),
    Long(u32),
    Fixed(u32, i32),
    Decimal(u32),
    /// Keys and values, which the text has as JSON.
    Map,
    /// One value for each of [`FIELDS`], some of them none.
    Group,
}

/// The fields of a column that is a group.
const FIELDS: [&str; 3] = ["team", "user:user", "Name"];

/// A value: a number of [`Kind`], or the position of a text.
type Value = Option<i64>;

#[derive(Clone, Debug)]
struct Column {
    name: &'static str,
    kind: Kind,
    /// Whether the schema allows that there is no value.
    optional: bool,
    texts: &'static [&'static str],
    values: Vec<Value>,
}

impl Column {
    /// Of a map or a group.
    fn nested(&self) -> Option<TypePtr> {
        let text = |name: &str, repetition| {
            let field = Type::primitive_type_builder(name, Physical::BYTE_ARRAY).with_repetition(repetition);
            Arc::new(field.with_logical_type(Some(LogicalType::String)).build().unwrap())
        };
        let group = Type::group_type_builder(self.name).with_repetition(if self.optional {
            Repetition::OPTIONAL
        } else {
            Repetition::REQUIRED
        });
        let group = match self.kind {
            Kind::Map => {
                let fields = vec![text("key", Repetition::REQUIRED), text("value", Repetition::OPTIONAL)];
                let pairs = Type::group_type_builder("key_value").with_repetition(Repetition::REPEATED);
                let pairs = pairs.with_fields(fields).build().unwrap();
                let group = group.with_logical_type(Some(LogicalType::Map));
                group.with_fields(vec![Arc::new(pairs)])
            }
            Kind::Group => group.with_fields(FIELDS.map(|name| text(name, Repetition::OPTIONAL)).into()),
            _ => return None,
        };
        Some(Arc::new(group.build().unwrap()))
    }

    /// Where its values are.
    fn paths(&self) -> Vec<ColumnPath> {
        let path = |parts: &[&str]| ColumnPath::new(parts.iter().map(|part| (*part).to_owned()).collect());
        match self.kind {
            Kind::Map => ["key", "value"]
                .map(|leaf| path(&[self.name, "key_value", leaf]))
                .into(),
            Kind::Group => FIELDS.map(|leaf| path(&[self.name, leaf])).into(),
            _ => vec![path(&[self.name])],
        }
    }

    /// The keys and values of a map or a group.
    fn pairs(&self, at: i64) -> Vec<(String, Option<String>)> {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(self.text(at)).unwrap();
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        match self.kind {
            Kind::Group => FIELDS
                .iter()
                .map(|name| ((*name).to_owned(), object.get(*name).and_then(text)))
                .collect(),
            _ => object.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
        }
    }

    /// Writes one of the leaves of a map or a group.
    fn write_leaf(&self, writer: &mut ColumnWriter<'_>, leaf: usize, rows: std::ops::Range<usize>) {
        let (mut values, mut levels, mut repeats) = (Vec::new(), Vec::new(), Vec::new());
        let outer = i16::from(self.optional);
        let repeated = i16::from(self.kind == Kind::Map);
        for value in &self.values[rows] {
            let pairs = value.map(|at| self.pairs(at)).unwrap_or_default();
            let pairs = match self.kind {
                Kind::Group => value.and(pairs.get(leaf).cloned()).into_iter().collect(),
                _ => pairs,
            };
            if pairs.is_empty() {
                levels.push(if value.is_some() { outer } else { 0 });
                repeats.push(0);
            }
            for (at, (key, value)) in pairs.into_iter().enumerate() {
                let is_key = self.kind == Kind::Map && leaf == 0;
                let value = if is_key { Some(key) } else { value };
                let present = i16::from(value.is_some() && !is_key);
                levels.push(outer + repeated + present);
                repeats.push(i16::from(at > 0));
                values.extend(value.map(|value| ByteArray::from(value.into_bytes())));
            }
        }
        let ColumnWriter::ByteArrayColumnWriter(writer) = writer else {
            panic!()
        };
        let repeats = (self.kind == Kind::Map).then_some(repeats.as_slice());
        writer.write_batch(&values, Some(&levels), repeats).unwrap();
    }

    fn field(&self) -> TypePtr {
        if let Some(nested) = self.nested() {
            return nested;
        }
        let (physical, length) = match self.kind {
            Kind::Text | Kind::Bytes | Kind::Decimal(_) => (Physical::BYTE_ARRAY, 0),
            Kind::Millis | Kind::Micros | Kind::Long(_) => (Physical::INT64, 0),
            Kind::Double => (Physical::DOUBLE, 0),
            Kind::Float => (Physical::FLOAT, 0),
            Kind::Int(_) => (Physical::INT32, 0),
            Kind::Fixed(_, length) => (Physical::FIXED_LEN_BYTE_ARRAY, length),
            Kind::Map | Kind::Group => panic!(),
        };
        let field = Type::primitive_type_builder(self.name, physical).with_length(length);
        let field = field.with_repetition(if self.optional {
            Repetition::OPTIONAL
        } else {
            Repetition::REQUIRED
        });
        let decimal = |precision, scale| (ConvertedType::DECIMAL, precision, i32::try_from(scale).unwrap());
        let (converted, precision, scale) = match self.kind {
            Kind::Text => {
                let field = field.with_logical_type(Some(LogicalType::String));
                return Arc::new(field.build().unwrap());
            }
            Kind::Bytes | Kind::Double | Kind::Float => (ConvertedType::NONE, -1, -1),
            Kind::Millis => (ConvertedType::TIMESTAMP_MILLIS, -1, -1),
            Kind::Micros => (ConvertedType::TIMESTAMP_MICROS, -1, -1),
            Kind::Int(scale) => decimal(9, scale),
            Kind::Long(scale) => decimal(18, scale),
            Kind::Fixed(scale, length) => decimal(if length < 16 { 11 } else { 38 }, scale),
            Kind::Decimal(scale) => decimal(18, scale),
            Kind::Map | Kind::Group => panic!(),
        };
        let field = field.with_converted_type(converted).with_precision(precision);
        Arc::new(field.with_scale(scale).build().unwrap())
    }

    fn present(&self) -> impl Iterator<Item = i64> + '_ {
        self.values.iter().flatten().copied()
    }

    fn text(&self, at: i64) -> &'static str {
        self.texts[usize::try_from(at).unwrap() % self.texts.len()]
    }

    fn float(at: i64) -> f64 {
        [0.1, -7.25, 3e-7, 1_234.567_8, 0.1 + 0.2, 0.0, 1e18, 12.0][usize::try_from(at).unwrap() % 8]
    }

    /// As a table of text has it.
    fn shown(&self, value: Value) -> String {
        let Some(value) = value else { return String::new() };
        match self.kind {
            Kind::Text | Kind::Bytes => self.text(value).to_owned(),
            Kind::Map | Kind::Group => {
                let pairs = self.pairs(value).into_iter();
                serde_json::Value::from(
                    pairs
                        .map(|(key, value)| (key, value.into()))
                        .collect::<serde_json::Map<_, _>>(),
                )
                .to_string()
            }
            Kind::Millis | Kind::Micros => value.to_string(),
            Kind::Double => Self::float(value).to_string(),
            Kind::Float => (Self::float(value) as f32).to_string(),
            Kind::Int(scale) | Kind::Long(scale) | Kind::Fixed(scale, _) | Kind::Decimal(scale) => {
                Decimal::new(value, scale).to_string()
            }
        }
    }

    fn write(&self, writer: &mut ColumnWriter<'_>, rows: std::ops::Range<usize>) {
        let part = Column {
            values: self.values[rows].to_vec(),
            ..self.clone()
        };
        let levels: Vec<i16> = part.values.iter().map(|v| i16::from(v.is_some())).collect();
        let levels = self.optional.then_some(levels.as_slice());
        macro_rules! write {
            ($writer:expr, $of:expr) => {{
                let values: Vec<_> = part.present().map($of).collect();
                $writer.write_batch(&values, levels, None).unwrap();
            }};
        }
        match writer {
            ColumnWriter::Int32ColumnWriter(writer) => write!(writer, |v| i32::try_from(v).unwrap()),
            ColumnWriter::Int64ColumnWriter(writer) => write!(writer, |v| v),
            ColumnWriter::DoubleColumnWriter(writer) => write!(writer, Self::float),
            ColumnWriter::FloatColumnWriter(writer) => write!(writer, |v| Self::float(v) as f32),
            ColumnWriter::FixedLenByteArrayColumnWriter(writer) => {
                let Kind::Fixed(_, length) = self.kind else { panic!() };
                let start = 16 - usize::try_from(length).unwrap();
                write!(writer, |v| FixedLenByteArray::from(
                    i128::from(v).to_be_bytes()[start..].to_vec()
                ));
            }
            ColumnWriter::ByteArrayColumnWriter(writer) => match self.kind {
                Kind::Decimal(_) => write!(writer, |v: i64| ByteArray::from(v.to_be_bytes().to_vec())),
                _ => write!(writer, |v| ByteArray::from(self.text(v))),
            },
            ColumnWriter::BoolColumnWriter(_) | ColumnWriter::Int96ColumnWriter(_) => panic!(),
        }
    }
}

fn stored(columns: &[Column], properties: WriterProperties, group: usize) -> Vec<u8> {
    let fields = columns.iter().map(Column::field).collect();
    let schema = Type::group_type_builder("bill").with_fields(fields).build().unwrap();
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::new(properties)).unwrap();
    let rows = columns[0].values.len();
    for start in (0..rows).step_by(group) {
        let mut writer = file.next_row_group().unwrap();
        for column in columns {
            let rows = start..rows.min(start + group);
            for leaf in 0..column.paths().len() {
                let mut of_column = writer.next_column().unwrap().unwrap();
                match column.kind {
                    Kind::Map | Kind::Group => column.write_leaf(of_column.untyped(), leaf, rows.clone()),
                    _ => column.write(of_column.untyped(), rows.clone()),
                }
                of_column.close().unwrap();
            }
        }
        writer.close().unwrap();
    }
    file.close().unwrap();
    bytes
}

fn written(columns: &[Column]) -> Vec<u8> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(columns.iter().map(|c| c.name)).unwrap();
    for row in 0..columns[0].values.len() {
        table
            .write_record(columns.iter().map(|c| c.shown(c.values[row])))
            .unwrap();
    }
    table.into_inner().unwrap()
}

fn faults(kept: &Kept, header: u64) -> Vec<(u64, Option<String>, String)> {
    let rejected = kept.rejected.iter();
    rejected
        .map(|r| (r.line.saturating_sub(header), r.field.clone(), r.reason.clone()))
        .collect()
}

/// How a file is written.
#[derive(Clone, Debug)]
struct Way {
    dictionary: bool,
    /// Bytes of a dictionary, after which the rest of the chunk has its values themselves.
    overflow: usize,
    newer: bool,
    page_rows: usize,
    delta: bool,
    compression: Compression,
    index: bool,
    group: usize,
    /// One column that is written the other way.
    odd: usize,
}

impl Way {
    fn properties(&self, columns: &[Column]) -> WriterProperties {
        let mut properties = WriterProperties::builder()
            .set_writer_version(if self.newer {
                WriterVersion::PARQUET_2_0
            } else {
                WriterVersion::PARQUET_1_0
            })
            .set_compression(self.compression)
            .set_dictionary_enabled(self.dictionary)
            .set_dictionary_page_size_limit(self.overflow)
            .set_data_page_row_count_limit(self.page_rows)
            .set_write_batch_size(self.page_rows.min(64))
            .set_offset_index_disabled(!self.index);
        for (at, column) in columns.iter().enumerate() {
            if at % 11 == self.odd % 11 {
                // Of a map only its values, so that keys are written in one way and values in another.
                let path = column.paths().pop().unwrap();
                properties = properties.set_column_dictionary_enabled(path, !self.dictionary);
            }
            if self.delta {
                properties = Self::delta(properties, column);
            }
        }
        properties.build()
    }

    fn delta(mut properties: WriterPropertiesBuilder, column: &Column) -> WriterPropertiesBuilder {
        let encoding = match column.kind {
            Kind::Text | Kind::Bytes | Kind::Decimal(_) => Encoding::DELTA_LENGTH_BYTE_ARRAY,
            Kind::Map | Kind::Group => Encoding::DELTA_BYTE_ARRAY,
            Kind::Millis | Kind::Micros | Kind::Int(_) | Kind::Long(_) => Encoding::DELTA_BINARY_PACKED,
            Kind::Double | Kind::Float => Encoding::BYTE_STREAM_SPLIT,
            Kind::Fixed(..) => Encoding::DELTA_BYTE_ARRAY,
        };
        for path in column.paths() {
            properties = properties.set_column_encoding(path, encoding);
        }
        properties
    }
}

fn ways() -> impl Strategy<Value = Way> {
    let sizes = (
        prop_oneof![Just(1_usize << 20), 16_usize..400],
        prop_oneof![Just(20_000_usize), 1_usize..300],
        prop_oneof![Just(usize::MAX >> 1), 40_usize..700],
    );
    let compression = prop::sample::select(vec![
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::SNAPPY,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::GZIP(GzipLevel::default()),
        Compression::LZ4_RAW,
    ]);
    let ways = (any::<[bool; 4]>(), compression, sizes, 0_usize..22);
    ways.prop_map(|(flags, compression, (overflow, page_rows, group), odd)| Way {
        dictionary: flags[0],
        newer: flags[1],
        delta: flags[2],
        compression,
        index: flags[3],
        overflow,
        page_rows,
        group,
        odd,
    })
}

/// Everything, or what a report may need.
fn questions() -> impl Strategy<Value = Option<Asked>> {
    let dimensions = prop::sample::subsequence(Dimension::ALL.to_vec(), 0..4);
    let basis = prop::sample::select(vec![None, Some(Basis::Billed), Some(Basis::Effective)]);
    let first = START / 3_600_000;
    let days = prop::option::of(prop_oneof![
        Just(WholeDays::default()),
        (0_i64..3, prop::option::of(0_i64..60)).prop_map(move |(except, before)| WholeDays {
            before: before.map(|hour| Hour(first + hour)),
            except: vec![Hour(first + except * 24)],
        }),
    ]);
    let asked = (dimensions, basis, days, any::<bool>()).prop_map(|(dimensions, basis, days, tokens)| Asked {
        dimensions,
        basis,
        tokens,
        days,
    });
    prop::option::of(asked)
}

/// Writes one file and reads what is asked of it.
fn read(name: &str, content: Vec<u8>, asked: Option<Asked>) -> Kept {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), content).unwrap();
    let mut source = FileSource::new(FileSourceOptions {
        name: Label::new("test"),
        format: None,
        paths: vec![name.to_owned()],
        base: folder.path().to_owned(),
        defaults: Vec::new(),
        columns: None,
        asked,
        latest: super::time("2026-12-01T00:00:00Z"),
        env: |_| None,
    });
    let mut kept = Kept::default();
    source.read(&HashMap::new(), &mut kept).unwrap();
    kept
}

const TAGS: [&str; 7] = [
    r#"{"team":"ads"}"#,
    r#"{"team":"search","project":"p-1"}"#,
    "{}",
    "",
    r#"{"user_agent":"x","user:user":"ann"}"#,
    "{",
    r#"{"team":"ads","Name":"a name that is longer than a few bytes"}"#,
];

/// Tags that a map can hold.
const MAPS: [&str; 8] = [
    r#"{"team":"ads"}"#,
    // Blanks within a map are part of it.
    r#"{"project":"p-1 ","team":" ads"}"#,
    r#"{"project":"p-1","team":"search"}"#,
    "{}",
    r#"{"user:user":"ann","user_agent":"x"}"#,
    r#"{"project":"p-2","team":null}"#,
    r#"{"Name":"a name that is longer than a few bytes","team":"ads"}"#,
    r#"{"Name":"","team":""}"#,
];

/// A column of these texts.
fn texts(name: &'static str, texts: &'static [&'static str]) -> (&'static str, Kind, &'static [&'static str], i64) {
    (name, Kind::Text, texts, 0)
}

/// Instants of no bill, whatever they count.
const NO_TIMES: [i64; 2] = [-1_000, 250_000_000_000_000];

/// The first instant of the bills.
const START: i64 = 1_790_812_800_000;

/// What a report that asks for no more than this sums up, from all that a bill holds.
fn narrowed(asked: &Asked, rows: &SpendRows) -> Vec<(SpendKey, Sums)> {
    let mut sums: BTreeMap<SpendKey, Sums> = BTreeMap::new();
    for (key, of) in rows
        .iter()
        .filter(|(key, _)| asked.basis.is_none_or(|b| b == key.basis))
    {
        let mut dimensions = Dimensions::default();
        for dimension in &asked.dimensions {
            dimensions.set(*dimension, key.dimensions.get(*dimension));
        }
        let hour = match &asked.days {
            Some(days)
                if days.before.is_none_or(|end| key.hour.day() < end) && !days.except.contains(&key.hour.day()) =>
            {
                key.hour.day()
            }
            _ => key.hour,
        };
        let key = SpendKey {
            hour,
            dimensions,
            ..key
        };
        let mut of = of;
        if !asked.tokens {
            of.tokens = TokenSums::default();
        }
        sums.entry(key).or_default().add(&of).unwrap();
    }
    sums.into_iter().collect()
}

/// The same table without anything that is rejected.
fn sound(columns: Vec<Column>) -> Vec<Column> {
    let sound = |mut column: Column| {
        column.texts = match column.name {
            "BillingCurrency" => &["USD", "USD", "EUR"],
            "Tags" if column.kind == Kind::Text => &TAGS[..5],
            "BilledCost" | "EffectiveCost" => &["1.5", "-0.25", "1.125"],
            "ConsumedQuantity" | "PricingQuantity" => &["1.5", "-0.25", "NULL", "1e3", ""],
            _ => column.texts,
        };
        let time = column.name.ends_with("Start") || column.name.ends_with("End");
        let needed =
            time || ["BilledCost", "EffectiveCost", "BillingCurrency", "ChargeCategory"].contains(&column.name);
        for value in &mut column.values {
            value.take_if(|value| time && NO_TIMES.contains(value));
        }
        let given = column.values.iter().flatten().next().copied();
        let given = given.unwrap_or(if time { START } else { 0 });
        let double = matches!(column.kind, Kind::Double | Kind::Float);
        for value in &mut column.values {
            *value = value.or(needed.then_some(given));
            // Sums of large amounts and of many digits are more than a decimal holds.
            if let Some(number) = value
                .as_mut()
                .filter(|number| double && [4, 6].contains(&(**number % 8)))
            {
                *number += 1;
            }
        }
        column
    };
    columns.into_iter().map(sound).collect()
}

/// A table of so many rows that depends on two numbers alone: values come in runs, by turns, and one by one.
fn table(rows: usize, seed: u64, pick: u64) -> Vec<Column> {
    let (start, hour) = (START, 3_600_000);
    let money = [
        Kind::Long(10),
        Kind::Double,
        Kind::Fixed(6, 16),
        Kind::Int(4),
        Kind::Decimal(9),
        Kind::Fixed(3, 5),
        Kind::Text,
        Kind::Float,
    ];
    let money = |at: u64| money[usize::try_from((pick >> (at * 3)) % 8).unwrap()];
    let amounts: &[&str] = &[
        "1.5",
        "-0.25",
        "much",
        "1e3",
        "NULL",
        " 0.75 ",
        "12345678901234567890.5",
        "1000000000000",
    ];
    let columns = [
        ("BilledCost", money(0), amounts, 90_000_000),
        ("EffectiveCost", money(1), amounts, 70_000_000),
        texts("BillingCurrency", &["USD", "USD", "USD", "USD", "EUR", "dollars"]),
        texts("BillingAccountId", &["a", "b", "b "]),
        ("BillingPeriodStart", Kind::Millis, &[], start),
        ("BillingPeriodEnd", Kind::Micros, &[], (start + 31 * 24 * hour) * 1000),
        ("ChargePeriodStart", Kind::Millis, &[], start),
        texts("ChargeCategory", &["Usage", "Usage ", "Credit", "usage", "Tax"]),
        texts("ProviderName", &["AWS", "", "NULL"]),
        texts("SubAccountId", &["s1", "s2", "s3", "s4"]),
        texts("ServiceName", &["Bedrock", "Storage, all", "Say \"it\"", ""]),
        texts("x_Model", &["m1", "", "acme.model-2"]),
        texts("ConsumedUnit", &["1K tokens", "Hours", "", "Tokens"]),
        ("ConsumedQuantity", money(2), amounts, 900_000),
        texts("PricingUnit", &["Tokens", " 1M tokens ", "GB"]),
        ("PricingQuantity", money(3), amounts, 900_000),
        (
            "SkuMeter",
            Kind::Bytes,
            &["input", "output tokens", "cache read", ""],
            0,
        ),
        texts("ChargeDescription", &["completion", "nothing", "prompt"]),
        match (pick >> 40) % 4 {
            0 => ("Tags", Kind::Map, &MAPS, 0),
            1 => ("Tags", Kind::Group, &MAPS, 0),
            _ => texts("Tags", &TAGS),
        },
    ];
    let mut state = seed | 1;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let column = |(name, kind, texts, base): (&'static str, Kind, &'static [&'static str], i64)| {
        let (turns, optional) = (random() % 4, random() % 3 > 0);
        let mut last = 0;
        let values = (0..rows).map(|row| {
            let next = i64::try_from(random()).unwrap();
            last = match turns {
                0 => i64::try_from(row / 97).unwrap(),
                1 => i64::try_from(row % 5).unwrap(),
                2 if next % 50 > 0 => last,
                _ => next % 4_000,
            };
            let hours = |unit: i64| base + last % 40 * hour * unit;
            let value = match kind {
                Kind::Text | Kind::Bytes | Kind::Double | Kind::Float | Kind::Map | Kind::Group => last,
                // Of no bill: long before, or long behind.
                Kind::Millis | Kind::Micros if turns == 3 && last % 61 == 60 => NO_TIMES[row % 2],
                Kind::Millis if name == "ChargePeriodStart" => hours(1),
                Kind::Millis | Kind::Micros => base,
                Kind::Int(_) | Kind::Long(_) | Kind::Fixed(..) | Kind::Decimal(_) => (last - 1_000) * (base / 9_000),
            };
            Some(value).filter(|_| !optional || next % 13 > 0)
        });
        let values = values.collect();
        Column {
            name,
            kind,
            optional,
            texts,
            values,
        }
    };
    columns.map(column).into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn any_encoding_gives_the_bills_and_faults_of_the_rows_as_text(
        rows in prop_oneof![4 => 1_usize..600, 1 => Just(4_500)], seed in any::<u64>(), pick in any::<u64>(), way in ways(),
        asked in questions(),
    ) {
        let columns = table(rows, seed, pick);
        let text = read("bill.csv", written(&columns), asked.clone());
        let binary = read("bill.parquet", stored(&columns, way.properties(&columns), way.group), asked);
        prop_assert_eq!(faults(&binary, 0), faults(&text, 1));
        prop_assert_eq!(binary.bills, text.bills);
    }

    #[test]
    fn what_is_asked_of_a_bill_is_what_all_of_it_sums_up_to(
        rows in prop_oneof![4 => 1_usize..600, 1 => Just(4_500)], seed in any::<u64>(), pick in any::<u64>(), way in ways(),
        asked in questions(),
    ) {
        let Some(asked) = asked else { return Ok(()) };
        let columns = sound(table(rows, seed, pick));
        let bytes = stored(&columns, way.properties(&columns), way.group);
        let whole = read("bill.parquet", bytes.clone(), None);
        let part = read("bill.parquet", bytes, Some(asked.clone()));
        prop_assert_eq!(faults(&whole, 0), vec![]);
        prop_assert_eq!(faults(&part, 0), vec![]);
        // Where the provider is not asked for, its bills are not told apart.
        let all = |kept: &Kept| kept.bills.iter().flat_map(|bill| bill.rows.iter().collect::<Vec<_>>()).collect::<SpendRows>();
        prop_assert_eq!(narrowed(&asked, &all(&part)), narrowed(&asked, &all(&whole)));
    }

    #[test]
    fn damage_is_a_failure_of_the_file_alone(
        seed in any::<u64>(), pick in any::<u64>(), way in ways(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..12),
    ) {
        let columns = table(300, seed, pick);
        let mut bytes = stored(&columns, way.properties(&columns), way.group);
        for (at, bits) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
        }
        // Whatever comes of it, it comes back, and a bill that was read in part replaces none.
        let kept = read_text("bill.parquet", bytes);
        // A bill that comes to too much is of no file.
        let of_the_file = kept.rejected.iter().any(|r| r.line == 0 && !r.file.is_empty());
        prop_assert!(!of_the_file || kept.bills.is_empty());
    }
}

/// Columns of so many cents each in one hour.
fn bill_of(kind: Kind, cents: &[i64]) -> Vec<Column> {
    let hour = 3_600_000;
    let column = |name, kind, texts: &'static [&'static str], values: Vec<i64>| Column {
        name,
        kind,
        optional: false,
        texts,
        values: values.into_iter().map(Some).collect(),
    };
    let all = |value: i64| vec![value; cents.len()];
    vec![
        column("BilledCost", kind, &[], cents.to_vec()),
        column("EffectiveCost", Kind::Long(10), &[], all(10_000_000_000)),
        column("BillingCurrency", Kind::Text, &["USD"], all(0)),
        column("BillingPeriodStart", Kind::Millis, &[], all(START)),
        column("BillingPeriodEnd", Kind::Millis, &[], all(START + 31 * 24 * hour)),
        column("ChargePeriodStart", Kind::Millis, &[], all(START)),
        column("ProviderName", Kind::Text, &["AWS"], all(0)),
        column("ChargeCategory", Kind::Text, &["Usage"], all(0)),
    ]
}

#[test]
fn a_cost_that_no_row_has_is_refused_however_it_is_stored() {
    let most = 100_000_000_000_000;
    let mut cents = vec![150; 60];
    for (at, odd) in [(0, most), (30, -most), (31, most - 1), (40, 1 - most), (59, most * 3)] {
        cents[at] = odd;
    }
    for kind in [Kind::Long(2), Kind::Fixed(2, 16), Kind::Decimal(2)] {
        for dictionary in [false, true] {
            for asked in [None, Some(Basis::Billed)] {
                let asked = asked.map(|basis| Asked {
                    basis: Some(basis),
                    ..Asked::everything()
                });
                let columns = bill_of(kind, &cents);
                let text = read("bill.csv", written(&columns), asked.clone());
                let properties = WriterProperties::builder().set_dictionary_enabled(dictionary).build();
                let binary = read("bill.parquet", stored(&columns, properties, 1_000), asked);
                let lines: Vec<u64> = binary.rejected.iter().map(|r| r.line).collect();
                assert_eq!(lines, [1, 31, 60], "{kind:?}");
                assert_eq!(faults(&binary, 0), faults(&text, 1), "{kind:?}");
                assert_eq!(binary.rejected[0].field.as_deref(), Some("BilledCost"));
                let (_, sums) = binary.bills[0].rows.iter().next().unwrap();
                assert_eq!(
                    (sums.events, sums.cost.normalize().to_string()),
                    (57, "82.5".to_owned()),
                    "{kind:?}"
                );
                assert_eq!(binary.bills, text.bills, "{kind:?}");
            }
        }
    }
}

#[test]
fn a_quantity_that_cannot_be_read_is_told_and_its_row_counts() {
    let rows = 80;
    let mut columns = bill_of(Kind::Long(2), &vec![100; rows]);
    let mut add = |name, texts: &'static [&'static str], value: fn(usize) -> i64| {
        let values = (0..rows).map(|row| Some(value(row))).collect();
        columns.push(Column {
            name,
            kind: Kind::Text,
            optional: false,
            texts,
            values,
        });
    };
    add("ConsumedUnit", &["1K tokens"], |_| 0);
    add("SkuMeter", &["input"], |_| 0);
    add(
        "ConsumedQuantity",
        &["2", "", "NaN", "1e400", "99999999999999999999999"],
        |row| {
            if row % 16 == 7 {
                i64::try_from(row / 16).unwrap()
            } else {
                0
            }
        },
    );
    for basis in [None, Some(Basis::Billed)] {
        let asked = basis.map(|basis| Asked {
            basis: Some(basis),
            ..Asked::everything()
        });
        let text = read("bill.csv", written(&columns), asked.clone());
        let binary = read(
            "bill.parquet",
            stored(&columns, WriterProperties::builder().build(), 1_000),
            asked,
        );
        let told: Vec<_> = binary.rejected.iter().map(|r| (r.line, r.field.as_deref())).collect();
        assert_eq!(told, [40, 56, 72].map(|line| (line, Some("ConsumedQuantity"))));
        assert_eq!(faults(&binary, 0), faults(&text, 1));
        let (_, sums) = binary.bills[0].rows.iter().next().unwrap();
        assert_eq!((sums.events, sums.tokens.total()), (80, 76 * 2_000));
        assert_eq!(binary.bills, text.bills);
    }
}

/// The same file, whose first column says that it is of so many bytes.
fn of_bytes(bytes: &[u8], size: i64) -> Vec<u8> {
    let metadata = ParquetMetaDataReader::new();
    let metadata = metadata.parse_and_finish(&Bytes::from(bytes.to_vec())).unwrap();
    let groups = metadata.row_groups().iter().map(|group| {
        let mut columns = group.columns().to_vec();
        columns[0] = columns[0]
            .clone()
            .into_builder()
            .set_total_compressed_size(size)
            .build()
            .unwrap();
        group
            .clone()
            .into_builder()
            .set_column_metadata(columns)
            .build()
            .unwrap()
    });
    let metadata = metadata.clone().into_builder().set_row_groups(groups.collect()).build();
    let mut out = bytes.to_vec();
    ParquetMetaDataWriter::new(&mut out, &metadata).finish().unwrap();
    out
}

#[test]
fn a_column_that_lies_nowhere_is_a_failure_of_the_file() {
    let columns = sound(table(500, 3, 0));
    let bytes = stored(&columns, WriterProperties::builder().build(), 1_000);
    let kept = read_text("bill.parquet", of_bytes(&bytes, -1));
    assert_eq!((kept.rejected.len(), kept.bills.len()), (1, 0));
    // Before the decoder takes it for granted, and panics.
    assert!(
        kept.rejected[0].reason.contains("a column begins before the file"),
        "{}",
        kept.rejected[0].reason
    );
}

/// The same file, whose row groups say that they have so many rows.
fn claiming(bytes: &[u8], rows: i64) -> Vec<u8> {
    let metadata = ParquetMetaDataReader::new();
    let metadata = metadata.parse_and_finish(&Bytes::from(bytes.to_vec())).unwrap();
    let groups = metadata.row_groups().iter().map(|group| {
        let group = group.clone().into_builder().set_num_rows(rows);
        group.build().unwrap()
    });
    let metadata = metadata.clone().into_builder().set_row_groups(groups.collect()).build();
    let mut out = bytes.to_vec();
    ParquetMetaDataWriter::new(&mut out, &metadata).finish().unwrap();
    out
}

#[test]
fn rows_that_a_file_cannot_hold_are_a_failure_of_the_file() {
    let columns = sound(table(500, 3, 0));
    let bytes = stored(&columns, WriterProperties::builder().build(), 1_000);
    let kept = read_text("bill.parquet", claiming(&bytes, 500));
    assert_eq!((kept.rejected.len(), kept.bills.is_empty()), (0, false));
    for (rows, told) in [
        (1_000_000_000_000, "1000000000000 rows in"),
        (i64::MAX, "rows in"),
        (501, "fewer values than there are rows"),
        (499, "a page of more rows than its row group"),
    ] {
        let kept = read_text("bill.parquet", claiming(&bytes, rows));
        assert_eq!(kept.rejected.len(), 1, "{rows}");
        assert!(kept.rejected[0].reason.contains(told), "{}", kept.rejected[0].reason);
        assert!(kept.bills.is_empty(), "{rows}");
    }
}
