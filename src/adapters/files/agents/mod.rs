//! Session files of coding agents that tell of each answer what it used: pi, opencode, GitHub Copilot CLI, Kimi CLI, Kimi Code, Goose, Cline
//! and Amp; and of Crush and Factory's Droid, whose sessions tell sums.

mod amp;
mod cline;
mod copilot;
pub(super) mod crush;
mod droid;
pub(super) mod goose;
mod kimi;
pub(super) mod openclaw;
mod opencode;
mod pi;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::usage::EventId;

use super::CLOCK_SKEW;
use super::counts::Counts;
use super::line::{Context, NO_USAGE, Output};
use super::seller;

pub(super) use amp::Amp;
pub(super) use cline::Cline;
pub(super) use copilot::Copilot;
pub(super) use crush::Crush;
pub(super) use droid::Droid;
pub(super) use goose::Goose;
pub(super) use kimi::Kimi;
pub(super) use opencode::{Opencode, Row, STEP_BYTES};
pub(super) use pi::Pi;

/// Who sell models of others under the makers' names, and at prices of their own, beside those that [`seller::is_host`] knows. Of those who
/// hand requests on to a maker, also with a key of one's own for that, the model tells.
const RESELLERS: [&str; 24] = [
    "anyapi",
    "auriko",
    "databricks",
    "digitalocean",
    "freemodel",
    "frogbot",
    "github-copilot",
    "github-models",
    "gitlab",
    "gmicloud",
    "huggingface",
    "kilo",
    "nearai",
    "neon",
    "opencode",
    "orcarouter",
    "perplexity-agent",
    "qihang-ai",
    "sap-ai-core",
    "snowflake-cortex",
    "vercel",
    "vercel-ai-gateway",
    "vivgrid",
    "xpersona",
];

/// Names of models.dev's that are sellers' whatever the model is called.
const OF_MODELS_DEV: [&str; 8] = [
    "alibaba",
    "fireworks-ai",
    "minimax",
    "moonshotai",
    "togetherai",
    "z-ai",
    "z.ai",
    "zai",
];

/// An answer that has not come for that long never does.
const ANSWERING: TimeDelta = TimeDelta::hours(1);

/// Who sells what an agent asks of a provider of this name, most of which are those of models.dev. A name of somebody's own settings says
/// where requests go, not who is paid: then the name of the model tells.
fn seller<'a>(provider: &'a str, model: &str) -> &'a str {
    match provider {
        "google-vertex-anthropic" => "vertex",
        "azure-openai-responses" | "azure-cognitive-services" => "azure",
        "openai-codex" => "openai",
        "google-gemini-cli" | "google-antigravity" => "google",
        "kimi-coding" | "kimi-for-coding" => "moonshot",
        "zai-coding-plan" => "zai",
        own if RESELLERS.contains(&own) || seller::is_host(own) || OF_MODELS_DEV.contains(&own) => seller::named(own),
        known if !known.is_empty() && seller::is_known(known) => seller::named(known),
        own => seller::named(seller::behind_gateway(own, model)),
    }
}

/// The counts of an agent that does not say for how long was written to a cache: as long as is usual at the seller.
fn written(seller: &str, count: u64) -> Counts {
    match seller {
        "openai" | "azure" => Counts {
            write_30m: count,
            ..Counts::default()
        },
        _ => Counts {
            write_5m: count,
            ..Counts::default()
        },
    }
}

/// The identity of an answer without an id of its provider's. Sessions that go on from another one begin with copies of its answers, which
/// have ids of their own and are the same else.
fn by_content(agent: &str, times: [DateTime<Utc>; 2], model: &str, counts: &Counts) -> EventId {
    let [begun, ended] = times.map(|time| time.timestamp_millis());
    let (input, output, read, cached) = (counts.input, counts.output, counts.read, counts.cached());
    let text = format!("{begun} {ended} {input} {output} {read} {cached} {model}");
    EventId::of(&[agent.as_bytes(), text.as_bytes()])
}

/// Says of an answer that has not told its tokens so far that they may be missing, unless it was asked for just now: the file changes when it
/// is answered, and is read again.
fn answering(id: EventId, at: DateTime<Utc>, context: &Context, out: &mut Output) {
    let now = context.latest - CLOCK_SKEW;
    if (now - at).abs() > ANSWERING {
        out.unended.push(id);
    }
}

/// Says of an answer without any tokens that it failed before it began, or that something is missing.
fn without_tokens(id: EventId, failed: bool, out: &mut Output) {
    if failed {
        out.excluded_once.push(("failed_calls", id));
    } else {
        out.warnings.push(NO_USAGE);
        out.excluded_once.push(("calls_without_usage", id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_paid_is_told_by_the_provider_or_else_by_the_model() {
        for (provider, model, paid) in [
            ("anthropic", "claude-sonnet-4-6", "anthropic"),
            ("amazon-bedrock", "eu.anthropic.claude-sonnet-4-6", "bedrock"),
            ("google-vertex-anthropic", "claude-sonnet-4-6@default", "vertex"),
            ("openrouter", "anthropic/claude-sonnet-4.6", "openrouter"),
            ("togetherai", "Qwen/Qwen3", "together"),
            ("lmstudio", "gpt-oss-20b", "lmstudio"),
            ("github-copilot", "claude-sonnet-4.6", "github-copilot"),
            ("my-proxy", "claude-sonnet-4-6", "anthropic"),
            ("my-proxy", "openai/gpt-5", "openai"),
            ("my-proxy", "glm-4.6", "zai"),
            ("litellm", "kimi-k2-0905-preview", "moonshot"),
            ("my-proxy", "MiniMax-M2", "minimax"),
            ("my-proxy", "qwen3-coder-plus", "dashscope"),
            ("z.ai", "glm-4.6", "zai"),
            // Open weights, whoever runs them.
            ("my-proxy", "zai-org/GLM-4.6", "my-proxy"),
            ("my-proxy", "qwen3-coder", "my-proxy"),
            ("lmstudio", "glm-4.6", "lmstudio"),
            // At prices of their own.
            ("deepinfra", "glm-4.6", "deepinfra"),
            ("venice", "claude-sonnet-4-6", "venice"),
            ("poe", "anthropic/claude-sonnet-4.6", "poe"),
            ("requesty", "anthropic/claude-sonnet-4-6", "requesty"),
            ("sap-ai-core", "anthropic--claude-4.6-sonnet", "sap-ai-core"),
            // With whose key is not told.
            ("cloudflare-ai-gateway", "anthropic/claude-sonnet-4-6", "anthropic"),
            ("zhipuai", "glm-4.6", "zhipuai"),
            ("opencode-go", "kimi-k2", "opencode-go"),
            ("my-proxy", "mine", "my-proxy"),
            ("", "gpt-5", "openai"),
        ] {
            assert_eq!(seller(provider, model), paid, "{provider} {model}");
        }
    }
}
