//! What coding agents mean by what they write: Claude Code, Codex and Gemini CLI.

use std::collections::VecDeque;

use super::super::counts::{Counts, Input};
use super::super::line::{Context, Fault, Output};
use super::super::scalar::Scalar;
use super::super::seller;
use super::attributes::{Attributes, name};
use super::node::SpanKey;
use super::nodes::Nodes;
use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, Tokens, UsageEvent};

/// A span's request is a line's request, and the line is known by its answer, whose id other logs have too.
const CLAUDE_CODE: &str =
    "calls that Claude Code traces: its session logs tell them too, and where both are read they count twice";

const UNSPLIT: &str = "calls that Claude Code traces: spans tell neither how long what they wrote to the cache stays, which is charged as for 5 minutes, nor searches on the web; its session logs do";

const CODEX: &str = "calls that Codex traces: its session logs tell them too, and where both are read they count twice";

const GEMINI_CLI: &str = "calls that Gemini CLI traces: spans do not tell what of the input was cached, which is charged as uncached, nor what was thought, which is not charged";

/// Whether this is the scope in which Claude Code traces.
fn is_of_claude_code(scope: &str) -> bool {
    scope.starts_with("com.anthropic.claude_code")
}

fn is_of_gemini_cli(scope: &str) -> bool {
    scope == "gemini-cli"
}

impl Attributes<'_> {
    /// Takes what coding agents tell in words of their own for what the conventions mean by it.
    pub fn take_over(&mut self, scope: &str) {
        if self.claude_span.str() == "llm_request" && is_of_claude_code(scope) {
            self.take_over_claude_code();
        } else if self.is_call_of_codex() && self.request_model.is_null() {
            self.request_model = std::mem::take(&mut self.own_model);
        } else if self.operation.str() == "llm_call" && is_of_gemini_cli(scope) {
            self.operation = Scalar::Text("generate_content".into());
        } else if !self.take_over_gateway(scope) {
            self.take_over_framework(scope);
        }
    }

    /// Its input is what was neither read from a cache nor written to one. It names Anthropic whoever sells: there the shape of the model tells.
    fn take_over_claude_code(&mut self) {
        if !self.has_usage() {
            self.uncached = self.claude_input.clone();
            self.input = std::mem::take(&mut self.claude_input);
            self.output = std::mem::take(&mut self.claude_output);
            self.read = std::mem::take(&mut self.claude_read);
            self.written = std::mem::take(&mut self.claude_written);
        }
        let is_cloud = |seller: &&str| matches!(*seller, "bedrock" | "vertex");
        let cloud = self.models().map(seller::by_model).find(is_cloud);
        if let Some(cloud) = cloud.filter(|_| name(&self.provider, &self.system).str() == "anthropic") {
            self.provider = Scalar::Text(cloud.into());
        }
    }

    /// Whether Codex tells of a call: it names neither model nor operation.
    fn is_call_of_codex(&self) -> bool {
        !self.codex_total.is_null() && self.has_usage()
    }

    /// The model that a span of Codex's names for the calls below it, an empty one for a call that names none; nothing for all other spans.
    pub(super) fn of_codex(&self, context: &mut Context) -> Result<Option<Label>, Fault> {
        if self.is_call_of_codex() {
            return Ok(self.models().next().is_none().then_some(Label::EMPTY));
        }
        // Others of its parts look models up without asking them.
        if self.own_model.str().is_empty() || !self.target.str().starts_with("codex_core") {
            return Ok(None);
        }
        context.label(&self.own_model, "model").map(Some)
    }

    /// What it used, and what its input count contains.
    pub(super) fn used(&self, scope: &str, provider: &str, out: &mut Output) -> Result<(Counts, Input), Fault> {
        let provider = if self.is_call_of_codex() { "openai" } else { provider };
        let (mut counts, input) = self.counts(provider, out)?;
        if self.models().any(|model| model.contains("claude")) {
            counts.keep_for_minutes();
        }
        Ok(self.meant(scope, provider, (counts, input)))
    }

    /// Whether Claude declined before anything was answered, for which Anthropic charges nothing.
    pub(super) fn is_refused(&self, scope: &str, provider: &str, counts: &Counts) -> bool {
        is_of_claude_code(scope) && provider == "anthropic" && self.stop.str() == "refusal" && counts.output == 0
    }

    /// The speed at which Claude Code was answered, if it is not the standard one.
    pub(super) fn speed(&self, scope: &str, context: &mut Context) -> Result<Label, Fault> {
        if matches!(self.speed.str(), "" | "normal" | "standard") || !is_of_claude_code(scope) {
            return Ok(Label::EMPTY);
        }
        context.label(&self.speed, "speed")
    }

    /// Tells who else tells the call, and what these spans do not tell.
    pub(super) fn tell(&self, scope: &str, tokens: &Tokens, out: &mut Output) {
        if is_of_claude_code(scope) {
            out.warnings.push(CLAUDE_CODE);
            if tokens.get(Bucket::CacheWrite5m) > 0 {
                out.warnings.push(UNSPLIT);
            }
        } else if self.is_call_of_codex() {
            out.warnings.push(CODEX);
        } else if is_of_gemini_cli(scope) {
            out.warnings.push(GEMINI_CLI);
        }
    }
}

/// Calls of Codex's that were told without a model, which a span above them names that may come later.
const NAMELESS: usize = 1024;

/// Calls of Codex's whose model is not known yet, the oldest first.
#[derive(Clone, Default)]
pub(super) struct Nameless(VecDeque<(SpanKey, UsageEvent)>);

impl Nameless {
    /// Whether this is a call of Codex's, whose model is that of the nearest span above it that names one. Where that is not known, the
    /// call is remembered.
    pub fn take(&mut self, key: SpanKey, event: &mut UsageEvent, nodes: &Nodes) -> bool {
        if nodes.get(key).and_then(|node| node.codex) != Some(Label::EMPTY) {
            return false;
        }
        if !give_name(key, event, nodes) {
            self.0.retain(|(known, _)| *known != key);
            self.0.push_back((key, *event));
            if self.0.len() > NAMELESS {
                self.0.pop_front();
            }
        }
        true
    }

    /// Those of which the model is known since: they are told once more.
    pub fn named(&mut self, nodes: &Nodes) -> Vec<UsageEvent> {
        let mut named = Vec::new();
        self.0.retain_mut(|(key, event)| {
            let known = give_name(*key, event, nodes);
            if known {
                named.push(*event);
            }
            !known
        });
        named
    }
}

/// Gives a call the model that a span above it names, and who sells that.
fn give_name(key: SpanKey, event: &mut UsageEvent, nodes: &Nodes) -> bool {
    let mut named = nodes.ancestors(key).filter_map(|above| nodes.get(above)?.codex);
    let Some(model) = named.find(|model| !model.is_empty()) else {
        return false;
    };
    let provider = Label::new(seller::by_model(model.as_str()));
    event.dimensions.set(Dimension::Provider, provider);
    event.dimensions.set(Dimension::Model, model);
    true
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::super::traces::{Found, Traces};
    use super::*;
    use crate::domain::usage::{EventId, Rank};

    /// A call of Codex's at span 1, below 2, below 3, which names the model, below 4, which names another one.
    #[test]
    fn a_call_of_codex_has_the_model_of_the_nearest_span_above_whenever_that_comes() {
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let mut call = UsageEvent::new(EventId([1; 16]), at, Label::EMPTY, Label::EMPTY);
        call.rank.authority = Rank::SPAN;
        call.tokens.set(Bucket::Output, 20);
        for order in [[1, 2, 3, 4], [4, 3, 2, 1], [1, 3, 4, 2], [2, 1, 3, 4], [3, 2, 1, 4]] {
            for settled_each in [true, false] {
                let (mut traces, mut found, mut told) = (Traces::default(), Found::default(), Vec::new());
                for key in order {
                    let model = match key {
                        1 => Some(""),
                        3 => Some("gpt-5.5"),
                        4 => Some("gpt-5.6-luna"),
                        _ => None,
                    };
                    if let Some(model) = model {
                        traces.name(key, model.into());
                    }
                    let parent = if key == 4 { 0 } else { key + 1 };
                    traces.link(key, parent, false, (key == 1).then_some(call), &mut found);
                    if settled_each {
                        // A run that could not record what it read reads it again.
                        traces.mark();
                        let first = traces.settle(&mut Found::default());
                        traces.undo();
                        let again = traces.settle(&mut found);
                        assert_eq!(first, again, "{order:?}");
                        told.extend(again);
                    }
                }
                told.extend(traces.settle(&mut found));
                assert_eq!(found.calls, told.len() as u64, "{order:?}");
                // Whichever is recorded first.
                for told in [told.clone(), told.into_iter().rev().collect()] {
                    let one = told.into_iter().reduce(UsageEvent::merge).unwrap();
                    let names = (one.provider().as_str(), one.model().as_str());
                    assert_eq!(names, ("openai", "gpt-5.5"), "{order:?} {settled_each}");
                    assert_eq!((one.id, one.tokens), (call.id, call.tokens));
                }
            }
        }
    }

    #[test]
    fn calls_whose_model_nothing_names_are_remembered_up_to_a_limit() {
        let mut traces = Traces::default();
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        for n in 0..NAMELESS as u64 + 5 {
            let key = n * 2 + 1;
            traces.name(key, Label::EMPTY);
            let id = EventId::of(&[&n.to_le_bytes()]);
            let call = UsageEvent::new(id, at, Label::EMPTY, Label::EMPTY);
            traces.link(key, key + 1, false, Some(call), &mut Found::default());
            traces.settle(&mut Found::default());
        }
        for n in 0..NAMELESS as u64 + 5 {
            traces.name(n * 2 + 2, "gpt-5.5".into());
        }
        assert_eq!(traces.settle(&mut Found::default()).len(), NAMELESS);
    }
}
