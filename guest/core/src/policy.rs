//! What of a call is kept: categories that are not captured are left out, media are described, secrets are replaced,
//! users are told by a hash where asked for, and what is left is cut to its length, in this order.
//!
//! It runs while a span is written, before anything is queued: what a policy takes away is nowhere
//! held.

mod at_rest;
mod capture;
mod echo;
mod logprobs;
mod media;
mod paths;
mod users;

use std::borrow::Cow;
use std::ops::Range;

use crate::json::{self, Filter, Kind, Place};
use crate::redact::{REDACTED, Sensitivity, sensitivity};
use crate::settings::Content;

pub use at_rest::{AtRest, Redacted};
pub(crate) use capture::{NOT_CAPTURED, hide};
pub use echo::Echo;
pub(crate) use logprobs::{is_logprobs, tokens_of};
pub use paths::{Pointer, Root};
pub use users::UserKey;

/// What a policy did, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Did {
    /// Values that had a secret replaced.
    pub redacted: usize,
    /// Strings that were cut.
    pub cut: usize,
    /// Media that were described.
    pub described: usize,
    /// Texts that repeated what is not captured.
    pub unsaid: usize,
}

/// A policy at work on one span; counts what it did.
#[derive(Debug)]
pub struct Policy<'s> {
    content: &'s Content,
    /// What it did.
    pub did: Did,
    /// The document that is written, for paths.
    root: Root,
    /// The call's users and what stands for them.
    users: users::Known,
    /// What is not captured, as far as other texts may repeat it.
    echo: Echo,
    /// What was looked at because tokens stand beside it.
    beside: logprobs::Beside,
}

impl<'s> Policy<'s> {
    /// The policy that the settings ask for.
    pub fn new(content: &'s Content) -> Self {
        Self {
            content,
            did: Did::default(),
            root: Root::Other,
            users: users::Known::default(),
            echo: Echo::default(),
            beside: logprobs::Beside::default(),
        }
    }

    /// The settings.
    pub fn content(&self) -> &'s Content {
        self.content
    }

    /// Names the document that is written next.
    pub fn within(&mut self, root: Root) {
        self.root = root;
    }

    /// Whether the document that is written next is replaced as a whole.
    pub fn replaces_all(&mut self) -> bool {
        let all = paths::replaces_all(&self.content.redact.paths, self.root);
        self.did.redacted += usize::from(all);
        all
    }

    /// Whether paths lead into documents of this kind.
    pub fn has_paths(&self, root: Root) -> bool {
        let mut paths = self.content.redact.paths.iter();
        paths.any(|path| path.leads_into(root))
    }

    /// Takes note of a user of the call, whom a hash is to stand for wherever its name occurs.
    pub fn know_user(&mut self, user: &str) {
        if let Some(key) = &self.content.user_hash_key {
            self.users.add(key, user);
        }
    }

    /// What of a text has to go, and what takes its place, in order and apart.
    pub(crate) fn hidden_ranges(&self, text: &str) -> Vec<(Range<usize>, &'static str)> {
        let detectors = &self.content.redact.detectors;
        let secrets = if detectors.may_find(text) {
            detectors.find(text)
        } else {
            Vec::new()
        };
        let unsaid = self.echo.repeated(text).into_iter();
        let is_apart = |range: &Range<usize>| {
            let mut others = secrets.iter();
            others.all(|other| other.end <= range.start || range.end <= other.start)
        };
        let unsaid: Vec<_> = unsaid
            .filter(is_apart)
            .map(|range| (range, NOT_CAPTURED))
            .collect();
        let mut all: Vec<_> = secrets.into_iter().map(|range| (range, REDACTED)).collect();
        all.extend(unsaid);
        all.sort_unstable_by_key(|(range, _)| range.start);
        all
    }

    /// Whether texts that came in pieces have to be looked at as a whole.
    pub(crate) fn looks_across_pieces(&self) -> bool {
        !self.content.redact.detectors.is_idle() || !self.echo.is_empty()
    }

    /// Whether an answer is a list of what came one after the other, as of streams in formats that nobody knows.
    pub(crate) fn grows_in_pieces(&self, raw: json::Raw<'_>) -> bool {
        let mut kinds = raw.items().map(json::Raw::kind);
        self.root == Root::Outputs
            && raw.kind() == Kind::Array
            && self.looks_across_pieces()
            && matches!(kinds.nth(1), Some(Kind::Object | Kind::String))
    }

    /// Takes note of what is not captured, so that other texts do not tell it.
    pub fn know_unsaid(&mut self, echo: Echo) {
        self.echo = echo;
    }

    /// A user, or what stands for it.
    pub fn user<'t>(&mut self, user: &'t str) -> Cow<'t, str> {
        match &self.content.user_hash_key {
            Some(key) => Cow::Owned(key.hash(user)),
            None => self.text(user),
        }
    }

    /// The value of a name, such as a tag's.
    pub fn named<'t>(&mut self, name: &str, value: &'t str) -> Cow<'t, str> {
        let secrets = self.content.redact.detectors.secrets;
        let is_secret = sensitivity(name).fits(value.as_bytes());
        if secrets && is_secret {
            self.did.redacted += 1;
            Cow::Borrowed(REDACTED)
        } else if users::is_name(name) {
            self.user(value)
        } else {
            self.text(value)
        }
    }

    /// Text that is no JSON.
    pub fn text<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        let suspect = self.content.redact.detectors.may_find(text);
        self.apply(text, suspect)
            .map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Text that may repeat what is not captured: of an exception, of a response as it came.
    pub fn telling<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        match self.echo.without(text) {
            Some(text) => {
                self.did.unsaid += 1;
                Cow::Owned(self.text(&text).into_owned())
            }
            None => self.text(text),
        }
    }

    /// A document that is a text.
    pub fn whole<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        match self.root {
            Root::Outputs => self.telling(text),
            _ => self.text(text),
        }
    }

    /// What a text becomes; None if it stays as it is.
    fn apply(&mut self, text: &str, suspect: bool) -> Option<String> {
        let mut changed = None;
        if self.content.media.is_described()
            && let Some(described) = media::in_text(text)
        {
            self.did.described += 1;
            changed = Some(described);
        }
        let detectors = &self.content.redact.detectors;
        let current = changed.as_deref().unwrap_or(text);
        if let (true, Some(redacted)) = (suspect, detectors.redact(current)) {
            self.did.redacted += 1;
            changed = Some(redacted);
        }
        if let Some(hashed) = self.users.hidden(changed.as_deref().unwrap_or(text)) {
            changed = Some(hashed);
        }
        let current = changed.as_deref().unwrap_or(text);
        match self.content.max_value_bytes {
            Some(max) if current.len() > max => {
                self.did.cut += 1;
                Some(cut(current, max))
            }
            _ => changed,
        }
    }

    /// Whether the member is a secret by its name.
    fn is_secret(&self, name: &str, value: &Place<'_, '_>) -> bool {
        match sensitivity(name) {
            Sensitivity::Open => name.eq_ignore_ascii_case("value") && is_named_secret(value),
            told @ (Sensitivity::Perhaps | Sensitivity::Password | Sensitivity::Code) => {
                matches!(value.first_byte(), b'"' | b'0'..=b'9')
                    && told.fits(value.value().text().trim_matches('"').as_bytes())
            }
            Sensitivity::Secret => match value.first_byte() {
                b'"' => value.value().text() != "\"\"",
                b'[' => value.value().is_truthy(),
                b'{' => !is_schema(value),
                b'-' | b'0'..=b'9' => true,
                _ => false,
            },
        }
    }
}

/// Whether the member beside it names a secret: `{"name": "x-api-key", "value": …}`.
fn is_named_secret(value: &Place<'_, '_>) -> bool {
    let Some(object) = value.object().filter(|_| !value.is_element()) else {
        return false;
    };
    let names = object.fields(["name", "key", "header", "Name", "Key"]);
    let mut names = names.into_iter().flatten().filter_map(json::Raw::as_str);
    names.any(|name| sensitivity(&name) == Sensitivity::Secret)
}

/// Whether an object says what a secret looks like, or says nothing: a JSON Schema has a member of this name too.
fn is_schema(value: &Place<'_, '_>) -> bool {
    const MEMBERS: [&str; 9] = [
        "$ref",
        "allOf",
        "anyOf",
        "const",
        "description",
        "enum",
        "oneOf",
        "properties",
        "type",
    ];
    let told = value.value().fields(MEMBERS);
    let is_empty = value.value().entries().next().is_none();
    is_empty || told.iter().any(Option::is_some)
}

impl Filter for Policy<'_> {
    fn string<'t>(&mut self, escaped: &'t str, place: &Place<'t, '_>) -> Option<Cow<'t, str>> {
        if self.content.media.is_described()
            && let Some(described) = media::at(escaped, place)
        {
            self.did.described += 1;
            return Some(Cow::Owned(described));
        }
        if self.content.user_hash_key.is_some() && place.name().is_some_and(users::is_name) {
            let user = json::unescape(escaped);
            return Some(Cow::Owned(self.user(&user).into_owned()));
        }
        let suspect = self.content.redact.detectors.may_find(escaped);
        let long = self
            .content
            .max_value_bytes
            .is_some_and(|max| escaped.len() > max);
        let embeds = self.content.media.is_described() && media::may_embed(escaped);
        if self.root == Root::Outputs && !self.echo.is_empty() {
            let text = json::unescape(escaped);
            let told = self.telling(&text);
            return (told != text).then(|| Cow::Owned(told.into_owned()));
        }
        let is_looked_at = suspect || long || embeds || !self.users.is_empty();
        let changed = is_looked_at.then(|| self.apply(&json::unescape(escaped), suspect));
        changed.flatten().map(Cow::Owned)
    }

    fn member(&mut self, escaped: &str, value: &Place<'_, '_>) -> Option<&'static str> {
        let secrets = self.content.redact.detectors.secrets;
        let is_secret = if is_logprobs(escaped, value) {
            self.tells_twice(value)
        } else {
            secrets && self.is_secret(escaped, value)
        };
        self.did.redacted += usize::from(is_secret);
        is_secret.then_some(REDACTED)
    }

    fn name<'t>(&mut self, escaped: &'t str) -> Option<Cow<'t, str>> {
        let detectors = &self.content.redact.detectors;
        let suspect = escaped.len() > 6 && detectors.may_find(escaped);
        if !suspect && self.users.is_empty() {
            return None;
        }
        let name = json::unescape(escaped);
        let redacted = detectors.redact(&name).filter(|_| suspect);
        self.did.redacted += usize::from(redacted.is_some());
        let hidden = self.users.hidden(redacted.as_deref().unwrap_or(&name));
        hidden.or(redacted).map(Cow::Owned)
    }

    fn number(&mut self, number: &str) -> Option<&'static str> {
        // Cards, accounts and telephones are sometimes numbers.
        let detectors = &self.content.redact.detectors;
        let is_looked_at = number.len() >= 8 && detectors.looks_for_more();
        let is_found = is_looked_at && detectors.redact(number).is_some();
        self.did.redacted += usize::from(is_found);
        is_found.then_some(REDACTED)
    }

    fn value(&mut self, place: &Place<'_, '_>) -> Option<&'static str> {
        let paths = &self.content.redact.paths;
        let is_meant = !paths.is_empty() && paths::leads_to(paths, self.root, place);
        self.did.redacted += usize::from(is_meant);
        is_meant.then_some(REDACTED)
    }
}

/// The first `max` bytes, less what would split a character, and how many are missing.
fn cut(text: &str, max: usize) -> String {
    let end = (0..=max)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    let kept = text.get(..end).unwrap_or_default();
    format!("{kept}… [{} bytes cut]", text.len() - end)
}

#[cfg(test)]
mod tests;
