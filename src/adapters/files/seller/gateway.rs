//! Who is asked behind a name that somebody gave to a gateway.

use super::{by_maker, by_model, named};

/// Who sells what is asked of a provider of this name, which is none that is known: the name of the model tells, and the maker that a gateway
/// may write before it does not. Where that tells nothing the gateway does.
pub(in super::super) fn behind_gateway<'a>(gateway: &'a str, model: &str) -> &'a str {
    let sells = [gateway, named(gateway)].into_iter().any(is_host);
    let maker = match model.rsplit_once('/') {
        Some((_, name)) => by_model(name),
        None if sells || PROGRAMS.contains(&gateway) => by_model(model),
        None => by_maker(model),
    };
    match maker {
        "" => gateway,
        maker => maker,
    }
}

/// Whether somebody of this name sells models of others at prices of their own, where it is a name of models.dev and none of one's own settings.
pub(in super::super) fn is_host(name: &str) -> bool {
    HOSTS.contains(&name)
}

/// The seller that a log names around an answer: one that is known to sell. Of words for none, of libraries and of one's own the name of the
/// model tells more.
pub(in super::super) fn around(name: &str) -> &str {
    let lower = name.to_lowercase();
    let sells = |hosts: &[&str]| hosts.contains(&lower.as_str()) || hosts.contains(&lower.replace('_', "-").as_str());
    match super::known(name) {
        "" if sells(&HOSTS) || sells(&PROGRAMS) || sells(&CLOUDS) => super::named(name),
        known => known,
    }
}

/// Who sell models of all makers at prices of their own, and are no names of models.dev.
const CLOUDS: [&str; 17] = [
    "anyscale",
    "cloudflare",
    "databricks",
    "github",
    "github-copilot",
    "github-models",
    "hf-inference",
    "huggingface",
    "novita",
    "nvidia-nim",
    "oci",
    "replicate",
    "sagemaker",
    "sap",
    "snowflake",
    "vercel",
    "wandb",
];

/// Who sell models with open weights at prices of their own, some of them those of all makers, too, or those of a maker at those of another
/// country. Most are names of models.dev.
const HOSTS: [&str; 47] = [
    "302ai",
    "abacus",
    "aihubmix",
    "alibaba-cn",
    "baseten",
    "bigmodel",
    "chutes",
    "cloudflare-workers-ai",
    "cortecs",
    "deepinfra",
    "fastrouter",
    "friendli",
    "hyperbolic",
    "iflowcn",
    "inference",
    "io-net",
    "jiekou",
    "lambda",
    "minimax-cn",
    "minimax-cn-coding-plan",
    "moark",
    "modelscope",
    "moonshotai-cn",
    "nano-gpt",
    "nebius",
    "novita",
    "novita-ai",
    "nscale",
    "nvidia",
    "ollama-cloud",
    "opencode-go",
    "ovhcloud",
    "poe",
    "qiniu-ai",
    "requesty",
    "sambanova",
    "scaleway",
    "siliconflow",
    "siliconflow-cn",
    "stackit",
    "synthetic",
    "venice",
    "volcengine",
    "wandb",
    "zenmux",
    "zhipuai",
    "zhipuai-coding-plan",
];

/// Programs that run models with open weights on a machine of one's own.
const PROGRAMS: [&str; 14] = [
    "jan",
    "koboldcpp",
    "llama-cpp",
    "llama.cpp",
    "llamacpp",
    "lm-studio",
    "lmstudio",
    "local",
    "localai",
    "localhost",
    "mlx",
    "ollama",
    "sglang",
    "vllm",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_paid_behind_a_name_of_ones_own_is_told_by_the_model_but_for_programs_of_ones_own() {
        for (gateway, model, expected) in [
            ("my-proxy", "glm-4.6", "zai"),
            ("my-proxy", "gpt-5", "openai"),
            ("my-proxy", "mine", "my-proxy"),
            ("deepinfra", "glm-4.6", "deepinfra"),
            ("nvidia_nim", "kimi-k2-0905-preview", "nvidia_nim"),
            ("moonshotai-cn", "kimi-k2-0905-preview", "moonshotai-cn"),
            ("llama.cpp", "glm-4.6", "llama.cpp"),
            ("localhost", "MiniMax-M2", "localhost"),
        ] {
            assert_eq!(behind_gateway(gateway, model), expected, "{gateway} {model}");
        }
    }

    #[test]
    fn around_an_answer_stands_a_seller_or_a_word_that_says_nothing() {
        for (name, expected) in [
            ("Azure OpenAI", "azure"),
            ("databricks", "databricks"),
            ("hf_inference", "hf_inference"),
            ("nvidia_nim", "nvidia"),
            ("unknown", ""),
            ("ChatOpenAI", ""),
            ("litellm", ""),
            ("", ""),
        ] {
            assert_eq!(around(name), expected, "{name}");
        }
    }
}
