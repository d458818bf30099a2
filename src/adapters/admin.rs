//! Providers' administration interfaces, live: usage and cost in daily buckets, page by page, patient with rate limits.

mod fetch;
mod open;
mod questions;
mod shares;
mod telling;

use std::cell::Cell;
use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};
use secrecy::SecretString;

use crate::adapters::files::admin::{About, Page, page};
use crate::adapters::files::bills::of_bucket;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::period::Hour;
use crate::domain::usage::EventId;
use crate::ports::{Checkpoint, Checkpoints, Clock, Progress, Rejection, Rest, Sink, SourceError, UsageSource};

use super::http;
use fetch::{MAX_TIMEOUTS, Unanswered};
use open::{Answered, Open};
use questions::{Finer, Question};

pub use crate::adapters::files::admin::Admin;
pub use open::Others;
pub use shares::Shares;
pub use telling::telling;

/// Days that a first run asks for.
const FIRST_DAYS: i64 = 31;
/// Days that are asked for again, since providers restate them.
const RESTATED_DAYS: i64 = 7;
/// Pages of one answer at most: a provider that never ends is not followed for ever.
const MAX_PAGES: u32 = 1000;
/// Told with how often it occurred.
const TAKEN_BACK: &str =
    "results of usage that their bucket holds no longer were taken back: it was told anew under other values";
/// Told with how many they are.
const FORGOTTEN: &str =
    "results of usage are too many to be remembered: one that is told anew under other values counts twice";

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
        if !(options.url.starts_with("https://") || http::is_loopback_url(&options.url)) {
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

    /// Keeps which results may still be restated; costs are replaced by the bucket.
    fn keep(&self, question: &Question, open: &Open, sink: &mut dyn Sink) -> Result<(), SourceError> {
        if question.about == About::Usage {
            let (key, at) = open.save();
            sink.checkpoint(key, at)?;
        }
        Ok(())
    }

    /// Asks as finely as the provider answers. Whether it does, the first page tells: what pages have told stands.
    fn ask_finest(
        &self,
        question: &Question,
        key: &SecretString,
        known: &Checkpoints,
        deadline: DateTime<Utc>,
        sink: &mut dyn Sink,
    ) -> Result<(), SourceError> {
        let mut result = Ok(());
        // What is too much for one page is asked for in smaller ones.
        for limit in [question.limit, 7, 1] {
            for finer in question.finer {
                result = self.ask(question, (finer, limit), key, known, deadline, sink);
                if !matches!(result, Err(Unanswered::Refused(_))) {
                    break;
                }
            }
            if !matches!(result, Err(Unanswered::TooLarge(_))) {
                break;
            }
        }
        match (result, question.unknown) {
            (Err(Unanswered::Unknown(_)), Some(about)) => {
                sink.warn(about, 1);
                Ok(())
            }
            (result, _) => result.map_err(SourceError::from),
        }
    }

    fn ask(
        &self,
        question: &Question,
        (finer, limit): (&Finer, u32),
        key: &SecretString,
        known: &Checkpoints,
        deadline: DateTime<Utc>,
        sink: &mut dyn Sink,
    ) -> Result<(), Unanswered> {
        let now = self.options.now;
        let done = known
            .get(question.path)
            .and_then(|at| std::str::from_utf8(&at.0).ok()?.parse::<NaiveDate>().ok());
        let from = match done {
            Some(day) => day.min(now.date_naive()) - TimeDelta::days(RESTATED_DAYS),
            None => now.date_naive() - TimeDelta::days(FIRST_DAYS),
        };
        let from = from.and_time(NaiveTime::MIN).and_utc();
        let (url, path) = (&self.options.url, question.path);
        let span = match self.options.whose {
            Admin::Openai => format!("start_time={}", from.timestamp()),
            Admin::Anthropic => format!("starting_at={}", from.to_rfc3339_opts(SecondsFormat::Secs, true)),
        };
        let (parameters, further) = (question.parameters, finer.parameters);
        let base = format!("{url}{path}?{span}&limit={limit}&{parameters}{further}").replace("[]", "%5B%5D");
        let mut address = base.clone();
        let mut asked = HashSet::new();
        let mut open = Open::known((self.options.name, path), known, self.options.others);
        let mut whole = true;
        // As far as buckets came in the order of their days.
        let mut reached = Some(from);
        for number in 0..MAX_PAGES {
            let text = match self.fetch((path, &address), finer.header, key, deadline) {
                Err(Unanswered::Refused(SourceError::Read { what, cause, .. })) if number > 0 => {
                    let hint = "what was read before is kept; the next run asks again".to_owned();
                    return Err(SourceError::Read { what, cause, hint }.into());
                }
                other => other?,
            };
            let answered = self.options.clock.now();
            let mut page = page(self.options.whose, question.about, &text, answered, now).map_err(|cause| {
                self.failure(
                    path,
                    format!("the answer is not understood: {cause}"),
                    "if the address is right, the interface has changed",
                )
            })?;
            sink.progress(Progress {
                lines: 1,
                bytes: text.len() as u64,
                ..Progress::default()
            });
            let next = page.next.clone();
            open.note(&mut page);
            let begins = |at: &DateTime<Utc>| page.told.first().is_some_and(|day| day == at || number > 0 && day > at);
            reached = reached
                .filter(|at| begins(at) && page.told.is_sorted())
                .and(page.told.last().copied());
            whole &= self.hand_over(page, sink, question, done)?;
            match next {
                Some(next) if !asked.insert(EventId::of(&[next.as_bytes()])) => {
                    let cause = "the answer names a page that was asked for as the next one".to_owned();
                    let hint =
                        "pages that go round have no end; check what stands between this program and the provider";
                    return Err(self.failure(path, cause, hint).into());
                }
                Some(next) => {
                    address = format!("{base}&page={}", encoded(&next));
                    // What this page told is known also where the next one fails.
                    self.keep(question, &open, sink)?;
                    // Costs are replaced by the day: what is told is not asked for again.
                    let day = reached.filter(|_| whole && question.about == About::Costs);
                    let day = day.map(|day| day.min(now).min(answered).date_naive());
                    if let Some(day) = day.filter(|day| done.is_none_or(|done| done < *day)) {
                        let at = Checkpoint(day.to_string().into_bytes());
                        sink.checkpoint(path, at).map_err(SourceError::from)?;
                    }
                }
                None => {
                    // The days that the next run asks for again.
                    let day = now.min(answered).date_naive() - TimeDelta::days(RESTATED_DAYS);
                    let answer = Answered {
                        made: self.made,
                        at: answered,
                        again: day.and_time(NaiveTime::MIN).and_utc(),
                    };
                    let nothing = open.taken_back(answer);
                    if !nothing.is_empty() {
                        sink.warn(TAKEN_BACK, nothing.len() as u64);
                        sink.usage(&nothing).map_err(SourceError::from)?;
                    }
                    if open.forgotten() > 0 {
                        sink.warn(FORGOTTEN, open.forgotten());
                    }
                    self.keep(question, &open, sink)?;
                    finer.lacks.iter().for_each(|about| sink.warn(about, 1));
                    // A `now` that is yet to come was not answered for. Costs that were refused are asked for until they are known.
                    let day = match whole || question.about == About::Usage {
                        true => now.min(answered),
                        false => from + TimeDelta::days(RESTATED_DAYS),
                    };
                    let at = Checkpoint(day.date_naive().to_string().into_bytes());
                    return Ok(sink.checkpoint(path, at).map_err(SourceError::from)?);
                }
            }
        }
        let cause = format!("the answer has more than {MAX_PAGES} pages");
        Err(self.failure(path, cause, "the next run asks again").into())
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
        for question in questions::of(self.options.whose) {
            if sink.enough() {
                sink.left(Rest::default());
                break;
            }
            if self.timeouts.get() >= MAX_TIMEOUTS {
                let cause = "not asked, since the provider does not answer".to_owned();
                failed.push((
                    question.path,
                    self.failure(question.path, cause, "the next run asks again"),
                ));
                continue;
            }
            match self.ask_finest(question, key, known, deadline, sink) {
                Ok(()) => {}
                Err(error @ SourceError::Store(_)) => return Err(error),
                Err(error) => failed.push((question.path, error)),
            }
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

/// A value in a query.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}
