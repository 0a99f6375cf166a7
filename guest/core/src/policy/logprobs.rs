//! Tokens with their probabilities, which tell a text once more, in pieces: OpenAI's `logprobs` and their like.
//!
//! What is found in the text beside them, or in the tokens when they are put together, cannot be taken out of each
//! token, its bytes and its alternatives. So they go as a whole.

use super::Policy;
use crate::json::{Kind, Place, Raw, write_clean};

/// Members that hold tokens: of OpenAI's and most others' answers, vLLM's prompts, Gemini's candidates.
const NAMES: [&str; 4] = [
    "logprobs",
    "prompt_logprobs",
    "logprobsResult",
    "logprobs_result",
];

/// How deep tokens are looked for.
const DEPTH: usize = 12;

/// How deep they stand at most; deeper ones are hidden unseen.
const DEEPEST: usize = 32;

/// So many bytes are looked at twice at most, far beyond any answer; then they are hidden unseen as well.
const MOST: usize = 32 << 20;

/// What was looked at because tokens stand beside it.
#[derive(Debug, Default)]
pub(super) struct Beside {
    bytes: usize,
    is_looking: bool,
}

/// Whether a member holds tokens.
pub(crate) fn is_logprobs(escaped: &str, value: &Place<'_, '_>) -> bool {
    // Their lengths tell most names to be none.
    matches!(escaped.len(), 8 | 14 | 15)
        && NAMES.contains(&escaped)
        && matches!(value.first_byte(), b'{' | b'[')
}

/// Appends the tokens, put together, without their alternatives.
pub(crate) fn tokens_of(value: Raw<'_>, text: &mut String) {
    add(value, text, 0);
}

fn add(value: Raw<'_>, text: &mut String, depth: usize) {
    match value.kind() {
        _ if depth == DEPTH => {}
        Kind::String => text.push_str(&value.as_str().unwrap_or_default()),
        Kind::Array => {
            for item in value.items() {
                match item.kind() {
                    Kind::Object => of_item(item, text, depth + 1),
                    _ => add(item, text, depth + 1),
                }
            }
        }
        Kind::Object => {
            let is_alternative =
                |name: &str| matches!(name, "top_logprobs" | "topCandidates" | "top_candidates");
            let lists = value.entries().filter(|(name, _)| !is_alternative(name));
            for (_, list) in lists.filter(|(_, list)| list.kind() == Kind::Array) {
                add(list, text, depth + 1);
            }
        }
        _ => {}
    }
}

/// A token: as such, as a text of several, or by its number, the one that was chosen first.
fn of_item(item: Raw<'_>, text: &mut String, depth: usize) {
    let told = item.fields(["token", "text", "decoded_token"]);
    match told.into_iter().flatten().next() {
        Some(token) => add(token, text, depth),
        None => {
            let first = item.entries().next().map(|(_, first)| first);
            if let Some(first) = first.filter(|first| first.kind() == Kind::Object && depth < DEPTH)
            {
                of_item(first, text, depth + 1);
            }
        }
    }
}

impl Policy<'_> {
    /// Whether the tokens tell what is found in them or beside them.
    pub(super) fn tells_twice(&mut self, value: &Place<'_, '_>) -> bool {
        let redact = &self.content.redact;
        let hides = self.looks_across_pieces() || !redact.paths.is_empty();
        let hides = hides || !self.users.is_empty();
        if self.beside.is_looking || !hides {
            return false;
        }
        // Paths lead to texts, and not to what repeats them. Nothing of an answer is nested so deep.
        let is_beyond = value.depth() > DEEPEST || self.beside.bytes > MOST;
        if is_beyond || self.has_paths(self.root) {
            return true;
        }
        let mut tokens = String::new();
        tokens_of(value.value(), &mut tokens);
        if !self.hidden_ranges(&tokens).is_empty() || self.users.hidden(&tokens).is_some() {
            return true;
        }
        let Some(around) = value.object() else {
            return false;
        };
        self.beside.bytes += around.text().len();
        let did = self.did;
        self.beside.is_looking = true;
        write_clean(around, &mut Vec::new(), 0, self);
        self.beside.is_looking = false;
        let is_found = self.did.redacted > did.redacted || self.did.unsaid > did.unsaid;
        self.did = did;
        is_found
    }
}
