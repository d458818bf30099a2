//! What a session of Copilot CLI has told of each model, and what of a sum over its calls nothing told before.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::super::counts::Counts;
use super::super::super::line::Fault;
use super::super::super::object;
use super::super::super::scalar::Scalar;

/// The end of a process: what its session used, by model.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct End<'a> {
    #[serde(borrow, default)]
    model_metrics: Option<BTreeMap<Cow<'a, str>, Metric<'a>>>,
}

#[derive(Deserialize)]
struct Metric<'a> {
    #[serde(borrow, default, deserialize_with = "object::one")]
    requests: Option<Asked<'a>>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    usage: Option<Used<'a>>,
}

#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow, default)]
    count: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used<'a> {
    #[serde(borrow, default)]
    input_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    output_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_read_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    cache_write_tokens: Scalar<'a>,
    #[serde(borrow, default)]
    reasoning_tokens: Scalar<'a>,
}

impl End<'_> {
    /// What each model was used for.
    pub fn sums(&self) -> Result<BTreeMap<String, Sum>, Fault> {
        let models = self.model_metrics.iter().flatten();
        models
            .map(|(name, metric)| Ok((name.to_string(), metric.sum()?)))
            .collect()
    }
}

impl Metric<'_> {
    fn sum(&self) -> Result<Sum, Fault> {
        let Some(used) = &self.usage else {
            return Ok(Sum::default());
        };
        let count = |value: &Scalar<'_>, field: &str| value.count(&format!("data.modelMetrics.usage.{field}"));
        let calls = self.requests.as_ref().map(|asked| &asked.count);
        Ok(Sum {
            calls: calls.map_or(Ok(0), |calls| calls.count("data.modelMetrics.requests.count"))?,
            input: count(&used.input_tokens, "inputTokens")?,
            read: count(&used.cache_read_tokens, "cacheReadTokens")?,
            written: count(&used.cache_write_tokens, "cacheWriteTokens")?,
            output: count(&used.output_tokens, "outputTokens")?,
            reasoning: count(&used.reasoning_tokens, "reasoningTokens")?,
        })
    }
}

/// What a model was used for. Input includes cached tokens, output thoughts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Sum {
    pub calls: u64,
    pub input: u64,
    pub read: u64,
    pub written: u64,
    pub output: u64,
    pub reasoning: u64,
}

impl Sum {
    /// That of one call.
    pub fn of(counts: &Counts) -> Sum {
        Sum {
            calls: 1,
            input: counts.input,
            read: counts.read,
            written: counts.cached().saturating_sub(counts.read),
            output: counts.output,
            reasoning: counts.reasoning,
        }
    }

    fn each(self, other: Sum, of: fn(u64, u64) -> u64) -> Sum {
        Sum {
            calls: of(self.calls, other.calls),
            input: of(self.input, other.input),
            read: of(self.read, other.read),
            written: of(self.written, other.written),
            output: of(self.output, other.output),
            reasoning: of(self.reasoning, other.reasoning),
        }
    }

    /// Both together.
    pub fn and(self, other: Sum) -> Sum {
        self.each(other, u64::saturating_add)
    }

    /// What it has more than another.
    fn beyond(self, other: Sum) -> Sum {
        self.each(other, u64::saturating_sub)
    }

    /// Whether it may contain another.
    fn holds(self, other: Sum) -> bool {
        other.beyond(self) == Sum::default()
    }

    /// Whether nothing was asked or answered.
    pub fn is_nothing(self) -> bool {
        self.input == 0 && self.output == 0
    }
}

/// What was told of one model.
#[derive(Clone, Copy, Default, Debug, Serialize, Deserialize)]
struct Told {
    /// In the whole session.
    all: Sum,
    /// Of that, before this process began.
    before: Sum,
    /// At the end of a process, the last that there was.
    end: Sum,
    /// The same of those before this process.
    last: Sum,
}

/// What a session has told, by model.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Sums {
    models: BTreeMap<String, Told>,
    /// What was answered since this process began, as its messages say.
    answered: u64,
}

impl Sums {
    /// A process begins.
    pub fn begin(&mut self) {
        self.answered = 0;
        for told in self.models.values_mut() {
            (told.before, told.last) = (told.all, told.end);
        }
    }

    /// A message says how long it is.
    pub fn answer(&mut self, output: u64) {
        self.answered = self.answered.saturating_add(output);
    }

    /// A call is told.
    pub fn add(&mut self, model: &str, used: Sum) {
        match self.models.get_mut(model) {
            Some(told) => told.all = told.all.and(used),
            None => {
                let told = Told {
                    all: used,
                    ..Told::default()
                };
                self.models.insert(model.to_owned(), told);
            }
        }
    }

    /// What nothing told before of what a process says at its end, by model. Later versions sum up the whole session, also what processes
    /// before this one used; earlier ones this process alone. Where it has `records` of calls under another name, nothing is new.
    pub fn end(&mut self, told: &BTreeMap<String, Sum>, records: bool) -> Vec<(String, Sum)> {
        if records && self.models.keys().any(|model| !told.contains_key(model)) {
            return Vec::new();
        }
        let whole = self.is_whole(told);
        let mut new = Vec::new();
        for (model, sum) in told {
            let known = self.models.entry(model.clone()).or_default();
            let counted = match whole {
                true => known.all,
                false => known.all.beyond(known.before),
            };
            let rest = sum.beyond(counted);
            known.all = known.all.and(rest);
            known.end = *sum;
            if !rest.is_nothing() {
                new.push((model.clone(), rest));
            }
        }
        new
    }

    /// Whether these sums hold all that the last process told, and beside it what was answered since then.
    fn is_whole(&self, told: &BTreeMap<String, Sum>) -> bool {
        let now = |model: &str| told.get(model).copied().unwrap_or_default();
        let grown = self.models.iter().all(|(model, known)| now(model).holds(known.last));
        let output = |sums: &mut dyn Iterator<Item = Sum>| sums.fold(Sum::default(), Sum::and).output;
        let (all, last) = (
            output(&mut told.values().copied()),
            output(&mut self.models.values().map(|known| known.last)),
        );
        grown && all.saturating_sub(last) >= self.answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(calls: u64, input: u64, output: u64) -> BTreeMap<String, Sum> {
        let sum = Sum {
            calls,
            input,
            output,
            ..Sum::default()
        };
        BTreeMap::from([("m".to_owned(), sum)])
    }

    /// What the end of a second process adds, where the first one told 100 tokens in and 10 out.
    fn second(answered: u64, recorded: Option<(u64, u64)>, told: &BTreeMap<String, Sum>) -> Vec<(u64, u64)> {
        let mut sums = Sums::default();
        sums.answer(10);
        assert_eq!(sums.end(&sum(1, 100, 10), false).len(), 1);
        sums.begin();
        sums.answer(answered);
        if let Some((input, output)) = recorded {
            let used = sum(1, input, output);
            used.values().for_each(|used| sums.add("m", *used));
        }
        let new = sums.end(told, recorded.is_some());
        assert!(sums.end(told, recorded.is_some()).is_empty(), "told again");
        if recorded.is_some() {
            sums.add("another name", Sum::default());
            assert!(sums.end(&sum(9, 900, 90), true).is_empty());
        }
        new.into_iter().map(|(_, sum)| (sum.input, sum.output)).collect()
    }

    #[test]
    fn a_sum_counts_as_far_as_nothing_told_it() {
        for (answered, recorded, told, new) in [
            // Of the whole session.
            (20, None, sum(2, 300, 30), vec![(200, 20)]),
            // Of this process alone: smaller than the first, and larger.
            (5, None, sum(1, 50, 5), vec![(50, 5)]),
            (20, None, sum(1, 200, 20), vec![(200, 20)]),
            // A later version goes on, whose records tell each call.
            (0, Some((200, 20)), sum(2, 300, 30), vec![]),
            (0, Some((200, 20)), sum(1, 200, 20), vec![]),
            // Nothing was asked.
            (0, None, sum(1, 100, 10), vec![]),
            // What no message tells, such as a title.
            (20, None, sum(3, 340, 33), vec![(240, 23)]),
        ] {
            assert_eq!(
                second(answered, recorded, &told),
                new,
                "{answered} {recorded:?} {told:?}"
            );
        }
    }
}
