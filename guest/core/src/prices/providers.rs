//! Who serves a model: the names that providers go by, and whose models each of them serves.

/// A list of the table's first name parts.
pub type Vendors = &'static [&'static str];

/// Those whose models go by names of their own, whoever passes the call on.
pub const WELL_KNOWN: Vendors = &["anthropic", "cohere", "gemini", "mistral", "openai", "xai"];

/// With no provider named, further ones whose names for their models are theirs alone.
pub const ANY: Vendors = &[
    "anthropic",
    "bedrock",
    "cohere",
    "deepseek",
    "gemini",
    "mistral",
    "openai",
    "voyage",
    "xai",
];

/// Providers by the names that litellm and OpenTelemetry have for them.
const PROVIDERS: &[(&str, Vendors)] = &[
    ("anthropic", &["anthropic"]),
    ("aws.bedrock", &["bedrock"]),
    ("azure", &["azure", "openai"]),
    ("azure.ai.openai", &["azure", "openai"]),
    ("azure_ai", WELL_KNOWN),
    ("azure_text", &["azure", "openai"]),
    ("bedrock", &["bedrock"]),
    ("bedrock_converse", &["bedrock"]),
    ("codestral", &["mistral"]),
    ("cohere", &["cohere"]),
    ("cohere_chat", &["cohere"]),
    ("deepseek", &["deepseek"]),
    ("gcp.gemini", &["gemini"]),
    ("gcp.gen_ai", &["gemini", "vertex_ai"]),
    ("gcp.vertex_ai", &["vertex_ai", "gemini", "anthropic"]),
    ("gemini", &["gemini"]),
    ("google", &["gemini", "vertex_ai"]),
    ("groq", &["groq"]),
    ("mistral", &["mistral"]),
    ("mistral_ai", &["mistral"]),
    ("mistralai", &["mistral"]),
    ("openai", &["openai"]),
    ("openrouter", WELL_KNOWN),
    ("text-completion-codestral", &["mistral"]),
    ("text-completion-openai", &["openai"]),
    ("vertex_ai", &["vertex_ai", "gemini", "anthropic"]),
    ("vertex_ai_beta", &["vertex_ai", "gemini", "anthropic"]),
    ("voyage", &["voyage"]),
    ("x-ai", &["xai"]),
    ("x_ai", &["xai"]),
    ("xai", &["xai"]),
    // Servers of one's own, whose calls nobody bills by the token.
    ("docker_model_runner", &[]),
    ("hosted_vllm", &[]),
    ("lemonade", &[]),
    ("llamafile", &[]),
    ("lm_studio", &[]),
    ("ollama", &[]),
    ("ollama_chat", &[]),
    ("oobabooga", &[]),
    ("petals", &[]),
    ("triton", &[]),
    ("vllm", &[]),
    ("xinference", &[]),
];

/// What may stand before a model's name besides a provider: how and where it is called.
const WAYS: [&str; 6] = [
    "converse",
    "converse_like",
    "global",
    "global-standard",
    "invoke",
    "models",
];

/// Whose models a provider serves; none where the provider is not known.
pub fn vendors(provider: &str) -> Option<Vendors> {
    let found = PROVIDERS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(provider));
    found.map(|(_, vendors)| *vendors)
}

/// Whether this stands before a model's name to say how or where it is called.
pub fn is_way(text: &str) -> bool {
    WAYS.contains(&text) || is_region(text)
}

/// A region of AWS, such as `us-east-1`.
fn is_region(text: &str) -> bool {
    let mut parts = text.rsplit('-');
    let number = parts
        .next()
        .is_some_and(|part| part.len() == 1 && part.bytes().all(|byte| byte.is_ascii_digit()));
    let words = parts.clone().count();
    number
        && (2..=3).contains(&words)
        && parts.all(|part| part.bytes().all(|b| b.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_providers_are_told_apart() {
        assert_eq!(vendors("gpt"), None);
        let mut names: Vec<_> = PROVIDERS.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROVIDERS.len());
    }

    #[test]
    fn regions_are_told_from_models() {
        for region in [
            "us-east-1",
            "us-gov-west-1",
            "eu-central-2",
            "global",
            "invoke",
        ] {
            assert!(is_way(region), "{region}");
        }
        for other in [
            "gpt-4",
            "o1",
            "us",
            "claude-opus-4-1",
            "",
            "-",
            "1",
            "us-east-10",
            "a-b-c-d-1",
        ] {
            assert!(!is_way(other), "{other}");
        }
    }
}
