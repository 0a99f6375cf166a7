//! Who answers: told by the host, and else by the path. The names are litellm's and MLflow's.

/// Hosts, or ends of hosts, and whose they are.
const HOSTS: [(&str, &str); 30] = [
    ("api.openai.com", "openai"),
    (".openai.azure.com", "azure"),
    (".cognitiveservices.azure.com", "azure"),
    (".services.ai.azure.com", "azure_ai"),
    (".models.ai.azure.com", "azure_ai"),
    ("api.anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "gemini"),
    ("aiplatform.googleapis.com", "vertex_ai"),
    ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"),
    ("api.mistral.ai", "mistral"),
    ("api.deepseek.com", "deepseek"),
    ("api.groq.com", "groq"),
    ("openrouter.ai", "openrouter"),
    ("api.x.ai", "xai"),
    ("api.together.xyz", "together_ai"),
    ("api.together.ai", "together_ai"),
    ("api.fireworks.ai", "fireworks_ai"),
    ("api.perplexity.ai", "perplexity"),
    ("api.cerebras.ai", "cerebras"),
    ("api.sambanova.ai", "sambanova"),
    ("integrate.api.nvidia.com", "nvidia_nim"),
    ("router.huggingface.co", "huggingface"),
    ("api-inference.huggingface.co", "huggingface"),
    ("api.deepinfra.com", "deepinfra"),
    ("api.moonshot.ai", "moonshot"),
    ("dashscope.aliyuncs.com", "dashscope"),
    ("dashscope-intl.aliyuncs.com", "dashscope"),
    ("api.voyageai.com", "voyage"),
    ("api.jina.ai", "jina_ai"),
];

/// The provider that a host belongs to.
pub(super) fn of_host(authority: &str) -> Option<&'static str> {
    let host = authority
        .rsplit('@')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let (host, port) = host.split_once(':').unwrap_or((&host, ""));
    if port == "11434" {
        return Some("ollama");
    }
    if host.starts_with("bedrock") && host.contains(".amazonaws.com") {
        return Some("bedrock");
    }
    let is = |known: &str| {
        let whole = known.strip_prefix('.');
        whole.map_or(
            host == known || host.ends_with(&format!("-{known}")),
            |_| host.ends_with(known),
        )
    };
    HOSTS
        .iter()
        .find(|(known, _)| is(known))
        .map(|(_, provider)| *provider)
}

/// The provider that alone has paths like this.
pub(super) fn of_path(path: &str) -> Option<&'static str> {
    if path.contains("/openai/deployments/") {
        Some("azure")
    } else if path.contains("/publishers/") && path.contains("/models/") {
        Some("vertex_ai")
    } else {
        None
    }
}

/// The name that MLflow's autologgers give the format of a provider's messages, where its API is
/// OpenAI's.
pub(super) fn openai_dialect(provider: &str) -> &'static str {
    match provider {
        "mistral" => "mistral",
        "groq" => "groq",
        _ => "openai",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_tell_providers() {
        for (host, provider) in [
            ("api.openai.com", Some("openai")),
            ("API.OpenAI.com:443", Some("openai")),
            ("my-res.openai.azure.com", Some("azure")),
            ("bedrock-runtime.us-east-1.amazonaws.com", Some("bedrock")),
            ("us-central1-aiplatform.googleapis.com", Some("vertex_ai")),
            ("localhost:11434", Some("ollama")),
            ("evil-example.com", None),
            ("api.openai.com.example.com", None),
            ("", None),
        ] {
            assert_eq!(of_host(host), provider, "{host}");
        }
    }
}
