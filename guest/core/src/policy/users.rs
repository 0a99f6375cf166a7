//! Users told by a hash: the same user gives the same hash, and without the key nobody finds out whose it is, not even
//! by trying names.

use std::fmt;

use hmac_sha256::HMAC;

use crate::id;
use crate::transport::percent_encoded;

/// A user shorter than this is not looked for within other texts.
const SHORTEST: usize = 4;

/// The key of the hashes.
#[derive(Clone, PartialEq, Eq)]
pub struct UserKey(Vec<u8>);

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl UserKey {
    /// A key from its text.
    pub fn new(key: &str) -> Self {
        Self(key.as_bytes().to_vec())
    }

    /// What stands for a user: the first 16 bytes of HMAC-SHA256 (RFC 2104), in hexadecimal digits.
    pub fn hash(&self, user: &str) -> String {
        let mac = HMAC::mac(user.as_bytes(), &self.0);
        format!("hmac-{}", id::hex(mac.get(..16).unwrap_or_default()))
    }
}

/// Users whose names are known.
#[derive(Debug, Default)]
pub(super) struct Known(Vec<(String, String)>);

impl Known {
    pub fn add(&mut self, key: &UserKey, user: &str) {
        if user.len() < SHORTEST || self.0.iter().any(|(known, _)| known == user) {
            return;
        }
        let hash = key.hash(user);
        // As it stands in a URL or in W3C Baggage.
        let encoded = percent_encoded(user);
        if encoded != user {
            self.0.push((encoded, hash.clone()));
        }
        self.0.push((user.to_owned(), hash));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with hashes in place of users; None if none is named.
    pub fn hidden(&self, text: &str) -> Option<String> {
        let mut hidden = None;
        for (user, hash) in &self.0 {
            let current = hidden.as_deref().unwrap_or(text);
            if memchr::memmem::find(current.as_bytes(), user.as_bytes()).is_some() {
                hidden = Some(current.replace(user.as_str(), hash));
            }
        }
        hidden
    }
}

/// Whether a member, a tag or a header field of this name is a user: OpenAI's `user` and `safety_identifier`,
/// Anthropic's `user_id`, litellm's and Helicone's header fields and their like.
pub(super) fn is_name(name: &str) -> bool {
    const WHOLE: [&str; 3] = ["user", "username", "enduser"];
    const ENDS: [&str; 9] = [
        "userid",
        "litellmuser",
        "mlflowuser",
        "enduserid",
        "useremail",
        "customerid",
        "safetyidentifier",
        "litellmenduser",
        "useridentifier",
    ];
    let last = name.bytes().last().unwrap_or(0);
    if !b"rdlRDL".contains(&last) || name.len() > 48 {
        return false;
    }
    let significant = name.chars().filter(|c| !matches!(c, '-' | '_' | '.' | ' '));
    let normal: String = significant.map(|c| c.to_ascii_lowercase()).collect();
    WHOLE.contains(&normal.as_str()) || ENDS.iter().any(|end| normal.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_keyed_and_stable() {
        let (one, other) = (UserKey::new("Jefe"), UserKey::new("other"));
        // RFC 4231, test case 2.
        let text = "what do ya want for nothing?";
        assert_eq!(one.hash(text), "hmac-5bdcc146bf60754e6a042426089575c7");
        assert_ne!(one.hash(text), other.hash(text));
        assert!(!format!("{one:?}").contains("Jefe"));
    }

    #[test]
    fn names_of_users_are_told() {
        for name in [
            "user",
            "end_user",
            "user_id",
            "userId",
            "x-mlflow-user",
            "Helicone-User-Id",
            "safety_identifier",
            "litellm.end_user",
        ] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "role",
            "model",
            "content",
            "id",
            "superuser_mode",
            "message_id",
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
