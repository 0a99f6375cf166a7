//! Tokens with a prefix of their issuer's.
//!
//! Sources: the issuers' own documentation of their formats, as collected for GitHub's secret scanning ("Supported
//! secret scanning patterns") and in the rules of gitleaks.

use std::ops::Range;

use super::text::{
    before, begins_word, byte, is_base64, is_random, is_word, looks_random, run, slice, stands_at,
};

/// A prefix.
pub(super) struct Prefix {
    text: &'static str,
    /// Which of its bytes it is noticed by.
    anchor: usize,
    /// How many bytes have to follow.
    min: usize,
    body: Body,
}

/// How much of a token decides whether it is one.
const LONGEST: usize = 128;

/// What follows a prefix.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    /// Letters, digits, `_`, `-`.
    Word,
    /// Letters and digits.
    Alphanumeric,
    /// Hexadecimal digits.
    Hex,
    /// Capital letters and digits.
    Capitals,
    /// Words and dots.
    Dotted,
    /// Base64.
    Base64,
    /// A path.
    Path,
}

impl Body {
    const ALL: [Self; 7] = [Word, Alphanumeric, Hex, Capitals, Dotted, Base64, Path];

    fn holds(self, byte: u8) -> bool {
        let bodies = BODIES.get(usize::from(byte)).copied();
        bodies.unwrap_or(0) & self.bit() != 0
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    const fn is_of(self, byte: u8) -> bool {
        match self {
            Self::Word => is_word(byte),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Capitals => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Dotted => is_word(byte) || byte == b'.',
            Self::Base64 => is_base64(byte),
            Self::Path => is_word(byte) || byte == b'/',
        }
    }
}

/// Which bodies a byte may be part of, a bit each: a hostile text has them asked for often.
static BODIES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    #[expect(clippy::indexing_slicing, reason = "at compile time")]
    while byte < table.len() {
        let mut body = 0;
        while body < Body::ALL.len() {
            if Body::ALL[body].is_of(byte as u8) {
                table[byte] |= Body::ALL[body].bit();
            }
            body += 1;
        }
        byte += 1;
    }
    table
};

/// A prefix noticed by its last byte.
const fn ends(text: &'static str, min: usize, body: Body) -> Prefix {
    Prefix {
        text,
        anchor: text.len() - 1,
        min,
        body,
    }
}

const fn at(anchor: usize, text: &'static str, min: usize, body: Body) -> Prefix {
    Prefix {
        text,
        anchor,
        min,
        body,
    }
}

use Body::{Alphanumeric, Base64, Capitals, Dotted, Hex, Path, Word};

/// `sk-`, whose bodies are of many kinds; see [`is_sk`].
const SK: &str = "sk-";

/// Noticed by `-`.
static DASH: &[Prefix] = &[
    // OpenAI, Anthropic, DeepSeek, OpenRouter, Langfuse, litellm's own keys.
    ends(SK, 4, Word),
    // xAI, Perplexity, NVIDIA, Cerebras, Tavily, Voyage, OpenAI's sessions, Bedrock's short-lived keys.
    ends("xai-", 20, Word),
    ends("pplx-", 20, Word),
    ends("nvapi-", 20, Word),
    ends("csk-", 20, Alphanumeric),
    ends("tvly-", 16, Word),
    ends("pa-", 40, Word),
    ends("sess-", 30, Alphanumeric),
    ends("bedrock-api-key-", 20, Base64),
    // GitLab.
    ends("glpat-", 16, Dotted),
    ends("gldt-", 16, Word),
    ends("glptt-", 16, Word),
    ends("glrt-", 16, Word),
    ends("glcbt-", 16, Word),
    ends("gloas-", 16, Word),
    ends("glsoat-", 16, Word),
    ends("glimt-", 16, Word),
    ends("glagent-", 16, Word),
    // Slack.
    ends("xoxb-", 10, Word),
    ends("xoxp-", 10, Word),
    ends("xoxa-", 10, Word),
    ends("xoxr-", 10, Word),
    ends("xoxs-", 10, Word),
    ends("xoxo-", 10, Word),
    ends("xoxc-", 10, Word),
    ends("xoxd-", 10, Base64),
    ends("xoxe-", 10, Word),
    ends("xapp-", 10, Word),
    // PyPI, Postman, New Relic, Heroku, Tailscale, Google's OAuth, Square, Mailgun, age.
    ends("pypi-", 30, Word),
    ends("PMAK-", 20, Word),
    ends("NRAK-", 20, Alphanumeric),
    ends("HRKU-", 20, Word),
    ends("tskey-", 10, Word),
    ends("GOCSPX-", 20, Word),
    ends("sq0atp-", 20, Word),
    ends("sq0csp-", 20, Word),
    ends("key-", 32, Hex),
    ends("AGE-SECRET-KEY-", 20, Capitals),
];

/// Noticed by `_`.
static UNDERSCORE: &[Prefix] = &[
    // Groq, Hugging Face, Replicate, Fireworks, Together, Jina, ElevenLabs, LangSmith.
    ends("gsk_", 20, Alphanumeric),
    ends("hf_", 20, Alphanumeric),
    ends("api_org_", 20, Alphanumeric),
    ends("r8_", 20, Alphanumeric),
    ends("fw_", 20, Alphanumeric),
    ends("tgp_v1_", 20, Word),
    ends("jina_", 20, Word),
    ends("sk_", 40, Hex),
    ends("lsv2_pt_", 20, Word),
    ends("lsv2_sk_", 20, Word),
    // GitHub.
    ends("ghp_", 20, Alphanumeric),
    ends("gho_", 20, Alphanumeric),
    ends("ghu_", 20, Alphanumeric),
    ends("ghs_", 20, Alphanumeric),
    ends("ghr_", 20, Alphanumeric),
    ends("github_pat_", 20, Word),
    // Stripe.
    ends("sk_live_", 10, Alphanumeric),
    ends("sk_test_", 10, Alphanumeric),
    ends("rk_live_", 10, Alphanumeric),
    ends("rk_test_", 10, Alphanumeric),
    ends("whsec_", 16, Base64),
    // npm, Docker, RubyGems, DigitalOcean, Shopify, Notion, Linear, Figma, Netlify, Supabase, PlanetScale, Grafana,
    // Sentry, Neon.
    ends("npm_", 20, Alphanumeric),
    ends("dckr_pat_", 20, Word),
    ends("rubygems_", 20, Alphanumeric),
    ends("dop_v1_", 20, Hex),
    ends("doo_v1_", 20, Hex),
    ends("dor_v1_", 20, Hex),
    ends("shpat_", 20, Hex),
    ends("shpss_", 20, Hex),
    ends("shpca_", 20, Hex),
    ends("shppa_", 20, Hex),
    ends("secret_", 40, Alphanumeric),
    ends("ntn_", 30, Alphanumeric),
    ends("lin_api_", 20, Alphanumeric),
    ends("figd_", 20, Word),
    ends("nfp_", 20, Alphanumeric),
    ends("sbp_", 20, Hex),
    ends("sb_secret_", 10, Word),
    ends("pscale_tkn_", 20, Word),
    ends("pscale_pw_", 20, Word),
    ends("glsa_", 20, Word),
    ends("glc_", 30, Base64),
    ends("sntrys_", 20, Base64),
    ends("sntryu_", 20, Hex),
    ends("napi_", 30, Alphanumeric),
];

/// Noticed by `.`.
static DOT: &[Prefix] = &[
    // Google's access tokens and its newer API keys, SendGrid, HashiCorp Vault, Doppler.
    ends("ya29.", 20, Dotted),
    ends("AQ.", 30, Word),
    ends("SG.", 30, Dotted),
    ends("hvs.", 20, Word),
    ends("hvb.", 20, Word),
    ends("hvr.", 20, Word),
    ends("dp.pt.", 20, Alphanumeric),
    // Whoever knows these addresses may post there.
    at(5, "hooks.slack.com/services/", 10, Path),
    at(7, "discord.com/api/webhooks/", 10, Path),
    at(10, "discordapp.com/api/webhooks/", 10, Path),
];

/// Noticed by `A`, with which they begin: Google's API keys, AWS's key ids, Bedrock's keys, Atlassian.
static CAPITAL_A: &[Prefix] = &[
    at(0, "AIza", 30, Word),
    at(0, "AKIA", 16, Capitals),
    at(0, "ASIA", 16, Capitals),
    at(0, "ABIA", 16, Capitals),
    at(0, "ACCA", 16, Capitals),
    at(0, "ABSK", 60, Base64),
    at(0, "ATATT3", 30, Base64),
    at(0, "ATCTT3", 30, Base64),
];

/// Noticed by `K`: Twilio's API keys.
static CAPITAL_K: &[Prefix] = &[at(1, "SK", 32, Hex)];

/// Noticed by `p`: Databricks.
static SMALL_P: &[Prefix] = &[at(2, "dapi", 32, Hex)];

/// Noticed by `/`: Google's refresh tokens.
static SLASH: &[Prefix] = &[at(1, "1//0", 30, Word)];

/// Pairs of bytes, as a set: a row a last byte, a bit a byte before it, by their [`class`].
type Pairs = [u64; 64];

/// Letters in any case, and all else apart from them: digits stand before most anchors, as in UUIDs.
const fn class(byte: u8) -> u8 {
    byte & 31 | (byte & 64) >> 1
}

/// The two bytes before the anchor: nearly all anchors are told to be none by them.
const fn precede(prefixes: &[Prefix]) -> Pairs {
    let mut set = [0; 64];
    let mut at = 0;
    #[expect(clippy::indexing_slicing, reason = "at compile time")]
    while at < prefixes.len() {
        let prefix = &prefixes[at];
        let text = prefix.text.as_bytes();
        let last = class(text[prefix.anchor - 1]);
        set[last as usize] |= 1 << class(text[prefix.anchor - 2]);
        at += 1;
    }
    set
}

static BEFORE_DASH: Pairs = precede(DASH);
static BEFORE_UNDERSCORE: Pairs = precede(UNDERSCORE);
static BEFORE_DOT: Pairs = precede(DOT);

/// The prefixes that are noticed by the byte at `at`.
pub(super) fn noticed(
    text: &[u8],
    at: usize,
) -> impl Iterator<Item = (&'static Prefix, usize)> + '_ {
    let among = |set: &Pairs| {
        let row = set.get(usize::from(class(before(text, at, 1)))).copied();
        row.unwrap_or(0) >> class(before(text, at, 2)) & 1 == 1
    };
    let prefixes: &'static [Prefix] = match byte(text, at) {
        b'-' if among(&BEFORE_DASH) => DASH,
        b'_' if among(&BEFORE_UNDERSCORE) => UNDERSCORE,
        b'.' if among(&BEFORE_DOT) => DOT,
        b'A' => CAPITAL_A,
        b'K' => CAPITAL_K,
        b'p' => SMALL_P,
        b'/' => SLASH,
        _ => &[],
    };
    prefixes.iter().filter_map(move |prefix| {
        let start = at.checked_sub(prefix.anchor)?;
        let prefix_bytes = prefix.text.as_bytes();
        // Most begin otherwise, and comparing one byte takes no call.
        let may_stand = text.get(start) == prefix_bytes.first();
        (may_stand && stands_at(text, start, prefix_bytes)).then_some((prefix, start))
    })
}

/// The token with this prefix at `start`, if it is one.
pub(super) fn token(text: &[u8], prefix: &Prefix, start: usize) -> Option<Range<usize>> {
    let body_start = start + prefix.text.len();
    // So much is looked at, and all of it taken: many prefixes in one long word would cost its square.
    let near = slice(text, body_start, (body_start + LONGEST).min(text.len()));
    let len = run(near, 0, |byte| prefix.body.holds(byte));
    let body = slice(near, 0, len);
    let fits = if prefix.text == SK {
        is_sk(body)
    } else {
        // Capitals alone are no word of a text.
        len >= prefix.min && (prefix.body == Capitals || looks_random(body))
    };
    // A long prefix and a long body are told within a word as well.
    let apart = begins_word(text, start)
        || (prefix.text.len() >= 4
            && len >= 20
            && body.iter().any(u8::is_ascii_digit)
            && prefix.body != Base64);
    (fits && apart).then(|| {
        let end = body_start + run(text, body_start, |byte| prefix.body.holds(byte));
        let start = if prefix.body == Path {
            body_start
        } else {
            start
        };
        start..end
    })
}

/// What follows `sk-`: words in prose do so too, but without digits, in one case, and with pauses.
fn is_sk(body: &[u8]) -> bool {
    const KINDS: [&[u8]; 7] = [
        b"ant-",
        b"proj-",
        b"or-",
        b"svcacct-",
        b"admin-",
        b"None-",
        b"lf-",
    ];
    if body.len() >= 16 {
        return is_random(body, 16);
    }
    let digits = body.iter().filter(|byte| byte.is_ascii_digit()).count();
    let has = |is: fn(&u8) -> bool| body.iter().any(is);
    let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    let known = KINDS.iter().any(|kind| body.starts_with(kind));
    match body.len() {
        4.. if digits == body.len() => true,
        ..8 => false,
        8..12 => digits >= 2,
        _ => digits >= 2 || (known && mixed),
    }
}
