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
    pub seller: &'static str,
    /// How many there are.
    pub depth: u32,
}

impl<'s, 'a> Outer<'s, 'a> {
    /// What they say together with one more inside.
    pub fn and(self, record: &'s Record<'a>, text: &'s str) -> Self {
        let first = |outer: &'static str, inner| if outer.is_empty() { inner } else { outer };
        Outer {
            record: Some(self.record.unwrap_or(record)),
            text: if self.record.is_some() { self.text } else { text },
            named: self.named || record.is_named(),
            batch: self.batch || record.of_batch(),
            cloud: first(self.cloud, record.cloud()),
            seller: first(self.seller, seller::known(told(record).str())),
            depth: self.depth + 1,
        }
    }

    /// The model that the outermost one names; else what was asked for.
    pub fn model(&self) -> Scalar<'a> {
        let named = self.record.map(|record| record.model().clone());
        let named = named.filter(|model| !model.is_null());
        named.or_else(|| self.record.map(Record::asked)).unwrap_or_default()
    }

    /// Who the call is: the id of its body. Of one without an id what tells it apart is its content, or that of its envelopes where these
    /// have an id or a time: many an answer says the same as others.
    pub fn identity(&self, record: &Record<'_>, text: &str, out: &mut Output) -> EventId {
        match record.own_id() {
            "" => {
                out.warnings
                    .push("records without an id are told apart by their content");
                tags::content_identity("body", if self.named { self.text } else { text })
            }
            id => tags::response_identity("body", id),
        }
    }
}

/// Who a record says sold what it is around.
fn told<'r, 'a>(record: &'r Record<'a>) -> &'r Scalar<'a> {
    match record.provider.is_null() {
        true => &record.ai_org,
        false => &record.provider,
    }
}
