//! Bodies and header fields as JSON.

use crate::json::{self, Raw};

/// A body as far as it is kept.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// What the `content-type` says, without parameters.
    pub media_type: String,
    /// What is kept.
    pub bytes: Vec<u8>,
    /// How many more there were than are kept.
    pub missing: usize,
}

impl Body {
    /// The body as one JSON value: JSON as it is, server-sent events as the list of their data, other
    /// text as a string, anything else described.
    pub fn json(&self) -> String {
        if self.bytes.is_empty() && self.missing == 0 {
            return "null".to_owned();
        }
        let Ok(text) = std::str::from_utf8(&self.bytes) else {
            let mut described = b"{\"media_type\":".to_vec();
            json::write_str(&self.media_type, &mut described);
            let size = self.bytes.len() + self.missing;
            described.extend_from_slice(format!(",\"bytes\":{size}}}").as_bytes());
            return String::from_utf8(described).unwrap_or_default();
        };
        if self.media_type == "text/event-stream" {
            return events(text);
        }
        match Raw::parse(text) {
            Ok(raw) => raw.text().to_owned(),
            Err(_) => quoted(text),
        }
    }
}

/// The data of server-sent events, as a JSON list: HTML standard, "Server-sent events".
fn events(text: &str) -> String {
    let mut data = Vec::new();
    for line in text.lines() {
        let Some(value) = line.strip_prefix("data:") else {
            continue;
        };
        let value = value.trim();
        if value != "[DONE]" {
            data.push(match Raw::parse(value) {
                Ok(raw) => raw.text().to_owned(),
                Err(_) => quoted(value),
            });
        }
    }
    format!("[{}]", data.join(","))
}

fn quoted(text: &str) -> String {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    json::write_str(text, &mut quoted);
    String::from_utf8(quoted).unwrap_or_default()
}

/// The media type that header fields tell, in lower case.
pub(super) fn media_type(headers: &[(&str, &[u8])]) -> String {
    let value = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .map(|(_, value)| String::from_utf8_lossy(value).to_lowercase())
        .unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().to_owned()
}

/// Header fields as a JSON object, without those that carry credentials.
pub(super) fn headers(headers: &[(&str, &[u8])]) -> String {
    const TELLING: [&str; 6] = ["auth", "cookie", "key", "secret", "signature", "token"];
    let mut object = b"{".to_vec();
    for (name, value) in headers {
        let name = name.to_lowercase();
        if TELLING.iter().any(|telling| name.contains(telling)) {
            continue;
        }
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
