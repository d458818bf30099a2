//! Where a call was answered, and who sells there, told by the address of the endpoint: a URL, or a host alone with or without its port.

/// Who sells at a host, or at one below it; empty where the host may be anybody's, such as a proxy of one's own.
pub(super) fn seller(url: &str) -> &'static str {
    let host = name(url);
    if !region(host).is_empty() || (host.starts_with("bedrock-mantle.") && host.ends_with(".api.aws")) {
        return "bedrock";
    }
    if host == "aiplatform.googleapis.com" || !location(host).is_empty() {
        return "vertex";
    }
    let sells = |own: &str| {
        host.strip_suffix(own)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let found = SELLERS.iter().find(|(own, _)| sells(own));
    found.map_or("", |(_, seller)| seller)
}

/// Hosts of interfaces, by the names that price books have for the sellers or, of those that none has, models.dev.
const SELLERS: [(&str, &str); 48] = [
    ("api.openai.com", "openai"),
    ("openai.azure.com", "azure"),
    ("openai.azure.us", "azure"),
    ("openai.azure.cn", "azure"),
    ("cognitiveservices.azure.com", "azure"),
    ("services.ai.azure.com", "azure"),
    ("models.ai.azure.com", "azure"),
    ("models.inference.ai.azure.com", "github-models"),
    ("models.github.ai", "github-models"),
    ("api.anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "google"),
    ("openrouter.ai", "openrouter"),
    ("api.deepseek.com", "deepseek"),
    ("api.groq.com", "groq"),
    ("x.ai", "xai"),
    ("api.mistral.ai", "mistral"),
    ("codestral.mistral.ai", "mistral"),
    ("api.together.xyz", "together"),
    ("api.together.ai", "together"),
    ("api.fireworks.ai", "fireworks"),
    ("api.cerebras.ai", "cerebras"),
    ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"),
    ("api.perplexity.ai", "perplexity"),
    ("api.voyageai.com", "voyage"),
    ("api.moonshot.ai", "moonshot"),
    ("api.moonshot.cn", "moonshotai-cn"),
    ("api.minimax.io", "minimax"),
    ("api.minimaxi.com", "minimax-cn"),
    ("api.z.ai", "zai"),
    ("open.bigmodel.cn", "zhipuai"),
    ("dashscope-intl.aliyuncs.com", "dashscope"),
    ("dashscope-us.aliyuncs.com", "dashscope"),
    ("dashscope.aliyuncs.com", "alibaba-cn"),
    ("ml.cloud.ibm.com", "watsonx"),
    ("api.deepinfra.com", "deepinfra"),
    ("api.novita.ai", "novita"),
    ("api.sambanova.ai", "sambanova"),
    ("api.hyperbolic.xyz", "hyperbolic"),
    ("api.siliconflow.com", "siliconflow"),
    ("api.siliconflow.cn", "siliconflow-cn"),
    ("api.scaleway.ai", "scaleway"),
    ("integrate.api.nvidia.com", "nvidia"),
    ("inference.baseten.co", "baseten"),
    ("router.huggingface.co", "huggingface"),
    ("api.studio.nebius.com", "nebius"),
    ("api.tokenfactory.nebius.com", "nebius"),
    ("llm.chutes.ai", "chutes"),
];

/// The Region of AWS in which a host answers for Bedrock; empty for other hosts.
pub(super) fn region(url: &str) -> &str {
    let front = name(url).strip_suffix(".amazonaws.com").unwrap_or("");
    let region = ["bedrock-runtime.", "bedrock-runtime-fips."];
    let region = region.iter().find_map(|service| front.strip_prefix(service));
    region.filter(|region| !region.contains('.')).unwrap_or("")
}

/// Where OpenAI keeps the data of an endpoint of its own, `us` or `eu`; empty for other hosts.
pub(super) fn residency(url: &str) -> &str {
    match before(name(url), ".api.openai.com") {
        // Only these are endpoints with a price of their own.
        place @ ("us" | "eu") => place,
        _ => "",
    }
}

/// The location of an endpoint of Vertex AI: `us-east5-aiplatform.googleapis.com`, of two continents `aiplatform.eu.rep.googleapis.com`, and
/// what a path behind any host tells, a proxy's too.
pub(super) fn location(url: &str) -> &str {
    let host = name(url);
    let region = before(host, "-aiplatform.googleapis.com");
    if !region.is_empty() {
        return region;
    }
    let continent = host
        .strip_prefix("aiplatform.")
        .map(|rest| before(rest, ".rep.googleapis.com"));
    if let Some(continent) = continent.filter(|c| !c.is_empty()) {
        return continent;
    }
    let path = url.split_once("/locations/").map_or("", |(_, rest)| rest);
    path.split(['/', ':', '?']).next().unwrap_or("")
}

fn name(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':', '?']).next().unwrap_or("")
}

/// What stands before the end of a host's name; nothing where it ends otherwise.
fn before<'h>(host: &'h str, end: &str) -> &'h str {
    host.strip_suffix(end)
        .filter(|front| !front.contains('.'))
        .unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_known_tells_who_sells() {
        for (host, expected) in [
            ("myres.openai.azure.com", "azure"),
            ("https://myres.services.ai.azure.com:443/openai/v1", "azure"),
            ("models.inference.ai.azure.com", "github-models"),
            ("https://openrouter.ai/api/v1", "openrouter"),
            ("us-east-1.api.x.ai", "xai"),
            ("eu.api.openai.com", "openai"),
            ("bedrock-runtime.us-east-1.amazonaws.com", "bedrock"),
            ("bedrock-mantle.us-east-1.api.aws", "bedrock"),
            ("us-east5-aiplatform.googleapis.com", "vertex"),
            ("aiplatform.googleapis.com", "vertex"),
            ("api.z.ai", "zai"),
            ("xyz.ai", ""),
            ("notopenrouter.ai", ""),
            ("openrouter.ai.example.net", ""),
            ("openai.azure-api.net", ""),
            ("litellm.internal", ""),
            ("localhost:4000", ""),
            ("10.0.0.7", ""),
            ("", ""),
        ] {
            assert_eq!(seller(host), expected, "{host}");
        }
    }

    #[test]
    fn the_location_of_vertex_ai_is_read_from_its_hosts_and_from_the_path() {
        let path = "/v1/projects/p/locations/asia-east1/publishers/google/models/x:predict";
        for (host, place) in [
            ("us-east5-aiplatform.googleapis.com", "us-east5"),
            ("aiplatform.eu.rep.googleapis.com", "eu"),
            ("aiplatform.us.rep.googleapis.com:443", "us"),
            ("aiplatform.googleapis.com", "asia-east1"),
            ("proxy.example.com", "asia-east1"),
        ] {
            assert_eq!(location(&format!("https://{host}{path}")), place, "{host}");
        }
        let global = "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/x";
        assert_eq!(location(global), "global");
        for nowhere in [
            "",
            "https://aiplatform.googleapis.com",
            "https://aiplatform.rep.googleapis.com/v1",
        ] {
            assert_eq!(location(nowhere), "", "{nowhere}");
        }
    }

    #[test]
    fn the_data_residency_of_openai_and_the_region_of_bedrock_are_read_from_hosts() {
        for (host, place) in [
            ("eu.api.openai.com", "eu"),
            ("https://us.api.openai.com/v1", "us"),
            ("jp.api.openai.com", ""),
            ("api.openai.com", ""),
            ("eu.api.openai.com.example.net", ""),
        ] {
            assert_eq!(residency(host), place, "{host}");
        }
        for (host, place) in [
            ("bedrock-runtime.sa-east-1.amazonaws.com:443", "sa-east-1"),
            ("s3.sa-east-1.amazonaws.com", ""),
        ] {
            assert_eq!(region(host), place, "{host}");
        }
    }
}
