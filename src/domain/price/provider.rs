//! How a provider is spelled.

/// One spelling for each provider, whatever the log calls it.
#[must_use]
pub fn provider_key(provider: &str) -> String {
    let lower = provider.trim().to_lowercase();
    // People and SDKs write the same name with blanks too: `Mistral AI`.
    let spelled = lower.replace(' ', "_");
    let key = match spelled.as_str() {
        "aws" | "aws.bedrock" | "aws_bedrock" | "amazon" | "amazon-bedrock" | "amazon_bedrock" | "bedrock_converse"
        | "bedrock_mantle" | "bedrock-mantle" => "bedrock",
        "gemini"
        | "gcp.gemini"
        | "gcp.gen_ai"
        | "google-ai"
        | "google_ai"
        | "google-gla"
        | "google_genai"
        | "google-genai"
        | "google_ai_studio"
        | "google-ai-studio"
        | "google_generativeai"
        | "google-generativeai" => "google",
        "vertex_ai" | "vertex-ai" | "vertexai" | "gcp.vertex_ai" | "google-vertex" | "google_vertex"
        | "google_vertexai" | "google-vertexai" | "google_vertex_ai" | "google-vertex-ai" => "vertex",
        "az.ai.openai" | "azure.ai.openai" | "azure_openai" | "azure-openai" | "azure_ai" | "az.ai.inference"
        | "azure.ai.inference" | "azure_text" | "azure_anthropic" | "azure-anthropic" => "azure",
        "x-ai" | "x_ai" | "x.ai" => "xai",
        "mistral_ai" | "mistralai" | "mistral-ai" => "mistral",
        "text-completion-openai" => "openai",
        "moonshotai" | "moonshot_ai" => "moonshot",
        "cohere_chat" => "cohere",
        "voyageai" | "voyage_ai" => "voyage",
        "together_ai" | "together-ai" | "togetherai" => "together",
        "fireworks_ai" | "fireworks-ai" => "fireworks",
        "groq_ai" => "groq",
        "deepseek_ai" | "deepseek-ai" => "deepseek",
        // Zhipu's Chinese platform has other prices and stays apart.
        "z-ai" | "z_ai" | "z.ai" => "zai",
        "minimax_ai" | "minimax-ai" | "minimaxai" => "minimax",
        // Agents write models.dev's names, which LiteLLM's map spells otherwise.
        "github_copilot" => "github-copilot",
        "vercel_ai_gateway" | "vercel-ai-gateway" => "vercel",
        "novita-ai" | "novita_ai" => "novita",
        "opencode_go" => "opencode-go",
        "alibaba" | "alibaba_cloud" | "alibaba-cloud" | "alibabacloud" | "qwen" => "dashscope",
        "cloudflare-workers-ai" | "cloudflare_workers_ai" | "workers-ai" | "workers_ai" => "cloudflare",
        "ibm" | "ibm_cloud" | "ibm-cloud" | "ibm.watsonx.ai" | "ibm_watsonx" | "ibm-watsonx" => "watsonx",
        // A gateway tells the maker too: `vertex_ai-llama_models`.
        _ if lower.starts_with("vertex_ai-") || lower == "vertex_ai_beta" => "vertex",
        _ => return lower,
    };
    key.to_owned()
}
