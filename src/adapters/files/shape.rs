//! The shapes of usage objects.

use super::counts::Input;

/// Whose usage object it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// OpenAI chat completions; also Azure OpenAI, OpenRouter and the many that are compatible.
    Chat,
    /// OpenAI responses.
    Responses,
    /// Anthropic messages.
    Messages,
    /// Bedrock Converse.
    Converse,
    /// The Vercel AI SDK.
    Sdk,
    /// The same before its version 6, of Claude and on Bedrock.
    SdkOfClaude,
    /// Cohere, which tells what it bills beside what it used.
    Cohere,
}

impl Shape {
    /// What its input count contains.
    pub fn input(self) -> Input {
        match self {
            Shape::Chat | Shape::Responses | Shape::Sdk => Input::Includes,
            Shape::Messages | Shape::Converse | Shape::SdkOfClaude | Shape::Cohere => Input::Excludes,
        }
    }

    /// For warnings.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Chat => "OpenAI chat body",
            Shape::Responses => "OpenAI responses body",
            Shape::Messages => "Anthropic body",
            Shape::Converse => "Bedrock Converse body",
            Shape::Sdk | Shape::SdkOfClaude => "Vercel AI SDK usage",
            Shape::Cohere => "Cohere body",
        }
    }
}
