//! Providers' administration interfaces, live: usage and cost in daily buckets, page by page, patient with rate limits.

mod open;

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::adapters::files::admin::{About, Page, page};
use crate::adapters::files::bills::of_bucket;
use crate::domain::dimension::{Dimension, Dimensions};
use crate::domain::label::Label;
use crate::domain::usage::EventId;
use crate::ports::{Checkpoint, Checkpoints, Clock, Progress, Rejection, Rest, Retry, Sink, SourceError, UsageSource};

use super::http;
use open::Open;

pub use crate::adapters::files::admin::Admin;

/// Days that a first run asks for.
const FIRST_DAYS: i64 = 31;
/// Days that are asked for again, since providers restate them.
const RESTATED_DAYS: i64 = 7;
/// Pages of one answer at most: a provider that never ends is not followed for ever.
const MAX_PAGES: u32 = 1000;
/// Attempts at one page.
const MAX_ATTEMPTS: u32 = 6;
/// The first wait before another attempt; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait that is not asked for by the provider.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Time for one answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Told with how often it occurred.
const TAKEN_BACK: &str =
    "results of usage that their bucket holds no longer were taken back: it was told anew under other values";

/// One question that a provider answers in pages.
struct Question {
    about: About,
    path: &'static str,
    parameters: &'static str,
}

const OPENAI: [Question; 3] = [
    Question {
        about: About::Usage,
        path: "/v1/organization/usage/completions",
        parameters: "bucket_width=1d&limit=31&group_by[]=project_id&group_by[]=user_id&group_by[]=api_key_id&group_by[]=model\
            &group_by[]=batch&group_by[]=service_tier",
    },
    Question {
        about: About::Usage,
        path: "/v1/organization/usage/embeddings",
        parameters: "bucket_width=1d&limit=31&group_by[]=project_id&group_by[]=user_id&group_by[]=api_key_id&group_by[]=model",
    },
    Question {
        about: About::Costs,
        path: "/v1/organization/costs",
        parameters: "bucket_width=1d&limit=180&group_by[]=project_id&group_by[]=line_item",
    },
];

const ANTHROPIC: [Question; 2] = [
    Question {
        about: About::Usage,
        path: "/v1/organizations/usage_report/messages",
        parameters: "bucket_width=1d&limit=31&group_by[]=model&group_by[]=api_key_id&group_by[]=workspace_id&group_by[]=service_tier\
            &group_by[]=context_window&group_by[]=inference_geo",
    },
    Question {
        about: About::Costs,
        path: "/v1/organizations/cost_report",
        parameters: "bucket_width=1d&limit=31&group_by[]=workspace_id&group_by[]=description",
    },
];

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
    /// Values for dimensions that a bucket leaves empty.
    pub defaults: Vec<(Dimension, Label)>,
    /// Time for everything together.
    pub budget: Duration,
    /// The instant that counts as now: which days are asked for follows from it.
    pub now: DateTime<Utc>,
    /// Tells when an answer came, and passes time.
    pub clock: Box<dyn Clock>,
}

/// A provider's usage and costs.
pub struct AdminSource {
    options: AdminSourceOptions,
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
        Ok(AdminSource { options })
    }

    fn failure(&self, cause: String, hint: &str) -> SourceError {
        SourceError::Read {
            what: self.options.url.clone(),
            cause,
            hint: hint.to_owned(),
        }
    }

    /// One page, with patience.
    fn fetch(&self, url: &str, key: &SecretString, deadline: DateTime<Utc>) -> Result<String, SourceError> {
        let secret = key.expose_secret();
        let bearer = format!("Bearer {secret}");
        let headers: &[(&str, &str)] = match self.options.whose {
            Admin::Openai => &[("authorization", &bearer)],
            Admin::Anthropic => &[("x-api-key", secret), ("anthropic-version", "2023-06-01")],
        };
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            let now = self.options.clock.now();
            let left = (deadline - now).to_std().unwrap_or_default();
            if left.is_zero() {
                return Err(self.failure(
                    "no time is left".to_owned(),
                    "the next run goes on; `limits.time_budget_seconds` gives more time",
                ));
            }
            // Refusals like to quote what they refuse.
            let failed = match http::get(url, headers, &[secret], TIMEOUT.min(left)) {
                Ok(text) => return Ok(text),
                Err(failed) => failed,
            };
            let own = http::jittered(wait, url, attempt, now);
            let pause = match failed.retry {
                Retry::Refused | Retry::Never => {
                    let hint = hint(&failed.message);
                    return Err(self.failure(failed.message, hint));
                }
                // An answer that asks for no wait, or for a time that has passed, must not use up all attempts at once.
                Retry::After(asked) => asked.max(own),
                Retry::Backoff => own,
            };
            if attempt == MAX_ATTEMPTS || pause >= left {
                return Err(self.failure(failed.message, "what was read before is kept; the next run goes on"));
            }
            self.options.clock.sleep(pause);
            wait = (wait * 2).min(LONGEST_WAIT);
            attempt += 1;
        }
    }

    fn hand_over(&self, page: Page, sink: &mut dyn Sink, path: &str) -> Result<(), SourceError> {
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
                Ok(bill) => sink.bill(bill)?,
                Err(fault) => faults.push((fault.field, fault.reason)),
            }
        }
        for (field, reason) in faults {
            sink.reject(Rejection {
                file: format!("{}{path}", self.options.url),
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
        Ok(())
    }

    /// Keeps which results may still be restated; costs are replaced by the bucket.
    fn keep(&self, question: &Question, open: &Open, sink: &mut dyn Sink) -> Result<(), SourceError> {
        if question.about == About::Usage {
            let (key, at) = open.save();
            sink.checkpoint(key, at)?;
        }
        Ok(())
    }

    fn ask(
        &self,
        question: &Question,
        key: &SecretString,
        known: &Checkpoints,
        deadline: DateTime<Utc>,
        sink: &mut dyn Sink,
    ) -> Result<(), SourceError> {
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
        let base = format!("{url}{path}?{span}&{}", question.parameters).replace("[]", "%5B%5D");
        let mut address = base.clone();
        let mut asked = HashSet::new();
        let mut open = Open::known(path, known);
        for _ in 0..MAX_PAGES {
            let text = self.fetch(&address, key, deadline)?;
            let answered = self.options.clock.now();
            let latest = answered.max(now) + TimeDelta::days(1);
            let page = page(self.options.whose, question.about, &text, answered, latest).map_err(|cause| {
                self.failure(
                    format!("the answer to `{path}` is not understood: {cause}"),
                    "if the address is right, the interface has changed",
                )
            })?;
            sink.progress(Progress {
                lines: 1,
                bytes: text.len() as u64,
                ..Progress::default()
            });
            let next = page.next.clone();
            open.note(&page);
            self.hand_over(page, sink, path)?;
            match next {
                Some(next) if !asked.insert(EventId::of(&[next.as_bytes()])) => {
                    return Err(self.failure(
                        format!("the answer to `{path}` names a page that was asked for as the next one"),
                        "pages that go round have no end; check what stands between this program and the provider",
                    ));
                }
                Some(next) => {
                    address = format!("{base}&page={}", encoded(&next));
                    // What this page told is known also where the next one fails.
                    self.keep(question, &open, sink)?;
                }
                None => {
                    let nothing = open.taken_back(from, answered);
                    if !nothing.is_empty() {
                        sink.warn(TAKEN_BACK, nothing.len() as u64);
                        sink.usage(&nothing)?;
                    }
                    self.keep(question, &open, sink)?;
                    // A `now` that is yet to come was not answered for.
                    let day = now.min(answered).date_naive().to_string();
                    sink.checkpoint(path, Checkpoint(day.into_bytes()))?;
                    return Ok(());
                }
            }
        }
        Err(self.failure(
            format!("`{path}` has more than {MAX_PAGES} pages"),
            "the next run asks again",
        ))
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
                return Err(self.failure(cause.clone(), "put the admin key, and nothing else, where `key` says"));
            }
        };
        let budget = TimeDelta::from_std(self.options.budget).unwrap_or(TimeDelta::MAX);
        let now = self.options.clock.now();
        let deadline = now.checked_add_signed(budget).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let questions: &[Question] = match self.options.whose {
            Admin::Openai => &OPENAI,
            Admin::Anthropic => &ANTHROPIC,
        };
        // A question that the key may not ask does not keep the others from being answered.
        let mut first = Ok(());
        for question in questions {
            if sink.enough() {
                sink.left(Rest::default());
                break;
            }
            match self.ask(question, key, known, deadline, sink) {
                Ok(()) => {}
                Err(error @ SourceError::Store(_)) => return Err(error),
                Err(error) => first = first.and(Err(error)),
            }
        }
        first
    }
}

/// What to do about a refusal for good.
fn hint(refusal: &str) -> &'static str {
    let status = refusal.strip_prefix("answered ").unwrap_or_default();
    match status.get(..3).unwrap_or_default() {
        "401" | "403" => "usage and costs need an admin key of the organisation; check the variable that `key` names",
        status if status.starts_with('3') => {
            "the address answers with a redirect, which is not followed; write the address that it leads to into `url`"
        }
        _ => "the provider does not know this question; check `url`",
    }
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
