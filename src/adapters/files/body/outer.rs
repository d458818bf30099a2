//! The envelopes around a body.

use crate::domain::usage::EventId;

use super::super::line::Output;
use super::super::scalar::Scalar;
use super::super::{seller, tags};
use super::record::Record;

/// What the envelopes around a body say.
#[derive(Clone, Copy, Default)]
pub(super) struct Outer<'s, 'a> {
    /// The outermost one.
    pub record: Option<&'s Record<'a>>,
    text: &'s str,
    /// Whether one of them has what tells it from others like it.
    named: bool,
    /// Whether it is a line of a batch's output.
    pub batch: bool,
    /// The cloud that sold what stands inside; empty where they do not tell.
    pub cloud: &'static str,
    /// Who they say sold it, which is less certain than the signs in the body; empty where they do not tell.
    pub seller: &'s str,
    /// How many there are.
    pub depth: u32,
}

impl<'s, 'a> Outer<'s, 'a> {
    /// What they say together with one more inside.
    pub fn and(self, record: &'s Record<'a>, text: &'s str) -> Self {
        Outer {
            record: Some(self.record.unwrap_or(record)),
            text: if self.record.is_some() { self.text } else { text },
            named: self.named || record.is_named(),
            batch: self.batch || record.of_batch(),
            cloud: if self.cloud.is_empty() {
                record.cloud()
            } else {
                self.cloud
            },
            seller: first(self.seller, seller::around(told(record).str())),
            depth: self.depth + 1,
        }
    }

    /// The model that the outermost one names; else what was asked for.
    pub fn model(&self) -> Scalar<'a> {
        let named = self.record.map(|record| record.model().clone());
        let named = named.filter(|model| !model.is_null());
        named.or_else(|| self.record.map(Record::asked)).unwrap_or_default()
    }

    /// The name on Bedrock that was asked for, where it stands beside or around an answer that has the maker's name for the same model (`own`):
    /// it alone tells the place.
    pub fn profile(&self, record: &Record<'_>, own: &str) -> Option<String> {
        if own.is_empty() || seller::by_model(own) == "bedrock" {
            return None;
        }
        let fits = |asked: &str| (!asked.is_empty() && profile_of(asked, own)).then(|| asked.to_owned());
        fits(record.model_id.str())
            .or_else(|| fits(asked_of_bedrock(record)?.str()))
            .or_else(|| fits(self.record?.model().str()))
            .or_else(|| fits(self.record?.model_id.str()))
            .or_else(|| fits(asked_of_bedrock(self.record?)?.str()))
    }

    /// Who the call is: the id of its body. Of one without an id what tells it apart is its content, or that of its envelopes where these
    /// have an id or a time: many an answer says the same as others. To the number of a row belong its time and its model: other tables have
    /// such a row, too.
    pub fn identity(&self, record: &Record<'_>, text: &str, out: &mut Output) -> EventId {
        match record.own_id() {
            "" => {}
            id if !is_number(id, record) && record.is_of_google() => return tags::google_identity("body", id),
            id if !is_number(id, record) => return tags::response_identity("body", id),
            id => {
                if let Some(time) = self.time(record) {
                    let model = record.model().str();
                    return EventId::of(&[b"body", b"row", id.as_bytes(), time.as_bytes(), model.as_bytes()]);
                }
            }
        }
        if let Some(id) = record.aws_request().and_then(|id| tags::request_identity(&id)) {
            return id;
        }
        out.warnings
            .push("records without an id are told apart by their content");
        tags::content_identity("body", if self.named { self.text } else { text })
    }

    /// The time that a record or what is around it tells, as it is written.
    fn time(&self, record: &Record<'_>) -> Option<String> {
        let of = |record: &Record<'_>| {
            let mut times = record.times().into_iter().chain(record.times_of_logs());
            times.find_map(|(time, _)| written(time))
        };
        of(record).or_else(|| self.record.and_then(of))
    }

    /// The text of all, of which this is what stands inside.
    pub fn whole<'t>(&self, inner: &'t str) -> &'t str
    where
        's: 't,
    {
        if self.record.is_some() { self.text } else { inner }
    }
}

/// A time as it is written; nothing where none is told.
fn written(time: &Scalar<'_>) -> Option<String> {
    match time {
        Scalar::Text(time) if !time.is_empty() => Some(time.to_string()),
        Scalar::Whole(time) if *time > 0 => Some(time.to_string()),
        Scalar::Float(time) => Some(time.to_string()),
        Scalar::Null | Scalar::Text(_) | Scalar::Whole(_) | Scalar::Negative(_) | Scalar::Bool(_) | Scalar::Other => {
            None
        }
    }
}

fn first<'s>(outer: &'s str, inner: &'s str) -> &'s str {
    if outer.is_empty() { inner } else { outer }
}

/// What was asked for, where it may have been asked of Bedrock.
fn asked_of_bedrock<'a>(record: &Record<'a>) -> Option<Scalar<'a>> {
    let request = record.request?.get().as_bytes();
    let has = |word: &[u8]| memchr::memmem::find(request, word).is_some();
    (has(b"\"modelId\"") || has(b"anthropic.")).then(|| record.asked())
}

/// Whether a name is Bedrock's for the model that its maker calls `own`. What an ARN of one's own stands for only a map of prices tells.
fn profile_of(asked: &str, own: &str) -> bool {
    let hides = || {
        let told = [":foundation-model/", ":inference-profile/"];
        asked.starts_with("arn:") && !told.iter().any(|kind| asked.contains(kind))
    };
    if seller::by_model(asked) != "bedrock" || hides() {
        return false;
    }
    let plain = |name: &str| name.to_ascii_lowercase().replace('.', "-");
    let is_date = |rest: &str| {
        let day = rest.strip_prefix('-').unwrap_or("");
        day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_end = |rest: &str| rest.is_empty() || rest.starts_with("-v") || rest.starts_with(':');
    let (asked, own) = (plain(asked), plain(own));
    let dated = own.len().checked_sub(9).and_then(|at| own.split_at_checked(at));
    let undated = dated.filter(|(_, date)| is_date(date)).map(|(name, _)| name);
    let behind = |name: &str| asked.rsplit_once(name).map(|(_, rest)| rest.to_owned());
    behind(&own).is_some_and(|rest| is_end(&rest) || rest.get(..9).is_some_and(is_date))
        || undated.and_then(behind).is_some_and(|rest| is_end(&rest))
}

/// Whether an id is the number of a row. Parts of one answer share theirs, whatever it is.
fn is_number(id: &str, record: &Record<'_>) -> bool {
    let parts = ["chat.completion.chunk", "text_completion", "response"];
    let is_part =
        parts.contains(&record.object.str()) || record.kind.str() == "message" || !record.response_id.is_null();
    tags::is_of_few(id) && !is_part
}

/// Who a record says sold what it is around.
fn told<'r, 'a>(record: &'r Record<'a>) -> &'r Scalar<'a> {
    match record.provider.is_null() {
        true => &record.ai_org,
        false => &record.provider,
    }
}
