//! Names that tell secrets: of JSON members, settings, header fields, parameters.

use super::values;
use crate::json::unescape;

/// What a name says of the value it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitivity {
    /// Nothing.
    Open,
    /// It is a secret if it looks like one: `token` is also what models call a piece of text.
    Perhaps,
    /// It is a secret if it looks like a password: `pass` is also what tests do.
    Password,
    /// It is a secret if it looks like a code of digits: `pin` is also what a plug has.
    Code,
    /// It is a secret, whatever it looks like.
    Secret,
}

impl Sensitivity {
    /// Whether a value of such a name is a secret.
    pub fn fits(self, value: &[u8]) -> bool {
        match self {
            Self::Open => false,
            Self::Perhaps => values::is_token(value),
            Self::Password => values::is_password(value),
            Self::Code => values::is_digits(value),
            Self::Secret => !value.is_empty(),
        }
    }
}

/// What names of secrets end with, in lower case and without what separates words.
const SECRET: [&str; 67] = [
    "accesskey",
    "accesstoken",
    "accountkey",
    "adminpass",
    "adtoken",
    "apikey",
    "apisecret",
    "apitoken",
    "authkey",
    "authorization",
    "authtoken",
    "bearertoken",
    "bottoken",
    "clientsecret",
    "connectionstring",
    "cookie",
    "credential",
    "credentials",
    "csrftoken",
    "databasepass",
    "dbpass",
    "deploytoken",
    "encryptionkey",
    "ftppass",
    "githubtoken",
    "gitlabtoken",
    "hftoken",
    "idtoken",
    "jwtassertion",
    "ldappass",
    "mailpass",
    "masterkey",
    "mastersecret",
    "mongopass",
    "oidcdata",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pgpass",
    "postgrespass",
    "privatekey",
    "privatetoken",
    "pwd",
    "redispass",
    "refreshtoken",
    "rootpass",
    "secret",
    "secretaccesskey",
    "secretkey",
    "secrets",
    "secrettoken",
    "securitytoken",
    "servicekey",
    "sessiontoken",
    "sharedaccesskey",
    "sharedaccesssignature",
    "signingkey",
    "smtppass",
    "sqlpass",
    "sshkey",
    "storagekey",
    "subscriptionkey",
    "trackingtoken",
    "userpass",
    "usertoken",
    "vaulttoken",
];

/// Whose `key` or `token` is a secret, where nothing else comes between.
const ISSUERS: [&str; 26] = [
    "anthropic",
    "aws",
    "azure",
    "claude",
    "cohere",
    "databricks",
    "deepseek",
    "fireworks",
    "gemini",
    "google",
    "groq",
    "huggingface",
    "litellm",
    "mistral",
    "nvidia",
    "openai",
    "openrouter",
    "perplexity",
    "pinecone",
    "replicate",
    "sendgrid",
    "slack",
    "stripe",
    "together",
    "twilio",
    "xai",
];

/// The longest name that is looked at; of longer ones, the end.
const LONGEST: usize = 48;

/// What a name, as JSON escapes it, says of its value.
pub fn sensitivity(name: &str) -> Sensitivity {
    if name.contains('\\') {
        of_bytes(unescape(name).as_bytes())
    } else {
        of_bytes(name.as_bytes())
    }
}

/// The same of a name that is not escaped.
pub(super) fn of_bytes(name: &[u8]) -> Sensitivity {
    if !may_tell(name) {
        return Sensitivity::Open;
    }
    let mut letters = [0; LONGEST];
    let mut len = 0;
    let significant = name.iter().rev().filter(|byte| !b"-_ .".contains(byte));
    for (slot, byte) in letters.iter_mut().rev().zip(significant) {
        *slot = byte.to_ascii_lowercase();
        len += 1;
    }
    let normal = letters.get(LONGEST - len..).unwrap_or_default();
    // The last letter tells most of them apart.
    let last = normal.last();
    let mut secrets = SECRET.iter().map(|name| name.as_bytes());
    if secrets.any(|name| name.last() == last && normal.ends_with(name)) || is_issuers(normal) {
        Sensitivity::Secret
    } else if matches!(normal, b"token" | b"auth" | b"jwt" | b"passkey" | b"bearer") {
        Sensitivity::Perhaps
    } else if matches!(normal, b"otp" | b"pin") {
        Sensitivity::Code
    } else if is_pass(name) {
        Sensitivity::Password
    } else {
        Sensitivity::Open
    }
}

/// Whether the last letters are those of a name that tells secrets: most are told to be none by them.
fn may_tell(name: &[u8]) -> bool {
    let ends = |end: &[u8]| {
        let tail = name.get(name.len().saturating_sub(end.len())..);
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    };
    let [.., last] = name else {
        return false;
    };
    match last.to_ascii_lowercase() {
        b'y' => ends(b"key"),
        b'n' => ends(b"ken") || ends(b"zation") || ends(b"sertion") || ends(b"pin"),
        b't' => ends(b"cret") || ends(b"jwt"),
        b'd' => ends(b"word") || ends(b"swd") || ends(b"pwd"),
        b's' => ends(b"crets") || ends(b"words") || ends(b"tials") || ends(b"pass"),
        b'e' => ends(b"okie") || ends(b"phrase") || ends(b"nature"),
        b'l' => ends(b"tial"),
        b'h' => ends(b"auth"),
        b'g' => ends(b"on_string") || ends(b"onstring") || ends(b"on-string"),
        b'r' => ends(b"bearer"),
        b'a' => ends(b"c-data") || ends(b"c_data"),
        b'p' => ends(b"otp"),
        _ => false,
    }
}

/// Whether the last word is `pass`: `bypass` is another.
fn is_pass(name: &[u8]) -> bool {
    let word = name.rsplit(|byte| !byte.is_ascii_alphanumeric()).next();
    word.is_some_and(|word| word.eq_ignore_ascii_case(b"pass"))
}

fn is_issuers(normal: &[u8]) -> bool {
    let ends = [&b"key"[..], b"token", b"secret"];
    let issuer = ends.iter().find_map(|end| normal.strip_suffix(*end));
    issuer.is_some_and(|issuer| {
        ISSUERS
            .iter()
            .any(|known| issuer.ends_with(known.as_bytes()))
    })
}

/// Whether a parameter of a URL is a secret; some are so there alone.
pub(super) fn is_secret_parameter(name: &[u8]) -> bool {
    const NAMES: [&str; 14] = [
        "key",
        "sig",
        "signature",
        "token",
        "auth",
        "code",
        "pass",
        "session",
        "sessionid",
        "x-amz-signature",
        "x-amz-credential",
        "x-goog-signature",
        "x-goog-credential",
        "jwt",
    ];
    NAMES
        .iter()
        .any(|secret| secret.as_bytes().eq_ignore_ascii_case(name))
        || of_bytes(name) == Sensitivity::Secret
}
