//! Cline, and what is made of it (Roo Code, Kilo Code's extension): the messages of a task (`ui_messages.json`), which are written anew as a
//! whole at each change, and the sessions of Cline's newer programs (`*.messages.json`). Identity is, in a task, when it began and when the
//! request was made; in a session the id and the time of the message: copies in another folder and forks are the same call. Whether input
//! includes cached tokens depends on the provider in a task ([`includes`]); in a session it does.

mod beside;
mod session;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::dimension::Dimension;
use crate::domain::usage::{EventId, Rank, UsageEvent};

use super::super::counts::{Counts, Input};
use super::super::line::{Context, Fault, LineFormat, Output};
use super::super::object;
use super::super::scalar::{Scalar, reported};
use super::super::seller;
use super::super::value::Value;
use super::{answering, without_tokens, written};
use beside::Beside;

/// Reads the messages of one task, or sessions.
#[derive(Default)]
pub(in super::super) struct Cline {
    /// When the first message of the task was written, as it stands there.
    begun: Option<u64>,
    /// What lies beside the messages, once looked for.
    beside: Option<Beside>,
}

/// A message of a task, or a session as a whole.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow, default)]
    ts: Scalar<'a>,
    #[serde(borrow, default)]
    say: Scalar<'a>,
    #[serde(borrow, default)]
    text: Scalar<'a>,
    #[serde(borrow, default, deserialize_with = "object::one")]
    model_info: Option<Asked<'a>>,
    #[serde(borrow, default)]
    context_condense: Option<&'a RawValue>,
    #[serde(borrow, default)]
    session_id: Scalar<'a>,
    #[serde(borrow, default)]
    agent: Scalar<'a>,
    #[serde(borrow, default)]
    messages: Option<Vec<&'a RawValue>>,
}

/// Which model was asked.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    #[serde(borrow, default)]
    provider_id: Scalar<'a>,
    #[serde(borrow, default)]
    model_id: Scalar<'a>,
    #[serde(borrow, default)]
    mode: Scalar<'a>,
}

/// The text of a message that tells of a request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow, default)]
    api_protocol: Scalar<'a>,
    #[serde(borrow, default)]
    tokens_in: Scalar<'a>,
    #[serde(borrow, default)]
    tokens_out: Scalar<'a>,
    #[serde(borrow, default)]
    cache_writes: Scalar<'a>,
    #[serde(borrow, default)]
    cache_reads: Scalar<'a>,
    #[serde(borrow, default)]
    cost: Option<&'a RawValue>,
    #[serde(borrow, default)]
    cancel_reason: Scalar<'a>,
}

/// Providers that are other agents' programs, whose own sessions tell the same calls.
const AGENTS: [&str; 3] = ["claude-code", "openai-codex-cli", "opencode"];

/// Providers of Cline whose input count includes what was read from the cache.
const INCLUDING: [&str; 12] = [
    "doubao",
    "fireworks",
    "hicap",
    "litellm",
    "lmstudio",
    "oca",
    "openai",
    "openai-codex",
    "qwen",
    "requesty",
    "xai",
    "zai",
];

/// Providers of Cline of which it notes as written what was not found in the cache, as DeepSeek counts: nothing more is paid for that.
const MISSING: [&str; 7] = ["deepseek", "doubao", "fireworks", "hicap", "openai", "qwen", "xai"];

/// Providers that sell models of others at prices of their own.
const RESELLERS: [&str; 12] = [
    "aihubmix",
    "asksage",
    "baseten",
    "cline",
    "dify",
    "hicap",
    "huawei-cloud-maas",
    "nebius",
    "oca",
    "requesty",
    "sambanova",
    "sapaicore",
];

const DELETED: &str =
    "requests of Cline that were deleted with what followed a checkpoint: what was not read before is a coverage gap";
const CONDENSED: &str =
    "contexts that Roo Code made shorter: of the calls that did it only the cost is told: coverage gap";

const THOUGHTS: &str =
    "thoughts of Gemini's models, which Cline and Roo Code tell in the cost alone: their tokens are a coverage gap";

impl LineFormat for Cline {
    fn record(&mut self, text: &str, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let line: Line<'_> = serde_json::from_str(text).map_err(|e| Fault::json(&e))?;
        if let Some(messages) = &line.messages {
            return self.session(&line, messages, number, context, out);
        }
        if let (None, Scalar::Whole(begun)) = (self.begun, &line.ts) {
            self.begun = Some(*begun);
        }
        match line.say.str() {
            "api_req_started" | "subagent_usage" => self.request(&line, number, context, out),
            "deleted_api_reqs" | "api_req_deleted" => {
                out.warnings.push(DELETED);
                out.excluded_once.push(("calls_without_usage", self.id(&line)));
                Ok(())
            }
            "condense_context" if line.context_condense.is_some_and(|told| told.get() != "null") => {
                out.warnings.push(CONDENSED);
                out.excluded_once.push(("calls_without_usage", self.id(&line)));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn save(&self) -> String {
        serde_json::to_string(&self.begun).unwrap_or_default()
    }

    fn load(&mut self, state: &str) {
        self.begun = serde_json::from_str(state).unwrap_or_default();
    }
}

impl Cline {
    /// Who a request of the task is.
    fn id(&self, line: &Line<'_>) -> EventId {
        let at = match line.ts {
            Scalar::Whole(at) => at,
            Scalar::Null
            | Scalar::Text(_)
            | Scalar::Negative(_)
            | Scalar::Float(_)
            | Scalar::Bool(_)
            | Scalar::Other => 0,
        };
        EventId::of(&[
            b"cline-task",
            format!("{} {at}", self.begun.unwrap_or_default()).as_bytes(),
        ])
    }

    /// What lies beside the file that is read.
    fn beside(&mut self, context: &Context) -> &Beside {
        self.beside.get_or_insert_with(|| Beside::of(&context.file))
    }

    fn request(&mut self, line: &Line<'_>, number: u64, context: &mut Context, out: &mut Output) -> Result<(), Fault> {
        let (id, begun) = (self.id(line), self.begun.unwrap_or_default());
        let at = context.time(&line.ts, "ts", out)?;
        let text = match line.text.str() {
            "" => "{}",
            text => text,
        };
        let told: Request<'_> =
            serde_json::from_str(text).map_err(|e| Fault::field("text", format!("unexpected: {e}")))?;
        let failed = matches!(told.cancel_reason.str(), "streaming_failed" | "retries_exhausted");
        if told.tokens_in.is_null() && told.tokens_out.is_null() {
            // It is still being answered, unless it was given up.
            match told.cancel_reason.is_null() {
                true => answering(id, at, context, out),
                false => without_tokens(id, failed, out),
            }
            return Ok(());
        }
        let asked = line.model_info.as_ref();
        let here = asked.map(|asked| (asked.provider_id.str(), asked.model_id.str()));
        let beside = self.beside(context);
        let (provider, model) = match here.filter(|(_, model)| !model.is_empty()) {
            Some(here) => here,
            None => beside.model(at.timestamp_millis()),
        };
        if AGENTS.contains(&provider) {
            out.excluded_once.push(("parts_of_results", id));
            return Ok(());
        }
        let (model, is_fast) = plain(model);
        let paid = paid(provider, model, context.seller);
        let counts = counts(&told, provider, paid)?;
        let declared = includes(&told, provider, &counts);
        let emitter = match told.api_protocol.is_null() {
            true => "Cline",
            false => "Roo Code",
        };
        let tokens = counts.tokens(declared, emitter, out);
        if tokens.total() == 0 {
            without_tokens(id, failed, out);
            return Ok(());
        }
        if ["", "gemini", "vertex"].contains(&provider) && model.starts_with("gemini-") {
            out.warnings.push(THOUGHTS);
        }
        let (paid, model) = (context.labels.get(paid), context.label(Value::Text(model), "model")?);
        let mut event = UsageEvent::new(id, at, paid, model);
        event.tokens = tokens;
        if is_fast {
            event.speed = context.labels.get("fast");
        }
        event.rank.line = number;
        event.rank.complete = told.cancel_reason.is_null();
        if line.say.str() == "subagent_usage" {
            event.rank.authority = Rank::REPORT;
        }
        event.session = match beside.task.as_str() {
            "" => context.label(Value::Whole(begun), "ts")?,
            task => context.labels.get(task),
        };
        event
            .dimensions
            .set(Dimension::Project, context.labels.get(&beside.folder));
        let agent = match line.say.str() {
            "subagent_usage" => context.labels.get("subagents"),
            _ => match asked {
                Some(asked) => context.label(&asked.mode, "modelInfo.mode")?,
                None => context.labels.get(""),
            },
        };
        event.dimensions.set(Dimension::Agent, agent);
        event.reported_cost = reported(told.cost.map(RawValue::get), "cost")?;
        out.events.push(event);
        Ok(())
    }
}

/// The counts of a request as they are told.
fn counts(told: &Request<'_>, provider: &str, paid: &str) -> Result<Counts, Fault> {
    let input = told.tokens_in.count("tokensIn")?;
    let read = told.cache_reads.count("cacheReads")?;
    let wrote = told.cache_writes.count("cacheWrites")?;
    let output = told.tokens_out.count("tokensOut")?;
    // Roo Code does not say whom it asked, but which interface.
    let by_numbers = told.api_protocol.str() == "openai" && wrote > 0 && read.saturating_add(wrote) == input;
    let counts = Counts {
        read,
        output,
        ..Counts::default()
    };
    Ok(match by_numbers || MISSING.contains(&provider) {
        true if by_numbers || INCLUDING.contains(&provider) => Counts { input, ..counts },
        true => Counts {
            input: input.saturating_add(wrote),
            ..counts
        },
        false => Counts {
            input,
            read,
            output,
            ..written(paid, wrote)
        },
    })
}

/// Whether the input count includes cached tokens. Cline tells what its provider's interface tells. Roo Code includes them since it tells the
/// interface; of Anthropic's it left them out before, where they are more than all input.
fn includes(told: &Request<'_>, provider: &str, counts: &Counts) -> Input {
    match told.api_protocol.str() {
        "anthropic" if counts.cached() > counts.input => Input::Excludes,
        "" if INCLUDING.contains(&provider) => Input::Includes,
        "" => Input::Excludes,
        _ => Input::Includes,
    }
}

/// A model without what Cline puts behind its name for a context of a million tokens, and whether it was asked in fast mode.
fn plain(model: &str) -> (&str, bool) {
    let slow = model.strip_suffix(":fast");
    let name = slow.unwrap_or(model);
    (name.strip_suffix(":1m").unwrap_or(name), slow.is_some())
}

/// Who is paid: a provider by Cline's name for it. Where none is told, the name of the model tells, unless the settings do.
fn paid<'a>(provider: &'a str, model: &'a str, default: &'static str) -> &'a str {
    let own = model.rsplit('/').next().unwrap_or(model);
    match provider {
        "" => seller::likely(seller::by_model(own), own, default),
        // Any that has OpenAI's interface.
        "openai" | "litellm" => super::seller("", model),
        "openai-native" => "openai",
        "vscode-lm" => "github-copilot",
        "qwen" | "qwen-code" => "dashscope",
        reseller if RESELLERS.contains(&reseller) => reseller,
        other => super::seller(other, model),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cline_puts_behind_a_name_is_no_part_of_it() {
        let fast = ("claude-opus-4-6", true);
        assert_eq!(
            (plain("claude-opus-4-6:1m:fast"), plain("claude-opus-4-6:fast")),
            (fast, fast)
        );
        let name = "anthropic.claude-sonnet-4-5-20250929-v1:0";
        assert_eq!(plain(&format!("{name}:1m")), (name, false));
        assert_eq!(plain(name), (name, false));
    }

    #[test]
    fn who_is_paid_is_told_by_the_provider_or_else_by_the_model_or_the_settings() {
        for (provider, model, default, expected) in [
            ("anthropic", "claude-sonnet-4-5", "", "anthropic"),
            ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "", "bedrock"),
            ("openai", "gpt-5", "", "openai"),
            ("openai", "mine", "", ""),
            ("openai-native", "gpt-5", "", "openai"),
            ("gemini", "gemini-2.5-pro", "", "google"),
            ("openrouter", "anthropic/claude-sonnet-4.5", "", "openrouter"),
            ("cline", "anthropic/claude-sonnet-4.5", "", "cline"),
            ("vscode-lm", "copilot/gpt-5", "", "github-copilot"),
            ("", "anthropic/claude-sonnet-4.5", "", "anthropic"),
            ("", "anthropic/claude-sonnet-4.5", "openrouter", "openrouter"),
            ("", "claude-sonnet-4-5", "openai", "anthropic"),
            ("", "mine", "openrouter", ""),
        ] {
            assert_eq!(paid(provider, model, default), expected, "{provider} {model} {default}");
        }
    }
}
