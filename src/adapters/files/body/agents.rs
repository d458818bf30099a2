//! Sessions of agents that a provider runs: Claude's and OpenAI's, and OpenAI's live ones. A session tells the sum of its calls, at its end or at
//! any time: only the latest sum counts.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::scalar::Scalar;
use super::record::Record;

/// What is told of sums so far, of which nothing says whose they are.
pub(super) const SUMS_SO_FAR: &str =
    "sums of what a session has used so far, which are not added up: its calls tell it, or its end";

/// What is told of sums that stand for themselves.
pub(super) const SESSION: &str = "sessions of agents with the sum of their calls: their events tell the same calls, and where both are read they count twice";

impl<'a> Record<'a> {
    /// What parts of a session keep in places of their own.
    pub(super) fn in_its_places(mut self) -> serde_json::Result<Self> {
        match self.kind.str() {
            "span.model_request_end" if self.usage.is_none() => {
                self.usage = self
                    .model_usage
                    .map(|raw| serde_json::from_str(raw.get()))
                    .transpose()?;
            }
            "session.closed" => self.take_from(self.session),
            kind if kind.starts_with("agent.session.turn.") => {
                if let Some(turn) = self.turn.filter(|raw| raw.get().starts_with('{')) {
                    return Record::parse(turn.get());
                }
            }
            _ if self.is_session() => self.take_from(self.agent),
            _ => {}
        }
        if self.usage.is_some() && self.model().is_null() {
            self.take_from_response();
        }
        Ok(self)
    }

    /// The names of the answer that the Vercel AI SDK keeps beside the usage.
    fn take_from_response(&mut self) {
        #[derive(Deserialize)]
        struct Response<'a> {
            #[serde(borrow, default)]
            id: Scalar<'a>,
            #[serde(borrow, rename = "modelId")]
            model: Scalar<'a>,
            #[serde(borrow, default)]
            timestamp: Scalar<'a>,
        }
        let response = self.response.filter(|raw| raw.get().starts_with('{'));
        let response = response.and_then(|raw| serde_json::from_str::<Response<'a>>(raw.get()).ok());
        let Some(response) = response else { return };
        for (own, told) in [
            (&mut self.model_id, response.model),
            (&mut self.id, response.id),
            (&mut self.timestamp, response.timestamp),
        ] {
            if own.is_null() {
                *own = told;
            }
        }
    }

    /// The model that a part names, and the id of the part where there is no other.
    fn take_from(&mut self, part: Option<&'a RawValue>) {
        #[derive(Deserialize)]
        struct Part<'a> {
            #[serde(borrow, default)]
            id: Scalar<'a>,
            #[serde(borrow, default)]
            model: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Named<'a> {
            #[serde(borrow)]
            id: Scalar<'a>,
        }
        let Some(part) = part.and_then(|raw| serde_json::from_str::<Part<'a>>(raw.get()).ok()) else {
            return;
        };
        if self.id.is_null() {
            self.id = part.id;
        }
        let model = part.model.and_then(|raw| {
            let named = serde_json::from_str::<Named<'a>>(raw.get()).map(|named| named.id);
            named.or_else(|_| serde_json::from_str(raw.get())).ok()
        });
        if self.model.is_null() {
            self.model = model.unwrap_or_default();
        }
    }

    /// Whether it is a sum so far that is told again and again, and says not of which session.
    pub(super) fn is_sum_so_far(&self) -> bool {
        matches!(self.kind.str(), "session.usage" | "session.usage.updated")
    }

    /// Whether it is a session with the sum of its calls.
    pub(super) fn is_session(&self) -> bool {
        let agent = || self.agent.is_some_and(|raw| raw.get().starts_with('{'));
        self.object.str() == "agent.session" || (self.kind.str() == "session" && agent())
    }
}
