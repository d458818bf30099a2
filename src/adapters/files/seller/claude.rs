//! Who is asked where Claude Code is given another address than Anthropic's.

use super::by_maker;

/// Who sells what Claude Code asks for, which may be a gateway's: the shape of the name tells. Empty for a name of somebody's own.
pub(in super::super) fn behind_claude_code(model: &str) -> &'static str {
    let claude = ["claude", "sonnet", "opus", "haiku"];
    if model.contains("anthropic.") || model.starts_with("arn:aws") {
        "bedrock"
    } else if model.contains('@') {
        "vertex"
    } else if of_openrouter(model) {
        "openrouter"
    } else {
        // However it is written: gateways have `Claude-Sonnet-4.5`.
        let small = model.to_ascii_lowercase();
        match [by_maker(model), by_maker(&small)] {
            ["", ""] if small.is_empty() || claude.into_iter().any(|name| small.contains(name)) => "anthropic",
            ["", seller] | [seller, _] => seller,
        }
    }
}

/// Whether a name is one of OpenRouter's: the maker before it, in small letters. Of Claude's those with a point in their version: LiteLLM has
/// Anthropic's own behind the same maker.
fn of_openrouter(model: &str) -> bool {
    let Some((maker, name)) = model.split_once('/') else {
        return false;
    };
    let numbers = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let own = || {
        let parts: Vec<bool> = name.split('-').map(numbers).collect();
        !name.contains('.')
            && (parts.windows(2).any(|pair| pair == [true, true])
                || name.split('-').any(|p| p.len() == 8 && numbers(p)))
    };
    MAKERS_AT_OPENROUTER.contains(&maker)
        && !name.bytes().any(|b| b.is_ascii_uppercase())
        && !(maker == "anthropic" && own())
}

const MAKERS_AT_OPENROUTER: [&str; 20] = [
    "amazon",
    "anthropic",
    "baidu",
    "bytedance-seed",
    "cohere",
    "deepseek",
    "google",
    "inception",
    "meta-llama",
    "minimax",
    "mistralai",
    "moonshotai",
    "nvidia",
    "openai",
    "perplexity",
    "qwen",
    "stepfun",
    "x-ai",
    "xiaomi",
    "z-ai",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_whom_claude_code_asked() {
        for (model, seller) in [
            ("claude-sonnet-4-5", "anthropic"),
            ("my-sonnet", "anthropic"),
            ("Claude-Sonnet-4.5", "anthropic"),
            ("GLM-4.6", "zai"),
            ("", "anthropic"),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock"),
            ("claude-sonnet-4-5@20250929", "vertex"),
            ("anthropic/claude-sonnet-4.6", "openrouter"),
            ("anthropic/claude-opus-4.5:online", "openrouter"),
            ("anthropic/claude-sonnet-4", "openrouter"),
            ("anthropic/claude-sonnet-4-6", "anthropic"),
            ("anthropic/claude-sonnet-4-20250514", "anthropic"),
            ("z-ai/glm-4.6", "openrouter"),
            ("openai/gpt-5", "openrouter"),
            ("openrouter/anthropic/claude-sonnet-4.6", "openrouter"),
            ("zai-org/GLM-4.6", ""),
            ("moonshotai/Kimi-K2-Instruct", ""),
            ("glm-4.6", "zai"),
            ("glm-4.6:cloud", ""),
            ("kimi-k2-turbo-preview", "moonshot"),
            ("MiniMax-M2", "minimax"),
            ("deepseek-chat", "deepseek"),
            ("qwen3-coder-plus", "dashscope"),
            ("qwen3-coder", ""),
            ("gpt-5", "openai"),
            ("gpt-oss-120b", ""),
            ("my-own", ""),
        ] {
            assert_eq!(behind_claude_code(model), seller, "{model}");
        }
    }
}
