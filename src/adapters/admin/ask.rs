//! One question, page by page: from which day on it is asked, and how far its answer is known afterwards.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};
use secrecy::SecretString;

use crate::adapters::files::admin::{About, page};
use crate::domain::usage::EventId;
use crate::ports::{Checkpoint, Checkpoints, Progress, Sink, SourceError};

use super::fetch::Unanswered;
use super::open::{Answered, Open};
use super::questions::{Finer, Question};
use super::{Admin, AdminSource};

/// Days that a first run asks for, and as long as a day is asked for again that an answer left out.
const FIRST_DAYS: i64 = 31;
/// Days that are asked for again, since providers restate them.
const RESTATED_DAYS: i64 = 7;
/// Pages of one answer at most: a provider that never ends is not followed for ever.
const MAX_PAGES: u32 = 1000;
/// How much later an answer stands than the one before where the clock says that it is no later.
const STEP: TimeDelta = TimeDelta::milliseconds(1);
/// Told with how often it occurred.
const TAKEN_BACK: &str =
    "results of usage that their bucket holds no longer were taken back: it was told anew under other values";
/// Told with how many they are.
const FORGOTTEN: &str =
    "results of usage are too many to be remembered: one that is told anew under other values counts twice";

impl AdminSource {
    /// Asks as finely as the provider answers. Whether it does, the first page tells: what pages have told stands.
    pub(super) fn ask_finest(
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
            if !matches!(result, Err(Unanswered::TooMuch(_))) {
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

    /// Keeps which results may still be restated, and when the answer stands that told them; costs are replaced by the bucket.
    fn keep(
        &self,
        question: &Question,
        open: &Open,
        answered: DateTime<Utc>,
        sink: &mut dyn Sink,
    ) -> Result<(), SourceError> {
        if question.about == About::Usage {
            let (key, at) = open.save();
            sink.checkpoint(key, at)?;
            let at = answered.timestamp_micros().to_string();
            sink.checkpoint(&last_answer(question.path), Checkpoint(at.into_bytes()))?;
        }
        Ok(())
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
        let done = noted::<NaiveDate>(known, question.path);
        let from = match done {
            Some(day) => day.min(now.date_naive()) - TimeDelta::days(RESTATED_DAYS),
            None => now.date_naive() - TimeDelta::days(FIRST_DAYS),
        };
        let start = from.and_time(NaiveTime::MIN).and_utc();
        let (url, path) = (&self.options.url, question.path);
        let span = match self.options.whose {
            Admin::Openai => format!("start_time={}", start.timestamp()),
            Admin::Anthropic => format!("starting_at={}", start.to_rfc3339_opts(SecondsFormat::Secs, true)),
        };
        let (parameters, further) = (question.parameters, finer.parameters);
        let base = format!("{url}{path}?{span}&limit={limit}&{parameters}{further}").replace("[]", "%5B%5D");
        let mut address = base.clone();
        let mut asked = HashSet::new();
        let mut open = Open::known((self.options.name, path), known, self.options.others);
        let mut whole = true;
        let mut last = noted::<i64>(known, &last_answer(path)).and_then(DateTime::from_timestamp_micros);
        let made = after(last, self.made);
        for number in 0..MAX_PAGES {
            let text = match self.fetch((path, &address), finer.header, key, limit > 1, deadline) {
                Err(Unanswered::Refused(SourceError::Read { what, cause, .. })) if number > 0 => {
                    let hint = "what was read before is kept; the next run asks again".to_owned();
                    return Err(SourceError::Read { what, cause, hint }.into());
                }
                other => other?,
            };
            let clock = self.options.clock.now();
            // A `now` that is yet to come was not answered for.
            let today = now.min(clock).date_naive();
            let answered = after(last, clock);
            last = Some(answered);
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
            whole &= self.hand_over(page, sink, question, done)?;
            let untold = open.untold(start).date_naive();
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
                    self.keep(question, &open, answered, sink)?;
                    // Costs are replaced by the day: what is told is not asked for again.
                    let day = Some(untold.min(today)).filter(|_| whole && question.about == About::Costs);
                    if let Some(day) = day.filter(|day| done.is_none_or(|done| done < *day)) {
                        let at = Checkpoint(day.to_string().into_bytes());
                        sink.checkpoint(path, at).map_err(SourceError::from)?;
                    }
                }
                None => {
                    // A day that was not told is unknown; it is asked for until it is told, within the answer for a month. Costs that were
                    // refused are asked for until they are known.
                    let month = today - TimeDelta::days(FIRST_DAYS - RESTATED_DAYS);
                    let known_until = match (whole || question.about == About::Usage, open.last_told()) {
                        (true, Some(last)) => untold.max((last.date_naive() + TimeDelta::days(1)).min(month)),
                        (true, None) => from.max(month),
                        (false, _) => from,
                    };
                    let day = known_until.max(from + TimeDelta::days(RESTATED_DAYS)).min(today);
                    let again = day - TimeDelta::days(RESTATED_DAYS);
                    let nothing = open.taken_back(Answered {
                        made,
                        at: answered,
                        again: again.and_time(NaiveTime::MIN).and_utc(),
                    });
                    if !nothing.is_empty() {
                        sink.warn(TAKEN_BACK, nothing.len() as u64);
                        sink.usage(&nothing).map_err(SourceError::from)?;
                    }
                    if open.forgotten() > 0 {
                        sink.warn(FORGOTTEN, open.forgotten());
                    }
                    self.keep(question, &open, answered, sink)?;
                    finer.lacks.iter().for_each(|about| sink.warn(about, 1));
                    let at = Checkpoint(day.to_string().into_bytes());
                    return Ok(sink.checkpoint(path, at).map_err(SourceError::from)?);
                }
            }
        }
        let cause = format!("the answer has more than {MAX_PAGES} pages");
        Err(self.failure(path, cause, "the next run asks again").into())
    }
}

/// What a checkpoint holds the instant under at which the last answer to a question stands.
fn last_answer(path: &str) -> String {
    format!("{path}: last answer")
}

/// What a checkpoint says; a damaged one is as good as none.
fn noted<T: std::str::FromStr>(known: &Checkpoints, key: &str) -> Option<T> {
    std::str::from_utf8(&known.get(key)?.0).ok()?.parse().ok()
}

/// The instant at which an answer stands: after all those before it, whatever the clock says, since of two the later one counts.
fn after(last: Option<DateTime<Utc>>, clock: DateTime<Utc>) -> DateTime<Utc> {
    let next = last.and_then(|last| last.checked_add_signed(STEP));
    next.map_or(clock, |next| next.max(clock))
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
