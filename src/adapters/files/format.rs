//! The formats of usage and bills in files, and their names.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A format of usage or bills in files.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FileFormat {
    /// Claude Code session logs.
    ClaudeCode,
    /// Codex session logs.
    Codex,
    /// Session files of Gemini CLI and Qwen Code.
    GeminiCli,
    /// Session files of pi.
    Pi,
    /// Messages of opencode.
    Opencode,
    /// Session files of GitHub Copilot CLI.
    CopilotCli,
    /// Session files of Kimi CLI.
    KimiCli,
    /// Sessions of Goose.
    Goose,
    /// Sessions of Crush.
    Crush,
    /// Tasks of Cline, Roo Code and Kilo Code, and Cline's sessions.
    Cline,
    /// Threads of Amp.
    Amp,
    /// Sessions of Factory's Droid.
    Droid,
    /// LiteLLM spend log rows and logging payloads.
    Litellm,
    /// The plain JSONL or CSV of docs/usage-format.md.
    Plain,
    /// FOCUS 1.0 to 1.2 CSV.
    Focus,
    /// OpenTelemetry GenAI traces, OTLP/JSON.
    Otel,
    /// Amazon Bedrock model invocation logs.
    Bedrock,
    /// Response bodies of providers.
    Body,
    /// Azure API Management gateway logs.
    Apim,
    /// Langfuse observations.
    Langfuse,
    /// Helicone exports.
    Helicone,
    /// Answers of OpenAI's organization usage and costs interfaces.
    OpenaiAdmin,
    /// Answers of Anthropic's usage and cost report interfaces.
    AnthropicAdmin,
    /// AWS Cost and Usage Reports.
    Cur,
    /// Saved answers of AWS Cost Explorer.
    CostExplorer,
}

impl FileFormat {
    /// All of them.
    pub const ALL: [FileFormat; 25] = [
        FileFormat::ClaudeCode,
        FileFormat::Codex,
        FileFormat::GeminiCli,
        FileFormat::Pi,
        FileFormat::Opencode,
        FileFormat::CopilotCli,
        FileFormat::KimiCli,
        FileFormat::Goose,
        FileFormat::Crush,
        FileFormat::Cline,
        FileFormat::Amp,
        FileFormat::Droid,
        FileFormat::Litellm,
        FileFormat::Plain,
        FileFormat::Focus,
        FileFormat::Otel,
        FileFormat::Bedrock,
        FileFormat::Body,
        FileFormat::Apim,
        FileFormat::Langfuse,
        FileFormat::Helicone,
        FileFormat::OpenaiAdmin,
        FileFormat::AnthropicAdmin,
        FileFormat::Cur,
        FileFormat::CostExplorer,
    ];

    /// Whether it holds bills, all files of which are read together.
    pub(crate) fn is_bill(self) -> bool {
        matches!(
            self,
            FileFormat::Focus
                | FileFormat::OpenaiAdmin
                | FileFormat::AnthropicAdmin
                | FileFormat::Cur
                | FileFormat::CostExplorer
        )
    }

    /// Whether its records are also exported as tables, with their keys as names.
    pub(super) fn in_tables(self) -> bool {
        matches!(
            self,
            FileFormat::Litellm | FileFormat::Apim | FileFormat::Langfuse | FileFormat::Helicone
        )
    }

    /// The name in the configuration and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FileFormat::ClaudeCode => "claude-code",
            FileFormat::Codex => "codex",
            FileFormat::GeminiCli => "gemini-cli",
            FileFormat::Pi => "pi",
            FileFormat::Opencode => "opencode",
            FileFormat::CopilotCli => "copilot-cli",
            FileFormat::KimiCli => "kimi-cli",
            FileFormat::Goose => "goose",
            FileFormat::Crush => "crush",
            FileFormat::Cline => "cline",
            FileFormat::Amp => "amp",
            FileFormat::Droid => "droid",
            FileFormat::Litellm => "litellm",
            FileFormat::Plain => "plain",
            FileFormat::Focus => "focus",
            FileFormat::Otel => "otel",
            FileFormat::Bedrock => "bedrock",
            FileFormat::Body => "body",
            FileFormat::Apim => "azure-apim",
            FileFormat::Langfuse => "langfuse",
            FileFormat::Helicone => "helicone",
            FileFormat::OpenaiAdmin => "openai-admin",
            FileFormat::AnthropicAdmin => "anthropic-admin",
            FileFormat::Cur => "cur",
            FileFormat::CostExplorer => "cost-explorer",
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no format.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("`{text}` is not a format; known are {known}")]
pub struct UnknownFormat {
    text: String,
    known: String,
}

impl FromStr for FileFormat {
    type Err = UnknownFormat;
    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        FileFormat::ALL
            .into_iter()
            .find(|f| f.name() == text)
            .ok_or_else(|| UnknownFormat {
                text: text.chars().take(40).collect(),
                known: FileFormat::ALL.map(FileFormat::name).join(", "),
            })
    }
}
