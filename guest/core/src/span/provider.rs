//! Providers' names: MLflow's and litellm's on one side, OpenTelemetry's on the other.

/// The name that OpenTelemetry's GenAI conventions have for a provider, whose registry lists them as
/// values of `gen_ai.provider.name`; one that is not listed keeps its own.
pub(super) fn opentelemetry_name(provider: &str) -> &str {
    match provider {
        "azure" | "azure_text" => "azure.ai.openai",
        "azure_ai" => "azure.ai.inference",
        "bedrock" | "bedrock_converse" | "amazon-bedrock" => "aws.bedrock",
        "gemini" | "google" => "gcp.gemini",
        "vertex_ai" | "vertex_ai_beta" => "gcp.vertex_ai",
        "mistral" | "codestral" => "mistral_ai",
        "xai" => "x_ai",
        "watsonx" | "watsonx_text" => "ibm.watsonx.ai",
        "cohere_chat" => "cohere",
        "text-completion-openai" => "openai",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::opentelemetry_name;

    #[test]
    fn the_registrys_names_are_used_and_others_stay() {
        for (own, opentelemetry) in [
            ("bedrock", "aws.bedrock"),
            ("gemini", "gcp.gemini"),
            ("vertex_ai", "gcp.vertex_ai"),
            ("azure", "azure.ai.openai"),
            ("azure_ai", "azure.ai.inference"),
            ("xai", "x_ai"),
            ("mistral", "mistral_ai"),
            ("openai", "openai"),
            ("ollama", "ollama"),
        ] {
            assert_eq!(opentelemetry_name(own), opentelemetry);
        }
    }
}
