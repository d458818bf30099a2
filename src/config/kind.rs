//! The kinds of `[[source]]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The formats that usage is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// Claude Code session logs (JSONL).
    ClaudeCode,
    /// OpenAI Codex session logs (JSONL).
    Codex,
    /// Session files of Gemini CLI and Qwen Code (JSON, JSONL).
    GeminiCli,
    /// Session files of pi (JSONL).
    Pi,
    /// Messages of opencode and Kilo CLI: their databases, as files or exported (JSON).
    Opencode,
    /// Session files of GitHub Copilot CLI (JSONL).
    CopilotCli,
    /// Session files of Kimi CLI and Kimi Code (JSONL); which model Kimi CLI asked is told by `defaults`.
    KimiCli,
    /// Sessions of Goose: its database, as files or exported (JSON, JSONL).
    Goose,
    /// Sessions of Crush: its databases, or printed (JSON); they tell costs and no tokens.
    Crush,
    /// Tasks of Cline, Roo Code and Kilo Code in editors, and sessions of Cline (JSON).
    Cline,
    /// Threads of Amp (JSON).
    Amp,
    /// Sessions of Factory's Droid (JSON): sums of a session.
    Droid,
    /// LiteLLM spend logs and logging payloads (JSON, JSONL).
    Litellm,
    /// The plain format of this program (JSONL, CSV): `docs/usage-format.md`.
    Plain,
    /// FOCUS 1.0 to 1.2 cost and usage (CSV; Parquet with the feature of that name).
    Focus,
    /// OpenTelemetry GenAI traces (OTLP/JSON, one export request a line).
    Otel,
    /// Amazon Bedrock model invocation logs (JSON, JSONL).
    Bedrock,
    /// Response bodies of OpenAI, Azure OpenAI, OpenRouter, Anthropic, Bedrock Converse and Gemini (JSON, JSONL).
    Body,
    /// Azure API Management gateway logs of language model calls (JSON, JSONL, CSV).
    AzureApim,
    /// Langfuse observations (JSON, JSONL, CSV).
    Langfuse,
    /// Helicone exports (JSON, JSONL, CSV).
    Helicone,
    /// OpenAI's organization usage and costs: saved answers (JSON), or live with a `key`.
    OpenaiAdmin,
    /// Anthropic's usage and cost reports: saved answers (JSON), or live with a `key`.
    AnthropicAdmin,
    /// AWS Cost and Usage Reports (CSV; Parquet with the feature of that name).
    Cur,
    /// Saved answers of AWS Cost Explorer (JSON). `[[cost_explorer]]` asks it live.
    CostExplorer,
}

impl SourceKind {
    /// Those of tools that keep their logs at a usual place: they need no `paths`.
    pub const AT_USUAL_PLACES: [SourceKind; 12] = [
        SourceKind::ClaudeCode,
        SourceKind::Codex,
        SourceKind::GeminiCli,
        SourceKind::Pi,
        SourceKind::Opencode,
        SourceKind::CopilotCli,
        SourceKind::KimiCli,
        SourceKind::Goose,
        SourceKind::Crush,
        SourceKind::Cline,
        SourceKind::Amp,
        SourceKind::Droid,
    ];

    /// All of them.
    pub const ALL: [SourceKind; 25] = [
        SourceKind::ClaudeCode,
        SourceKind::Codex,
        SourceKind::GeminiCli,
        SourceKind::Pi,
        SourceKind::Opencode,
        SourceKind::CopilotCli,
        SourceKind::KimiCli,
        SourceKind::Goose,
        SourceKind::Crush,
        SourceKind::Cline,
        SourceKind::Amp,
        SourceKind::Droid,
        SourceKind::Litellm,
        SourceKind::Plain,
        SourceKind::Focus,
        SourceKind::Otel,
        SourceKind::Bedrock,
        SourceKind::Body,
        SourceKind::AzureApim,
        SourceKind::Langfuse,
        SourceKind::Helicone,
        SourceKind::OpenaiAdmin,
        SourceKind::AnthropicAdmin,
        SourceKind::Cur,
        SourceKind::CostExplorer,
    ];
}
