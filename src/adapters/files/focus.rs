//! FOCUS 1.0 to 1.2 cost and usage, as CSV: rows of a bill, summed by hour and dimensions. A billing period is replaced as a
//! whole, since rows have no identity of their own.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};

use chrono::{DateTime, Months, Utc};

use super::reader::{Lines, Step};
use super::time;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::{Label, LabelCache};
use crate::domain::money::{Currency, parse_decimal};
use crate::domain::period::{Hour, Period};
use crate::domain::spend::{Basis, Bill, SpendKey, Sums};
use crate::ports::{Progress, Rejection, Sink, StoreError};

/// Columns without which a row says nothing.
const NEEDED: [&str; 6] = [
    "BilledCost",
    "BillingCurrency",
    "BillingPeriodStart",
    "ChargePeriodStart",
    "ChargeCategory",
    "BillingAccountId",
];

/// The bills of one source, gathered over all of its files.
pub(crate) struct Bills {
    source: Label,
    labels: LabelCache,
    bills: BTreeMap<String, (Period, HashMap<SpendKey, Sums>)>,
}

/// One row with its columns by name; null is empty.
struct Row<'a> {
    columns: &'a HashMap<String, usize>,
    cells: &'a csv::StringRecord,
}

impl Row<'_> {
    fn get(&self, column: &str) -> &str {
        let cell = self
            .columns
            .get(column)
            .and_then(|i| self.cells.get(*i))
            .unwrap_or_default()
            .trim();
        if cell.eq_ignore_ascii_case("null") { "" } else { cell }
    }

    fn time(&self, column: &str) -> Result<DateTime<Utc>, (String, String)> {
        time::parse(self.get(column))
            .map(|i| i.at)
            .ok_or_else(|| (column.to_owned(), "is not a time".to_owned()))
    }
}

impl Bills {
    pub(crate) fn new(source: Label) -> Self {
        Bills {
            source,
            labels: LabelCache::default(),
            bills: BTreeMap::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bills.is_empty()
    }

    /// Reads one file.
    pub(crate) fn read(
        &mut self,
        name: &str,
        from: impl Read,
        defaults: &[(Dimension, Label)],
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(from);
        let header = reader.headers().map_err(io::Error::other)?.clone();
        let columns: HashMap<String, usize> = header.iter().map(|c| c.trim().to_owned()).zip(0..).collect();
        let reject = |sink: &mut dyn Sink, line: u64, field: &str, reason: String, raw: &[u8]| {
            let field = if field.is_empty() { None } else { Some(field.to_owned()) };
            sink.reject(Rejection {
                file: name.to_owned(),
                line,
                field,
                reason,
                raw: raw.to_vec(),
            });
        };
        if let Some(missing) = NEEDED.into_iter().find(|c| !columns.contains_key(*c)) {
            reject(
                sink,
                1,
                missing,
                "is no column of this file, FOCUS requires it".to_owned(),
                &[],
            );
            return Ok(());
        }
        let mut cells = csv::StringRecord::new();
        let mut told = 0;
        loop {
            match reader.read_record(&mut cells) {
                Ok(false) => return Ok(()),
                Ok(true) => {}
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    if error.is_io_error() {
                        return Err(io::Error::other(error));
                    }
                    reject(sink, line, "", "is not UTF-8".to_owned(), &[]);
                    continue;
                }
            }
            let line = cells.position().map_or(0, csv::Position::line);
            let bytes = cells.position().map_or(0, csv::Position::byte);
            sink.progress(Progress {
                lines: 1,
                bytes: bytes.saturating_sub(told),
                ..Progress::default()
            });
            told = bytes;
            if let Err((field, reason)) = self.row(
                &Row {
                    columns: &columns,
                    cells: &cells,
                },
                defaults,
            ) {
                let raw = cells.iter().collect::<Vec<_>>().join(",");
                reject(sink, line, &field, reason, raw.as_bytes());
            }
        }
    }

    fn row(&mut self, row: &Row<'_>, defaults: &[(Dimension, Label)]) -> Result<(), (String, String)> {
        let amount = |column: &str| {
            parse_decimal(row.get(column)).map_err(|_| (column.to_owned(), "is not a decimal number".to_owned()))
        };
        let currency: Currency = row
            .get("BillingCurrency")
            .parse()
            .map_err(|_| ("BillingCurrency".to_owned(), "is not a currency code".to_owned()))?;
        let start = row.time("BillingPeriodStart")?;
        let end = row.time("BillingPeriodEnd").unwrap_or_else(|_| start + Months::new(1));
        let hour = Hour::of(row.time("ChargePeriodStart")?);
        let billed = amount("BilledCost")?;
        let effective = if row.get("EffectiveCost").is_empty() {
            billed
        } else {
            amount("EffectiveCost")?
        };
        let mut dimensions = self.dimensions(row);
        for (dimension, value) in defaults {
            if dimensions.get(*dimension).is_empty() {
                dimensions.set(*dimension, *value);
            }
        }
        let identity = format!(
            "{}/{}/{}",
            self.source,
            row.get("BillingAccountId"),
            start.format("%Y-%m-%d")
        );
        let (_, rows) = self
            .bills
            .entry(identity)
            .or_insert_with(|| (Period::new(start, end), HashMap::new()));
        for (basis, cost) in [(Basis::Billed, billed), (Basis::Effective, effective)] {
            let sums = Sums {
                events: 1,
                cost,
                ..Sums::default()
            };
            let slot = rows
                .entry(SpendKey {
                    hour,
                    basis,
                    currency,
                    dimensions,
                })
                .or_default();
            slot.add(&sums).map_err(|e| ("BilledCost".to_owned(), e.to_string()))?;
        }
        Ok(())
    }

    fn dimensions(&mut self, row: &Row<'_>) -> Dimensions {
        let mut dimensions = Dimensions::default();
        let provider = match row.get("ProviderName") {
            "" => row.get("ServiceProviderName").to_lowercase(),
            name => name.to_lowercase(),
        };
        let mut set = |dimension, value: &str| dimensions.set(dimension, self.labels.get(value));
        set(Dimension::Source, self.source.as_str());
        set(Dimension::Provider, &provider);
        set(Dimension::Service, row.get("ServiceName"));
        set(Dimension::Account, row.get("SubAccountId"));
        set(Dimension::Category, row.get("ChargeCategory"));
        let tags: HashMap<String, serde_json::Value> = serde_json::from_str(row.get("Tags")).unwrap_or_default();
        for (key, value) in &tags {
            let name = key.rsplit(['/', ':']).next().unwrap_or(key).to_lowercase();
            let name = name.strip_prefix("user_").unwrap_or(&name);
            let Some(value) = value.as_str() else { continue };
            match name {
                "team" => set(Dimension::Team, value),
                "agent" => set(Dimension::Agent, value),
                "workflow" => set(Dimension::Workflow, value),
                "user" => set(Dimension::User, value),
                "project" => set(Dimension::Project, value),
                _ => {}
            }
        }
        dimensions
    }

    /// Hands the gathered bills over, each period whole.
    pub(crate) fn hand_over(self, sink: &mut dyn Sink) -> Result<(), StoreError> {
        for (identity, (period, rows)) in self.bills {
            let mut rows: Vec<(SpendKey, Sums)> = rows.into_iter().collect();
            rows.sort_by_key(|(key, _)| *key);
            sink.bill(Bill { identity, period, rows })?;
        }
        Ok(())
    }
}

/// What is left of a stream behind its first line, as bytes.
pub(crate) struct Rest<'a, R> {
    lines: &'a mut Lines<R>,
    line: Vec<u8>,
    read: usize,
}

impl<'a, R: Read> Rest<'a, R> {
    pub(crate) fn new(lines: &'a mut Lines<R>) -> Self {
        Rest {
            lines,
            line: Vec::new(),
            read: 0,
        }
    }
}

impl<R: Read> Read for Rest<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read >= self.line.len() {
            self.line.clear();
            self.read = 0;
            match self.lines.step()? {
                Step::Line { bytes, .. } => {
                    self.line.extend_from_slice(bytes);
                    self.line.push(b'\n');
                }
                Step::TooLong { .. } => return Err(io::Error::other("a row is too long")),
                Step::End => return Ok(0),
            }
        }
        let rest = self.line.get(self.read..).unwrap_or_default();
        let n = rest.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.read += n;
        Ok(n)
    }
}
