//! The plain format of this program: one call a line, disjoint buckets, as JSON or CSV. `docs/usage-format.md`.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::json::{Amount, Count, Text, When, not_json};
use super::{LineFormat, Parsed, time};
use crate::domain::dimension::Dimension;
use crate::domain::label::{Label, LabelCache};
use crate::domain::usage::{Bucket, EventId, Tokens, UsageEvent};

/// Every field of the format, in the order of the documentation. A field beginning with `x_` is free for the writer's own use.
pub const FIELDS: [&str; 29] = [
    "id",
    "ts",
    "provider",
    "model",
    "service_tier",
    "speed",
    "geo",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_write_30m_tokens",
    "cache_write_12h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "web_searches",
    "web_fetches",
    "code_executions",
    "file_searches",
    "team",
    "agent",
    "workflow",
    "user",
    "project",
    "account",
    "session",
    "cost_usd",
    "latency_ms",
    "status",
];

const BUCKETS: [(Bucket, &str); 7] = [
    (Bucket::InputUncached, "input_tokens"),
    (Bucket::CacheRead, "cache_read_tokens"),
    (Bucket::CacheWrite5m, "cache_write_5m_tokens"),
    (Bucket::CacheWrite1h, "cache_write_1h_tokens"),
    (Bucket::CacheWrite30m, "cache_write_30m_tokens"),
    (Bucket::CacheWrite12h, "cache_write_12h_tokens"),
    (Bucket::Output, "output_tokens"),
];

const DIMENSIONS: [(Dimension, &str); 7] = [
    (Dimension::Team, "team"),
    (Dimension::Agent, "agent"),
    (Dimension::Workflow, "workflow"),
    (Dimension::User, "user"),
    (Dimension::Project, "project"),
    (Dimension::Account, "account"),
    (Dimension::Tier, "service_tier"),
];

#[derive(Default)]
struct Record<'a> {
    id: Text<'a>,
    ts: When<'a>,
    provider: Text<'a>,
    model: Text<'a>,
    speed: Text<'a>,
    geo: Text<'a>,
    session: Text<'a>,
    status: Text<'a>,
    dimensions: [Text<'a>; DIMENSIONS.len()],
    buckets: [Count; BUCKETS.len()],
    reasoning: Count,
    requests: [Count; 4],
    cost: Amount,
    unknown: Option<String>,
}

/// Where the value of a field goes.
enum Slot<'r, 'a> {
    Text(&'r mut Text<'a>),
    Count(&'r mut Count),
    When(&'r mut When<'a>),
    Amount(&'r mut Amount),
    Ignored,
    Unknown(&'r mut Option<String>),
}

impl<'a> Record<'a> {
    fn slot(&mut self, field: &str) -> Slot<'_, 'a> {
        let [team, agent, workflow, user, project, account, tier] = &mut self.dimensions;
        let [input, read, w5m, w1h, w30m, w12h, output] = &mut self.buckets;
        let [searches, fetches, executions, file_searches] = &mut self.requests;
        match field {
            "id" => Slot::Text(&mut self.id),
            "ts" => Slot::When(&mut self.ts),
            "provider" => Slot::Text(&mut self.provider),
            "model" => Slot::Text(&mut self.model),
            "service_tier" => Slot::Text(tier),
            "speed" => Slot::Text(&mut self.speed),
            "geo" => Slot::Text(&mut self.geo),
            "input_tokens" => Slot::Count(input),
            "cache_read_tokens" => Slot::Count(read),
            "cache_write_5m_tokens" => Slot::Count(w5m),
            "cache_write_1h_tokens" => Slot::Count(w1h),
            "cache_write_30m_tokens" => Slot::Count(w30m),
            "cache_write_12h_tokens" => Slot::Count(w12h),
            "output_tokens" => Slot::Count(output),
            "reasoning_tokens" => Slot::Count(&mut self.reasoning),
            "web_searches" => Slot::Count(searches),
            "web_fetches" => Slot::Count(fetches),
            "code_executions" => Slot::Count(executions),
            "file_searches" => Slot::Count(file_searches),
            "team" => Slot::Text(team),
            "agent" => Slot::Text(agent),
            "workflow" => Slot::Text(workflow),
            "user" => Slot::Text(user),
            "project" => Slot::Text(project),
            "account" => Slot::Text(account),
            "session" => Slot::Text(&mut self.session),
            "cost_usd" => Slot::Amount(&mut self.cost),
            "status" => Slot::Text(&mut self.status),
            "latency_ms" => Slot::Ignored,
            own if own.starts_with("x_") => Slot::Ignored,
            _ => Slot::Unknown(&mut self.unknown),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Record<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Record<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record<'de>, A::Error> {
                let mut record = Record::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match record.slot(key.as_str()) {
                        Slot::Text(slot) => *slot = map.next_value()?,
                        Slot::Count(slot) => *slot = map.next_value()?,
                        Slot::When(slot) => *slot = map.next_value()?,
                        Slot::Amount(slot) => *slot = map.next_value()?,
                        Slot::Ignored => drop(map.next_value::<IgnoredAny>()?),
                        Slot::Unknown(slot) => {
                            map.next_value::<IgnoredAny>()?;
                            slot.get_or_insert_with(|| key.as_str().chars().take(80).collect());
                        }
                    }
                }
                Ok(record)
            }
        }
        deserializer.deserialize_map(V)
    }
}

/// Turns records of the plain format into events, whatever they were written as.
struct Plain {
    latest: DateTime<Utc>,
    labels: LabelCache,
    standard: Label,
    warnings: [(&'static str, u64); 2],
}

const NO_ID: usize = 0;
const NO_ZONE: usize = 1;

impl Plain {
    fn new(latest: DateTime<Utc>) -> Self {
        let warnings = [
            (
                "records without an `id` are told apart by their content: equal ones count once",
                0,
            ),
            ("times without a zone are taken as UTC", 0),
        ];
        Plain {
            latest,
            labels: LabelCache::default(),
            standard: Label::new("standard"),
            warnings,
        }
    }

    fn warn(&mut self, which: usize) {
        if let Some((_, count)) = self.warnings.get_mut(which) {
            *count += 1;
        }
    }

    fn taken_warnings(&mut self) -> Vec<(String, u64)> {
        let taken = self
            .warnings
            .iter()
            .filter(|(_, n)| *n > 0)
            .map(|(text, n)| ((*text).to_owned(), *n))
            .collect();
        self.warnings.iter_mut().for_each(|(_, n)| *n = 0);
        taken
    }

    fn read(
        &mut self,
        raw: &[u8],
        record: &Record<'_>,
        line: u64,
        out: &mut Vec<UsageEvent>,
    ) -> Result<Parsed, Parsed> {
        if let Some(field) = &record.unknown {
            let near = nearest(field)
                .map(|n| format!(", did you mean `{n}`"))
                .unwrap_or_default();
            return Err(Parsed::rejected(
                field,
                format!("is no field of the format{near}; own fields begin with `x_`"),
            ));
        }
        let mut tokens = Tokens::default();
        for ((bucket, field), count) in BUCKETS.into_iter().zip(record.buckets) {
            tokens.set(bucket, count.get(field)?);
        }
        tokens.reasoning = record.reasoning.get("reasoning_tokens")?;
        if tokens.reasoning > tokens.get(Bucket::Output) {
            return Err(Parsed::rejected(
                "reasoning_tokens",
                "is more than output_tokens, of which it is a part",
            ));
        }
        let failed = !matches!(record.status.as_str(), "" | "ok" | "success" | "OK" | "200");
        if failed && tokens.total() == 0 {
            return Ok(Parsed::Excluded("failed_calls"));
        }
        let instant = time::of_field(&record.ts, "ts", self.latest)?;
        if instant.zone_assumed {
            self.warn(NO_ZONE);
        }
        if record.provider.is_empty() {
            return Err(Parsed::rejected("provider", "is missing"));
        }
        let id = if record.id.is_empty() {
            self.warn(NO_ID);
            EventId::of(&[b"plain-content", raw])
        } else {
            EventId::of(&[b"plain", record.id.as_str().as_bytes()])
        };
        let provider = record.provider.label("provider", &mut self.labels)?;
        let model = record.model.label("model", &mut self.labels)?;
        let mut event = UsageEvent::new(id, instant.at, provider, model);
        for ((dimension, field), text) in DIMENSIONS.into_iter().zip(&record.dimensions) {
            event.dimensions.set(dimension, text.label(field, &mut self.labels)?);
        }
        if event.tier().is_empty() {
            event.dimensions.set(Dimension::Tier, self.standard);
        }
        event.tokens = tokens;
        event.session = record.session.label("session", &mut self.labels)?;
        event.speed = record.speed.label("speed", &mut self.labels)?;
        event.geo = record.geo.label("geo", &mut self.labels)?;
        event.rank.line = line;
        event.reported_cost = record.cost.0;
        let [searches, fetches, executions, file_searches] = record.requests;
        event.requests.web_searches = searches.small("web_searches")?;
        event.requests.web_fetches = fetches.small("web_fetches")?;
        event.requests.code_executions = executions.small("code_executions")?;
        event.requests.file_searches = file_searches.small("file_searches")?;
        out.push(event);
        Ok(Parsed::Usage)
    }
}

/// The known field with the fewest edits, if they are few.
fn nearest(field: &str) -> Option<&'static str> {
    FIELDS
        .into_iter()
        .map(|known| (edits(field, known), known))
        .filter(|(n, _)| *n <= 3)
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (slot, y) in row.iter_mut().skip(1).zip(&b) {
            let up = *slot;
            left = (diagonal + usize::from(x != *y)).min(up + 1).min(left + 1);
            diagonal = up;
            *slot = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// One JSON object a line.
pub(crate) struct PlainJson(Plain);

impl PlainJson {
    pub(crate) fn new(latest: DateTime<Utc>) -> Self {
        PlainJson(Plain::new(latest))
    }
}

impl LineFormat for PlainJson {
    fn parse(&mut self, record: &[u8], line: u64, out: &mut Vec<UsageEvent>) -> Parsed {
        match serde_json::from_slice::<Record<'_>>(record) {
            Ok(parsed) => self
                .0
                .read(record, &parsed, line, out)
                .unwrap_or_else(|rejected| rejected),
            Err(error) => not_json(record, &error),
        }
    }

    fn warnings(&mut self) -> Vec<(String, u64)> {
        self.0.taken_warnings()
    }
}

/// CSV with a header of the same field names.
pub(crate) struct PlainCsv {
    plain: Plain,
    header: Vec<String>,
}

impl PlainCsv {
    pub(crate) fn new(latest: DateTime<Utc>) -> Self {
        PlainCsv {
            plain: Plain::new(latest),
            header: Vec::new(),
        }
    }
}

/// One line of CSV as its cells.
pub(crate) fn cells(record: &[u8]) -> Option<csv::StringRecord> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(record);
    let mut row = csv::StringRecord::new();
    matches!(reader.read_record(&mut row), Ok(true)).then_some(row)
}

impl LineFormat for PlainCsv {
    fn parse(&mut self, record: &[u8], line: u64, out: &mut Vec<UsageEvent>) -> Parsed {
        let Some(row) = cells(record) else {
            return Parsed::rejected("", "is not UTF-8");
        };
        if self.header.is_empty() {
            self.header = row.iter().map(|cell| cell.trim().to_owned()).collect();
            return Parsed::Other;
        }
        if row.len() != self.header.len() {
            return Parsed::rejected(
                "",
                format!("has {} cells where the header has {}", row.len(), self.header.len()),
            );
        }
        let mut parsed = Record::default();
        for (field, cell) in self.header.iter().zip(row.iter()) {
            match parsed.slot(field) {
                Slot::Text(slot) => *slot = Text(Cow::Borrowed(cell)),
                Slot::Count(slot) => *slot = Count::from_text(cell),
                Slot::When(slot) => *slot = When::Text(Cow::Borrowed(cell)),
                Slot::Amount(slot) => slot.0 = crate::domain::money::parse_decimal(cell).ok(),
                Slot::Ignored => {}
                Slot::Unknown(slot) => drop(slot.get_or_insert_with(|| field.clone())),
            }
        }
        self.plain
            .read(record, &parsed, line, out)
            .unwrap_or_else(|rejected| rejected)
    }

    fn state(&self) -> String {
        self.header.join(",")
    }

    fn restore(&mut self, state: &str) {
        self.header = state.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect();
    }

    fn warnings(&mut self) -> Vec<(String, u64)> {
        self.plain.taken_warnings()
    }
}
