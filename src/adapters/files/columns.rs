//! Records of any form as records of the plain format: which column of theirs is which field of ours (`[source.columns]`).

mod keys;
mod record;
mod rows;

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::domain::money::{add_exact, mul_exact, parse_decimal};
use crate::domain::similar::nearest;
use crate::domain::usage::{Rank, UsageEvent};

use super::line::{Context, Fault, Output};
use super::plain::{KNOWN_KEYS, of_values};
use super::value::Value;

use self::rows::Told;

pub(super) use record::Mapped;
pub(super) use rows::{Foreign, unknown};

/// Fields that are text, of which there is no product.
const TEXT: [&str; 15] = [
    "id",
    "provider",
    "model",
    "service_tier",
    "speed",
    "geo",
    "team",
    "agent",
    "workflow",
    "user",
    "project",
    "account",
    "session",
    "units",
    "status",
];

/// Fields that are counts, beside those of tokens.
const COUNTS: [&str; 3] = ["web_searches", "web_fetches", "code_executions"];

/// Without these no record is a call.
const NEEDED: [&str; 3] = ["ts", "provider", "model"];

/// How foreign records are read.
#[derive(Clone, Debug)]
pub struct Columns {
    fields: Vec<(&'static str, Term)>,
    /// Foreign columns that are read.
    wanted: Vec<String>,
    /// What times are counted from, in seconds; without it they are times.
    start: Option<DateTime<Utc>>,
    has_id: bool,
}

/// Where the value of a field comes from.
#[derive(Clone, Debug)]
enum Term {
    /// The same for every record.
    Fixed(String),
    /// A column, by its place among the wanted.
    Column(usize),
    /// Several of them, which only together tell what a row is.
    Together(Vec<usize>),
    /// A product of columns and numbers, less others.
    Products(Vec<Factor>, Vec<Vec<Factor>>),
}

#[derive(Clone, Debug)]
enum Factor {
    Column(usize),
    Number(Decimal),
}

impl Factor {
    fn is(&self, column: usize) -> bool {
        matches!(self, Factor::Column(at) if *at == column)
    }
}

impl Columns {
    /// From the settings: our field to their column, to a product such as `"mean_tokens * requests * 600"`, or to what others leave of
    /// it, as in `"input_tokens - cached_tokens"`; our field to a value that all records have.
    ///
    /// # Errors
    /// A field that does not exist or is given twice, a product of text, or none of what makes a record a call.
    pub fn new(
        columns: &BTreeMap<String, String>,
        values: &BTreeMap<String, String>,
        start: Option<DateTime<Utc>>,
    ) -> Result<Self, String> {
        let mut built = Columns {
            fields: Vec::new(),
            wanted: Vec::new(),
            start,
            has_id: false,
        };
        for (field, text) in columns {
            let known = known(field)?;
            if values.contains_key(field) {
                return Err(format!("`{field}` has both a column and a value"));
            }
            let term = built.term(known, text)?;
            built.fields.push((known, term));
        }
        for (field, value) in values {
            built.fields.push((known(field)?, Term::Fixed(value.clone())));
        }
        let has = |field: &str| built.fields.iter().any(|(known, _)| *known == field);
        if let Some(missing) = NEEDED.into_iter().find(|field| !has(field)) {
            return Err(format!("neither a column nor a value for `{missing}`"));
        }
        if start.is_some() && !columns.contains_key("ts") {
            return Err("`start` needs a column for `ts`, the seconds since then".to_owned());
        }
        built.has_id = has("id");
        Ok(built)
    }

    /// The same for records that several columns together tell apart, as in tables of a dashboard, which have a row for each day, model and key.
    ///
    /// # Errors
    /// No column, or `id` is given otherwise.
    pub fn identified_by(mut self, id: &[String]) -> Result<Self, String> {
        if std::mem::replace(&mut self.has_id, true) {
            return Err("`id` has both a column and a value".to_owned());
        }
        if id.is_empty() {
            return Err("`id` names no column".to_owned());
        }
        let id = id.iter().map(|column| self.want(column)).collect();
        self.fields.push(("id", Term::Together(id)));
        Ok(self)
    }

    fn term(&mut self, field: &'static str, text: &str) -> Result<Term, String> {
        // A dash without spaces belongs to a name.
        let products = text.split(" - ");
        let products: Vec<Vec<&str>> = products.map(|part| part.split('*').map(str::trim).collect()).collect();
        if products.iter().flatten().any(|part| part.is_empty()) {
            return Err(format!(
                "`{text}` is neither a column nor a product or difference of columns and numbers"
            ));
        }
        let is_one = matches!(products.as_slice(), [one] if one.len() == 1);
        if !is_one && TEXT.contains(&field) {
            return Err(format!("`{field}` is text: it is one column"));
        }
        if let [one] = products.as_slice()
            && let [column] = one.as_slice()
            && (field != "ts" || self.start.is_none())
        {
            return Ok(Term::Column(self.want(column)));
        }
        let mut products = products.into_iter().map(|parts| {
            let factors = parts.into_iter().map(|part| match parse_decimal(part) {
                Ok(number) => Factor::Number(number),
                Err(_) => Factor::Column(self.want(part)),
            });
            factors.collect()
        });
        let first = products.next().unwrap_or_default();
        Ok(Term::Products(first, products.collect()))
    }

    fn want(&mut self, column: &str) -> usize {
        match self.wanted.iter().position(|known| known == column) {
            Some(at) => at,
            None => {
                self.wanted.push(column.to_owned());
                self.wanted.len() - 1
            }
        }
    }

    fn observe(
        &self,
        cells: &[Cow<'_, str>],
        number: u64,
        told: &mut Told,
        context: &mut Context,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let cell = |at: usize| cells.get(at).map_or("", |cell| cell.trim());
        let mut values: Vec<(&'static str, Cow<'_, str>)> = Vec::with_capacity(self.fields.len() + 1);
        for (field, term) in &self.fields {
            let value: Cow<'_, str> = match term {
                Term::Fixed(text) => text.as_str().into(),
                Term::Column(at) => cell(*at).into(),
                Term::Together(columns) => self.identity(columns, cell).into(),
                Term::Products(first, less) => match self.product(field, first, cell)? {
                    None => "".into(),
                    Some(first) => self.valued(field, self.left(field, first, less, cell)?)?.into(),
                },
            };
            values.push((field, value));
        }
        if !self.has_id {
            // Rows of a trace may be equal in all that they say: each is a call.
            let content: Vec<String> = cells.iter().map(|c| format!("{}:{c}", c.len())).collect();
            values.push(("id", format!("{};{number}", content.join(";")).into()));
            out.warnings
                .push("records without `id` are told apart by their content and their line");
        }
        let (before, said) = (out.events.len(), out.warnings.len());
        of_values(&values, number, context, out)?;
        let says_nothing = out.events.get(before).is_some_and(UsageEvent::tells_no_use);
        if says_nothing {
            // It is no call that something is missing of.
            out.warnings.truncate(said);
        }
        if self.is_together() {
            out.identify();
        }
        if let Some(event) = out.events.get_mut(before)
            && self.is_together()
        {
            // Of two downloads the later one tells what has been used since.
            event.rank.at = context.fallback.unwrap_or(event.at);
            if told.otherwise(event.id, cells) {
                out.warnings.push(rows::ONE_ID);
            }
        }
        if says_nothing {
            match out.events.get_mut(before).filter(|_| self.is_together()) {
                Some(event) => take_back(event),
                None => out.events.truncate(before),
            }
            out.excluded.push("records_without_usage");
        }
        Ok(())
    }

    /// Whether a number of a call is told by a wanted column: without it the call would cost another amount.
    fn counts(&self, at: usize) -> bool {
        let reads = |term: &Term| match term {
            Term::Column(column) => *column == at,
            Term::Products(first, less) => first.iter().chain(less.iter().flatten()).any(|factor| factor.is(at)),
            Term::Fixed(_) | Term::Together(_) => false,
        };
        let mut fields = self.fields.iter();
        fields.any(|(field, term)| {
            let is_count = *field == "units" || !TEXT.contains(field);
            is_count && !matches!(*field, "latency_ms" | "cost_usd") && reads(term)
        })
    }

    /// The columns without which there is no input.
    fn asked(&self) -> impl Iterator<Item = usize> {
        let terms = self.fields.iter().filter(|(field, _)| *field == "input_tokens");
        terms.flat_map(|(_, term)| match term {
            Term::Column(at) => vec![*at],
            Term::Products(first, _) => (0..self.wanted.len())
                .filter(|at| first.iter().any(|factor| factor.is(*at)))
                .collect(),
            Term::Fixed(_) | Term::Together(_) => Vec::new(),
        })
    }

    /// Whether several columns together tell what a row is; they are named last.
    fn is_together(&self) -> bool {
        let last = self.fields.last();
        last.is_some_and(|(_, term)| matches!(term, Term::Together(_)))
    }

    /// The identity of a row that several columns tell; none where all of them are empty. Rows of other sellers and accounts, and of tables
    /// of another form, are other ones.
    fn identity<'c>(&self, columns: &[usize], cell: impl Fn(usize) -> &'c str) -> String {
        if columns.iter().all(|at| cell(*at).is_empty()) {
            return String::new();
        }
        let fixed = self.fields.iter().filter_map(|(field, term)| match term {
            Term::Fixed(text) if matches!(*field, "provider" | "account") => Some((*field, text.as_str())),
            Term::Fixed(_) | Term::Column(_) | Term::Together(_) | Term::Products(..) => None,
        });
        let named = columns
            .iter()
            .map(|at| (self.wanted.get(*at).map_or("", String::as_str), cell(*at)));
        let parts = fixed
            .chain(named)
            .map(|(name, text)| format!("{}:{name}={}:{text};", name.len(), text.len()));
        parts.collect()
    }

    /// What others leave of a number; one that is empty takes nothing away.
    fn left<'c>(
        &self,
        field: &str,
        first: Decimal,
        less: &[Vec<Factor>],
        cell: impl Fn(usize) -> &'c str,
    ) -> Result<Decimal, Fault> {
        let mut left = first;
        for factors in less {
            let product = self.product(field, factors, &cell)?.unwrap_or_default();
            left = add_exact(left, -product).map_err(|e| Fault::field(field, e.to_string()))?;
        }
        if !less.is_empty() && left.is_sign_negative() && !left.is_zero() {
            return Err(Fault::field(field, format!("more is taken away than there is: {left}")));
        }
        Ok(left)
    }

    /// The product; nothing when one of the columns is empty. A column of its own is a count where the field is one: only what is
    /// multiplied may be a fraction.
    fn product<'c>(
        &self,
        field: &str,
        factors: &[Factor],
        cell: impl Fn(usize) -> &'c str,
    ) -> Result<Option<Decimal>, Fault> {
        let is_count = factors.len() == 1 && (field.ends_with("_tokens") || COUNTS.contains(&field));
        let mut product = Decimal::ONE;
        for factor in factors {
            let (factor, column) = match factor {
                Factor::Number(number) => (*number, ""),
                Factor::Column(at) => {
                    let (text, name) = (cell(*at), self.wanted.get(*at).map_or("", String::as_str));
                    if text.is_empty() {
                        return Ok(None);
                    }
                    let number = match is_count {
                        true => Value::Text(text).count(name).map(Decimal::from)?,
                        false => parse_decimal(text).map_err(|_| Fault::field(name, "not a number"))?,
                    };
                    (number, name)
                }
            };
            product = mul_exact(product, factor).map_err(|e| Fault::field(column, e.to_string()))?;
        }
        Ok(Some(product))
    }

    /// A product as the text of a field: money and times are exact, counts are rounded to whole ones.
    fn valued(&self, field: &str, product: Decimal) -> Result<String, Fault> {
        match (field, self.start) {
            ("ts", Some(start)) => mul_exact(product, Decimal::from(1_000_000_000_u32))
                .ok()
                .and_then(|nanos| nanos.trunc().to_i64())
                .and_then(|nanos| start.checked_add_signed(TimeDelta::nanoseconds(nanos)))
                .map(|at| at.to_rfc3339())
                .ok_or_else(|| Fault::field("ts", "not a time after the start")),
            ("ts" | "cost_usd", _) => Ok(product.to_string()),
            _ => Ok(product
                .round_dp_with_strategy(0, RoundingStrategy::MidpointNearestEven)
                .to_string()),
        }
    }
}

/// Makes nothing of a row that says nothing any more: what older downloads told of it is taken back, what its own file tells stays.
fn take_back(event: &mut UsageEvent) {
    event.rank.line = Rank::TAKEN_BACK;
    // The least that ledgers tell apart.
    event.rank.at -= TimeDelta::microseconds(1);
}

fn known(field: &str) -> Result<&'static str, String> {
    KNOWN_KEYS
        .iter()
        .copied()
        .find(|known| *known == field)
        .ok_or_else(|| match nearest(field, KNOWN_KEYS) {
            Some(near) => format!("`{field}` is no field of the plain format, the nearest is `{near}`"),
            None => format!("`{field}` is no field of the plain format"),
        })
}

#[cfg(test)]
mod tests;
