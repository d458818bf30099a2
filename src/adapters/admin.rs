//! Providers' administration interfaces, live: usage and cost in daily buckets, page by page, patient with rate limits.

mod ask;
mod fetch;
mod open;
mod questions;
mod shares;
mod telling;

use std::cell::Cell;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use secrecy::SecretString;

use crate::adapters::files::admin::{About, Page};
use crate::adapters::files::bills::of_bucket;
use crate::domain::address::is_private;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::period::Hour;
use crate::ports::{Checkpoint, Checkpoints, Clock, Progress, Rejection, Rest, Sink, SourceError, UsageSource};

use fetch::MAX_TIMEOUTS;
use questions::Question;

pub use crate::adapters::files::admin::Admin;
pub use open::Others;
pub use shares::Shares;
pub use telling::telling;

/// What a checkpoint holds the question under that is asked first: the first of those for which a run had no time.
const FIRST: &str = "first question";

/// What to ask and how.
pub struct AdminSourceOptions {
    /// The configured name of the source.
    pub name: Label,
    /// Whose interface.
    pub whose: Admin,
    /// The key, or why there is none.
    pub key: Result<SecretString, String>,
    /// The address before the path; the provider's own where empty.
    pub url: String,
    /// Which other live sources of this provider the settings have.
    pub others: Others,
    /// Values for dimensions that a bucket leaves empty.
    pub defaults: Vec<(Dimension, Label)>,
    /// The time for all questions, beside other sources.
    pub time: Shares,
    /// The instant that counts as now: which days are asked for follows from it.
    pub now: DateTime<Utc>,
    /// Tells when an answer came, and passes time.
    pub clock: Box<dyn Clock>,
}

/// A provider's usage and costs.
pub struct AdminSource {
    options: AdminSourceOptions,
    /// Questions of this run that were not answered in time.
    timeouts: Cell<u32>,
    /// When it was made: before any source of its run was read.
    made: DateTime<Utc>,
}

impl AdminSource {
    /// A source over one organisation's interface. The address has to be https, or loopback.
    pub fn new(mut options: AdminSourceOptions) -> Result<Self, String> {
        if options.url.is_empty() {
            options.url = match options.whose {
                Admin::Openai => "https://api.openai.com".to_owned(),
                Admin::Anthropic => "https://api.anthropic.com".to_owned(),
            };
        }
        if options.url.contains(['@', '?', '#']) {
            return Err("the address holds a user name, a password or a query".to_owned());
        }
        if !is_private(&options.url) {
            return Err(format!(
                "`{}` is not https: the key would travel in the open",
                options.url
            ));
        }
        options.url.truncate(options.url.trim_end_matches('/').len());
        // As `OPENAI_BASE_URL` has it; each question begins with the version.
        options
            .url
            .truncate(options.url.strip_suffix("/v1").map_or(options.url.len(), str::len));
        let made = options.clock.now();
        Ok(AdminSource {
            options,
            timeouts: Cell::new(0),
            made,
        })
    }

    fn failure(&self, path: &str, cause: String, hint: &str) -> SourceError {
        SourceError::Read {
            what: format!("{}{path}", self.options.url),
            cause,
            hint: hint.to_owned(),
        }
    }

    /// Hands over what a page holds; whether all of it was usable. The days before that of the last answer were final by then.
    fn hand_over(
        &self,
        page: Page,
        sink: &mut dyn Sink,
        question: &Question,
        last: Option<NaiveDate>,
    ) -> Result<bool, SourceError> {
        let name = self.options.name;
        let fill = |dimensions: &mut Dimensions| {
            for (dimension, value) in &self.options.defaults {
                if dimensions.get(*dimension).is_empty() {
                    dimensions.set(*dimension, *value);
                }
            }
        };
        let mut events = page.events;
        events.iter_mut().for_each(|event| fill(&mut event.dimensions));
        sink.usage(&events)?;
        let mut faults = page.faults;
        for mut bucket in page.buckets {
            for row in &mut bucket.rows {
                fill(&mut row.dimensions);
                row.dimensions.set(Dimension::Source, name);
            }
            match of_bucket(&bucket, name) {
                Ok(mut bill) => {
                    bill.settled_before = last.map(|day| Hour::of(day.and_time(NaiveTime::MIN).and_utc()));
                    sink.bill(bill)?;
                }
                Err(fault) => faults.push((fault.field, fault.reason)),
            }
        }
        let whole = faults.is_empty();
        if question.about == About::Costs && !whole {
            // A bucket replaces the one before: what was refused is missing of it.
            sink.progress(Progress {
                unknown_costs: faults.len() as u64,
                ..Progress::default()
            });
        }
        for (field, reason) in faults {
            sink.reject(Rejection {
                file: format!("{}{}", self.options.url, question.path),
                line: 0,
                field,
                reason,
                raw: Vec::new(),
            });
        }
        page.excluded.iter().for_each(|kind| sink.exclude(kind, 1));
        page.warnings.iter().for_each(|about| sink.warn(about, 1));
        if let Some((about, count)) = page.rounded {
            sink.warn(&about, count);
        }
        Ok(whole)
    }
}

impl UsageSource for AdminSource {
    fn name(&self) -> Label {
        self.options.name
    }

    fn read(&mut self, known: &Checkpoints, sink: &mut dyn Sink) -> Result<(), SourceError> {
        let key = match &self.options.key {
            Ok(key) => key,
            Err(cause) => {
                return Err(self.failure(
                    "",
                    cause.clone(),
                    "put the admin key, and nothing else, where `key` says",
                ));
            }
        };
        self.timeouts.set(0);
        let share = self.options.time.take(self.options.clock.elapsed());
        let budget = TimeDelta::from_std(share).unwrap_or(TimeDelta::MAX);
        let now = self.options.clock.now();
        let deadline = now.checked_add_signed(budget).unwrap_or(DateTime::<Utc>::MAX_UTC);
        // A question that the key may not ask does not keep the others from being answered.
        let mut failed = Vec::new();
        let mut questions: Vec<&Question> = questions::of(self.options.whose).iter().collect();
        // Nor does one that is not answered in time, run after run.
        let is_first = |question: &&Question| known.get(FIRST).is_some_and(|at| at.0 == question.path.as_bytes());
        let first = questions.iter().position(is_first).unwrap_or_default();
        questions.rotate_left(first);
        let mut unasked = None;
        for question in questions {
            let (enough, hangs) = (sink.enough(), self.timeouts.get() >= MAX_TIMEOUTS);
            if enough || hangs || self.options.clock.now() >= deadline {
                unasked.get_or_insert(question.path);
            }
            if enough {
                sink.left(Rest::default());
                break;
            }
            if hangs {
                let cause = "not asked, since the provider does not answer".to_owned();
                failed.push((
                    question.path,
                    self.failure(question.path, cause, "the next run begins with what was not asked"),
                ));
                continue;
            }
            match self.ask_finest(question, key, known, deadline, sink) {
                Ok(()) => {}
                Err(error @ SourceError::Store(_)) => return Err(error),
                Err(error) => failed.push((question.path, error)),
            }
        }
        if let Some(path) = unasked {
            sink.checkpoint(FIRST, Checkpoint(path.as_bytes().to_vec()))?;
        }
        together(failed)
    }
}

/// The first failure, and in a few words what else failed.
fn together(failed: Vec<(&'static str, SourceError)>) -> Result<(), SourceError> {
    let mut failed = failed.into_iter();
    let Some((_, mut first)) = failed.next() else {
        return Ok(());
    };
    if let SourceError::Read { cause, .. } = &mut first {
        let of_first = cause.clone();
        for (path, other) in failed {
            match other {
                SourceError::Read { cause: other, .. } if other != of_first => {
                    cause.push_str(&format!("; `{path}`: {other}"));
                }
                SourceError::Read { .. } | SourceError::Store(_) => cause.push_str(&format!("; `{path}`: the same")),
            }
        }
    }
    Err(first)
}
