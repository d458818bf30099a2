//! What every format of one record per line (or per JSON value) implements, and what it answers.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::dimension::Dimension;
use crate::domain::label::{Label, LabelCache, MAX_LABEL_BYTES};
use crate::domain::money::parse_amount;
use crate::domain::period::Hour;
use crate::domain::usage::{EventId, PendingIds, UsageEvent};

use super::CLOCK_SKEW;
use super::amount::{Rounded, TOO_MUCH};
use super::bills::CostBucket;
use super::scan::{Forms, Lines};
use super::seller::Sellers;
use super::time::{Times, date};
use super::value::Value;

/// Why a record is not usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The field to blame, where one is.
    pub field: Option<String>,
    /// Lower case, no full stop.
    pub reason: String,
    /// Whether the costs of what it is about count all the same.
    pub costs_count: bool,
}

impl Fault {
    /// One field is to blame.
    pub fn field(field: &str, reason: impl Into<String>) -> Self {
        Fault {
            field: Some(field.to_owned()),
            ..Fault::whole(reason)
        }
    }

    /// What one field of a bill says of usage cannot be read; what it costs is known.
    pub fn usage(field: &str, reason: impl Into<String>) -> Self {
        Fault {
            costs_count: true,
            ..Fault::field(field, reason)
        }
    }

    /// The record as a whole is.
    pub fn whole(reason: impl Into<String>) -> Self {
        Fault {
            field: None,
            reason: reason.into(),
            costs_count: false,
        }
    }

    /// Text that does not parse as JSON of the expected shape.
    pub fn json(error: &serde_json::Error) -> Self {
        use serde_json::error::Category;
        match error.classify() {
            Category::Data => Fault::whole(format!("unexpected shape: {error}")),
            Category::Syntax | Category::Eof | Category::Io => Fault::whole(format!("not valid JSON: {error}")),
        }
    }
}

/// What is told of calls whose records say nothing of their usage.
pub(super) const NO_USAGE: &str = "calls without usage: coverage gap";

/// What records yield, until it is handed over.
#[derive(Default)]
pub(super) struct Output {
    /// Observed calls.
    pub events: Vec<UsageEvent>,
    /// Understood, and no spend.
    pub excluded: Vec<&'static str>,
    /// Understood, and no spend, of records that have an identity: told again they are repetitions.
    pub excluded_once: Vec<(&'static str, EventId)>,
    /// Calls whose stream has said nothing of their usage so far: what follows may.
    pub unended: Vec<EventId>,
    /// Those of them, told before this, whose usage was told under other identities.
    pub ended: Vec<EventId>,
    /// Worth telling once per run.
    pub warnings: Vec<&'static str>,
    /// Costs of whole periods.
    pub buckets: Vec<CostBucket>,
    /// Parts of the record that are not usable, while the rest of it is.
    pub faults: Vec<Fault>,
    /// How many of them say nothing of costs, in a format that holds bills.
    pub faults_of_usage: u64,
    /// Identities of calls that are computed before these are handed over.
    pub pending: PendingIds,
}

impl Output {
    /// Says of a call that was answered without any tokens, and without anything else that is charged, that something is missing.
    pub fn tell_empty(&mut self, call: &UsageEvent) {
        if call.counts_nothing() {
            self.warnings.push("successful calls without tokens: coverage gap");
        }
    }

    /// Gives the calls the identities that are still to be computed.
    pub fn identify(&mut self) {
        self.pending.settle(&mut self.events);
    }

    /// How much of each it holds that is to be taken back where another format reads the same record.
    pub fn lengths(&self) -> [usize; 6] {
        [
            self.events.len(),
            self.excluded.len(),
            self.excluded_once.len(),
            self.unended.len(),
            self.ended.len(),
            self.warnings.len(),
        ]
    }

    /// Takes back what came since then.
    pub fn back_to(&mut self, [events, excluded, once, unended, ended, warnings]: [usize; 6]) {
        self.events.truncate(events);
        self.excluded.truncate(excluded);
        self.excluded_once.truncate(once);
        self.unended.truncate(unended);
        self.ended.truncate(ended);
        self.warnings.truncate(warnings);
    }

    /// How much it holds that is still to be handed over.
    pub fn held(&self) -> usize {
        self.lengths().iter().sum()
    }
}

/// Bounds and caches that every format needs.
pub(super) struct Context {
    /// Records of a later time are rejected.
    pub latest: DateTime<Utc>,
    /// Names seen before.
    pub labels: LabelCache,
    /// The time of records that have none: their file's time of change, or that at which they came.
    pub fallback: Option<DateTime<Utc>>,
    /// The file that is read; empty where it is none of this machine. Some formats look beside it.
    pub file: PathBuf,
    /// Who the settings say sells what no record says; empty where they do not.
    pub seller: &'static str,
    /// The earliest time, in seconds of the epoch, that was refused because it is still to come.
    pub refused_until: Option<i64>,
    /// Forms of records met so far, by format.
    pub forms: FormsByFormat,
    /// Amounts of bills that were rounded.
    pub rounded: Rounded,
    /// Names that were cut, and not told so far.
    pub cut: u64,
    times: Times,
    /// The response met last: a program writes the lines of one behind each other.
    response: (Vec<u8>, EventId),
    /// Who sells a model, as told by its name; the places of models follow from their labels.
    providers: [Option<(Label, Label)>; MODELS],
    /// Who sells, as told by the name that a record has for that.
    pub sellers: Sellers,
}

/// Forms of records, by the format whose slots they fill.
#[derive(Default)]
pub(super) struct FormsByFormat {
    pub claude_code: Forms,
    pub plain: Forms,
}

impl FormsByFormat {
    /// Forgets that the record at hand was compared with all forms: the next one was not.
    pub fn forget_compared(&mut self) {
        self.claude_code.fits_none = false;
        self.plain.fits_none = false;
    }
}

/// Models whose provider is remembered.
const MODELS: usize = 64;

impl Context {
    /// Nothing seen yet; records later than `latest` are rejected.
    pub fn new(latest: DateTime<Utc>) -> Self {
        Context {
            latest,
            labels: LabelCache::default(),
            fallback: None,
            file: PathBuf::new(),
            seller: "",
            refused_until: None,
            forms: FormsByFormat::default(),
            rounded: Rounded::default(),
            cut: 0,
            times: Times::default(),
            response: (Vec::new(), response(b"")),
            providers: [None; MODELS],
            sellers: Sellers::default(),
        }
    }

    /// The same where the settings have defaults.
    pub fn with_defaults(mut self, defaults: &[(Dimension, Label)]) -> Self {
        let seller = defaults.iter().find(|(dimension, _)| *dimension == Dimension::Provider);
        self.seller = seller.map_or("", |(_, seller)| seller.as_str());
        self
    }

    /// Who sells a model, where its name tells; names are looked at once.
    #[inline(always)]
    pub fn provider(&mut self, model: Label, of: fn(&str) -> &'static str) -> Label {
        match self.providers.get(model.index() % MODELS) {
            Some(Some((known, provider))) if *known == model => *provider,
            Some(_) | None => self.provider_of(model, of),
        }
    }

    #[inline(never)]
    fn provider_of(&mut self, model: Label, of: fn(&str) -> &'static str) -> Label {
        let provider = self.labels.get(of(model.as_str()));
        if let Some(slot) = self.providers.get_mut(model.index() % MODELS) {
            *slot = Some((model, provider));
        }
        provider
    }

    /// The amount of a bill, as it can be summed.
    pub fn amount(&mut self, text: &str) -> Result<Decimal, String> {
        let (amount, off) = parse_amount(text).map_err(|e| e.to_string())?;
        if amount.abs() >= TOO_MUCH.into() {
            return Err(format!("{TOO_MUCH} or more, which is no amount of a bill"));
        }
        if let Some(off) = off {
            self.rounded.add(off);
        }
        Ok(amount)
    }

    /// The identity of a provider's response.
    pub fn response(&mut self, id: &[u8]) -> EventId {
        if id.len() > MAX_LABEL_BYTES {
            return response(id);
        }
        let (known, identity) = &mut self.response;
        if known != id {
            *identity = response(id);
            known.clear();
            known.extend_from_slice(id);
        }
        *identity
    }

    /// The label of a field that may be absent. A name that is too long is cut: what was used counts.
    #[inline(always)]
    pub fn label<'v>(&mut self, value: impl Into<Value<'v>>, field: &str) -> Result<Label, Fault> {
        let value = value.into();
        if let Value::Text(text) = value
            && text.len() <= MAX_LABEL_BYTES
        {
            return Ok(self.labels.get(text));
        }
        if value.is_null() {
            Ok(Label::EMPTY)
        } else {
            self.odd_label(value, field)
        }
    }

    /// The name of who sells, a known one in its one spelling: `Anthropic` and `anthropic` are one seller, of one row and one alert. One by which
    /// prices are found, or a company's (`aws`), stays as it is written.
    pub fn seller<'v>(&mut self, value: impl Into<Value<'v>>, field: &str) -> Result<Label, Fault> {
        let name = self.label(value, field)?;
        let seller = self.sellers.of(name);
        Ok(if seller.apart { name } else { seller.label })
    }

    #[cold]
    fn odd_label(&mut self, value: Value<'_>, field: &str) -> Result<Label, Fault> {
        match value {
            Value::Text(text) => {
                self.cut += 1;
                Ok(self.labels.get(text))
            }
            Value::Whole(n) => Ok(self.labels.get(&n.to_string())),
            // Hashes may be.
            Value::Negative(n) => Ok(self.labels.get(&n.to_string())),
            Value::Null | Value::Float(_) | Value::Bool(_) | Value::Other => Err(Fault::field(field, "expected text")),
        }
    }

    /// The instant of a field, within the plausible span.
    #[inline(always)]
    pub fn time<'v>(
        &mut self,
        value: impl Into<Value<'v>>,
        field: &str,
        out: &mut Output,
    ) -> Result<DateTime<Utc>, Fault> {
        let value = value.into();
        if let Value::Text(text) = value
            && let Some(at) = self.times.usual(text)
            && EARLIEST <= at
            && at <= self.latest
        {
            return Ok(at);
        }
        self.odd_time(value, field, out)
    }

    /// The same where it may also be a date alone, which tables of sums by day have. That counts to its date in any zone: it stands at the
    /// hour of the day at which nearly everywhere the date is the same.
    #[inline(always)]
    pub fn time_or_date(&mut self, value: Value<'_>, field: &str, out: &mut Output) -> Result<DateTime<Utc>, Fault> {
        if let Value::Text(text) = value
            && text.len() < "2026-01-01T00".len()
            && text.as_bytes().get(4) == Some(&b'-')
            && let Some(midnight) = date(text)
        {
            let midnight = self.plausible(midnight, field)?;
            let folded = Hour::of(midnight).folded().start();
            // What is told of a day that has begun is spent by now, and not at an hour that is still to come.
            let now = self.latest - CLOCK_SKEW;
            return Ok(if folded > now { midnight } else { folded });
        }
        self.time(value, field, out)
    }

    #[cold]
    fn odd_time(&mut self, value: Value<'_>, field: &str, out: &mut Output) -> Result<DateTime<Utc>, Fault> {
        let (at, zoned) = value.time(field)?;
        let at = self.plausible(at, field)?;
        if !zoned {
            out.warnings.push("times without a zone are taken as UTC");
        }
        Ok(at)
    }

    fn plausible(&mut self, at: DateTime<Utc>, field: &str) -> Result<DateTime<Utc>, Fault> {
        if at < EARLIEST {
            return Err(Fault::field(field, "implausible time before 2018"));
        }
        if at > self.latest {
            let until = self.refused_until.unwrap_or(i64::MAX);
            self.refused_until = Some(until.min(at.timestamp()));
            return Err(Fault::field(field, "implausible time in the future"));
        }
        Ok(at)
    }
}

fn response(id: &[u8]) -> EventId {
    EventId::of(&[b"response", id])
}

/// 2018-01-01: no priced language model is older.
const EARLIEST: DateTime<Utc> = DateTime::from_timestamp_nanos(1_514_764_800_000_000_000);

/// One format of records.
pub(super) trait LineFormat {
    /// Reads one record. An output without events is a record that is no usage.
    fn record(&mut self, text: &str, line: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault>;

    /// Takes calls off lines, up to so many, as far as it can read them faster than one by one. A line that is no call, or one with a fault,
    /// is left to [`LineFormat::record`] with all behind it.
    fn calls(&mut self, _lines: &mut Lines<'_>, _most: usize, _context: &mut Context, _out: &mut Output) {}

    /// State that the records after a checkpoint depend on, as JSON text; empty where there is none.
    fn save(&self) -> String {
        String::new()
    }

    /// At the end of a file: what is missing of its last answer.
    fn unfinished(&self) -> Option<Fault> {
        None
    }

    /// At the end of a file: what is worth telling once of all its records.
    fn untold(&self) -> Option<String> {
        None
    }

    /// Takes up what `save` gave.
    fn load(&mut self, _state: &str) {}
}
