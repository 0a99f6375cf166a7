//! Header fields: what they say of the body, of the trace, and what of them may be shown.

use std::borrow::Cow;

use super::inflate::Encoding;
use crate::credentials::is_telling;
use crate::event::{CallStart, Context};
use crate::json::{self, Raw};

/// Header fields: names in any case, values as sent.
pub(super) type Fields<'h> = [(&'h str, &'h [u8])];

/// The value of a field, if it is there and says something.
pub(super) fn value<'h>(fields: &Fields<'h>, name: &str) -> Option<Cow<'h, str>> {
    let found = fields
        .iter()
        .find(|(field, _)| field.eq_ignore_ascii_case(name));
    let value = String::from_utf8_lossy(found?.1);
    let trimmed = match value {
        Cow::Borrowed(value) => Cow::Borrowed(value.trim()),
        Cow::Owned(value) => Cow::Owned(value.trim().to_owned()),
    };
    (!trimmed.is_empty()).then_some(trimmed)
}

/// What the fields say of the body.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// The media type, in lower case, without parameters.
    pub media_type: String,
    /// What separates the parts of a multipart body.
    pub boundary: Option<String>,
    /// How it is encoded.
    pub encoding: Option<Encoding>,
}

impl Content {
    /// Reads `content-type` and `content-encoding`.
    pub fn of(fields: &Fields<'_>) -> Self {
        let kind = value(fields, "content-type").unwrap_or_default();
        let mut parts = kind.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let boundary = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let is_boundary = name.trim().eq_ignore_ascii_case("boundary");
            is_boundary.then(|| value.trim().trim_matches('"').to_owned())
        });
        let encoding = value(fields, "content-encoding");
        Self {
            media_type,
            boundary: boundary.filter(|boundary| !boundary.is_empty()),
            encoding: encoding.and_then(|encoding| Encoding::parse(&encoding)),
        }
    }
}

/// Header fields as a JSON object, without those that carry credentials.
pub(super) fn json(fields: &Fields<'_>) -> String {
    let mut object = b"{".to_vec();
    for (name, value) in fields {
        if is_telling(name) {
            continue;
        }
        let name = name.to_lowercase();
        if object.len() > 1 {
            object.push(b',');
        }
        json::write_str(&name, &mut object);
        object.push(b':');
        json::write_str(&String::from_utf8_lossy(value), &mut object);
    }
    object.push(b'}');
    String::from_utf8(object).unwrap_or_default()
}

/// What header fields say of the trace: our own, those of litellm's proxy and of Helicone, and W3C
/// Trace Context and Baggage.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told<'h> {
    /// `traceparent`
    pub traceparent: Option<Cow<'h, str>>,
    /// The session.
    pub session: Option<Cow<'h, str>>,
    /// The user.
    pub user: Option<Cow<'h, str>>,
    /// The experiment's name.
    pub experiment: Option<Cow<'h, str>>,
    /// The client's own id of the call.
    pub call_id: Option<Cow<'h, str>>,
    /// Tags; the last of a key counts.
    pub tags: Vec<(String, String)>,
}

impl<'h> Told<'h> {
    /// Reads the fields. The first name that says something counts.
    pub fn by(fields: &Fields<'h>) -> Self {
        let first = |names: &[&str]| names.iter().find_map(|name| value(fields, name));
        // Baggage may come in several fields, and its keys are nobody's standard.
        let baggage = fields
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("baggage"))
            .map(|(_, value)| String::from_utf8_lossy(value));
        let baggage = baggage.collect::<Vec<_>>().join(",");
        let carried = |keys: &[&str]| {
            let mut values = keys.iter().filter_map(|key| baggage_entry(&baggage, key));
            values.next().map(Cow::Owned)
        };
        let mut tags = Vec::new();
        for (name, value) in fields {
            let property = name.to_lowercase();
            if let Some(key) = property.strip_prefix("helicone-property-") {
                // The case of the key is the client's.
                let key = name.get(name.len() - key.len()..).unwrap_or(key);
                tags.push((
                    key.to_owned(),
                    String::from_utf8_lossy(value).trim().to_owned(),
                ));
            }
        }
        for name in ["x-litellm-tags", "x-mlflow-tags"] {
            tags.extend(
                value(fields, name)
                    .as_deref()
                    .map(read_tags)
                    .unwrap_or_default(),
            );
        }
        Self {
            traceparent: first(&["traceparent"]),
            session: first(&[
                "x-mlflow-session",
                "x-litellm-session-id",
                "x-litellm-trace-id",
                "helicone-session-id",
            ])
            .or_else(|| carried(&["session.id", "session_id"])),
            user: first(&[
                "x-mlflow-user",
                "x-litellm-end-user-id",
                "x-litellm-customer-id",
                "helicone-user-id",
            ])
            .or_else(|| carried(&["user.id", "user_id", "enduser.id"])),
            experiment: first(&["x-mlflow-experiment"]),
            call_id: first(&["x-litellm-call-id", "helicone-request-id"]),
            tags,
        }
    }

    /// What the host says, and else what the fields say.
    pub fn beneath<'c>(&'c self, start: &CallStart<'c>) -> Context<'c> {
        let host = &start.context;
        let mut tags: Vec<_> = self
            .tags
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        tags.extend(host.tags.iter().copied());
        Context {
            traceparent: host.traceparent.or(self.traceparent.as_deref()),
            session: host.session.or(self.session.as_deref()),
            user: host.user.or(self.user.as_deref()),
            experiment: host.experiment.or(self.experiment.as_deref()),
            tags,
        }
    }
}

/// Tags as a JSON object or list, or as `key:value,key:value`, each split at its first colon.
fn read_tags(text: &str) -> Vec<(String, String)> {
    let scalar = |raw: Raw<'_>| {
        raw.as_str()
            .unwrap_or(Cow::Borrowed(raw.text()))
            .into_owned()
    };
    match Raw::parse(text) {
        Ok(raw) if raw.text().starts_with('{') => {
            let entries = raw.entries();
            entries
                .map(|(key, value)| (key.into_owned(), scalar(value)))
                .collect()
        }
        Ok(raw) if raw.text().starts_with('[') => {
            raw.items().map(|item| split_tag(&scalar(item))).collect()
        }
        _ => {
            let tags = text.split(',').filter(|tag| !tag.trim().is_empty());
            tags.map(split_tag).collect()
        }
    }
}

/// A tag, split at its first colon.
pub(super) fn split_tag(tag: &str) -> (String, String) {
    let (key, value) = tag.split_once(':').unwrap_or((tag, ""));
    (key.trim().to_owned(), value.trim().to_owned())
}

/// The value of a key in W3C Baggage, section 3.3: `key=value;property,key=value`, percent-encoded.
fn baggage_entry(baggage: &str, key: &str) -> Option<String> {
    let value = baggage.split(',').find_map(|entry| {
        let entry = entry.split(';').next().unwrap_or_default();
        let (name, value) = entry.split_once('=')?;
        (name.trim() == key).then_some(value.trim())
    })?;
    let value = percent_decoded(value);
    (!value.is_empty()).then_some(value)
}

/// The text that percent-encoding stands for; what is no encoding stays.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = tail.get(..2).filter(|_| *first == b'%');
        let digits = escape.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests;
