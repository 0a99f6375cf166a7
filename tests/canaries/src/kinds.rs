//! The forms that secrets have.

use crate::Canary;

/// A form: its name, what stands before the secret, the alphabet and length of what was made by chance, what stands behind.
pub struct Kind {
    name: &'static str,
    before: &'static str,
    alphabet: Alphabet,
    length: usize,
    after: &'static str,
}

#[derive(Clone, Copy)]
enum Alphabet {
    Letters,
    Alphanumeric,
    Capitals,
    Hex,
}

impl Alphabet {
    fn characters(self) -> &'static [u8] {
        const ALL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        match self {
            Self::Letters => &ALL[..52],
            Self::Alphanumeric => ALL,
            Self::Capitals => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
            Self::Hex => b"0123456789abcdef",
        }
    }
}

const fn kind(
    name: &'static str,
    before: &'static str,
    alphabet: Alphabet,
    length: usize,
    after: &'static str,
) -> Kind {
    Kind {
        name,
        before,
        alphabet,
        length,
        after,
    }
}

use Alphabet::{Alphanumeric, Capitals, Hex, Letters};

/// All forms.
pub const KINDS: &[Kind] = &[
    kind("OpenAI", "sk-", Alphanumeric, 48, ""),
    kind("OpenAI without digits", "sk-", Letters, 48, ""),
    kind("OpenAI project", "sk-proj-", Alphanumeric, 64, ""),
    kind("Anthropic", "sk-ant-api03-", Alphanumeric, 80, "AA"),
    kind("OpenRouter", "sk-or-v1-", Hex, 64, ""),
    kind("Google API", "AIzaSy", Alphanumeric, 33, ""),
    kind("Google OAuth", "ya29.a0", Alphanumeric, 60, ""),
    kind("AWS key id", "AKIA", Capitals, 16, ""),
    kind(
        "AWS secret",
        "aws_secret_access_key = ",
        Alphanumeric,
        40,
        "",
    ),
    kind("Azure in a header", "api-key: ", Hex, 32, ""),
    kind("Groq", "gsk_", Alphanumeric, 52, ""),
    kind("Hugging Face", "hf_", Letters, 34, ""),
    kind("Replicate", "r8_", Alphanumeric, 37, ""),
    kind("Perplexity", "pplx-", Hex, 48, ""),
    kind("xAI", "xai-", Alphanumeric, 80, ""),
    kind("Mistral", "MISTRAL_API_KEY=", Alphanumeric, 32, ""),
    kind("Cohere", "the cohere key is ", Alphanumeric, 40, ""),
    kind("GitHub", "ghp_", Alphanumeric, 36, ""),
    kind("GitHub, fine-grained", "github_pat_", Alphanumeric, 82, ""),
    kind("GitLab", "glpat-", Alphanumeric, 20, ""),
    kind("Slack", "xoxb-1234567890-", Alphanumeric, 24, ""),
    kind("Stripe", "sk_live_", Alphanumeric, 24, ""),
    kind("Twilio", "SK", Hex, 32, ""),
    kind(
        "SendGrid",
        "SG.ngeVfQFYQlKU0ufo8x5d1A.",
        Alphanumeric,
        43,
        "",
    ),
    kind("npm", "npm_", Alphanumeric, 36, ""),
    kind("PyPI", "pypi-AgEIcHlwaS5vcmc", Alphanumeric, 60, ""),
    kind("Databricks", "dapi", Hex, 32, ""),
    kind(
        "JWT",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx",
        Alphanumeric,
        43,
        "",
    ),
    kind(
        "private key",
        "-----BEGIN PRIVATE KEY-----\n",
        Alphanumeric,
        64,
        "\n-----END PRIVATE KEY-----",
    ),
    kind("bearer", "Authorization: Bearer ", Alphanumeric, 24, ""),
    kind(
        "password in a URL",
        "postgres://app:",
        Alphanumeric,
        16,
        "@db.internal/app",
    ),
    kind(
        "query",
        "GET https://api.example.com/v1?api_key=",
        Alphanumeric,
        20,
        "&alt=sse",
    ),
    kind("password", "password=", Alphanumeric, 12, ""),
    kind(
        "JSON within text",
        "{\"client_secret\": \"",
        Alphanumeric,
        20,
        "\"}",
    ),
];

/// The canary of this number.
pub(crate) fn canary(number: usize) -> Canary {
    let kind = &KINDS[number % KINDS.len()];
    let mut state = mixed(number as u64 + 1);
    let characters = kind.alphabet.characters();
    let core: String = (0..kind.length)
        .map(|_| {
            state = mixed(state);
            char::from(characters[(state >> 33) as usize % characters.len()])
        })
        .collect();
    Canary {
        kind: kind.name,
        text: format!("{}{core}{}", kind.before, kind.after),
        core,
    }
}

/// A step of SplitMix64.
fn mixed(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
