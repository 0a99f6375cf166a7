//! Transcripts with other contents: every JSON in them goes through a function.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::{Transcript, Unreadable, aws, unreadable};

impl Transcript {
    /// The same call with other contents: `edit` gets the request's body, and every JSON of the response.
    pub fn edited(&self, edit: &mut dyn FnMut(&mut Value)) -> Result<Self, Unreadable> {
        let mut edited = self.clone();
        let body = &mut edited.about["request"]["body"];
        if !body.is_null() {
            edit(body);
        }
        let file = self.path.join(format!("response.{}", self.kind));
        match self.kind.as_str() {
            "json" => {
                let mut body = json(&self.body()).map_err(|error| unreadable(&file, error))?;
                edit(&mut body);
                edited.parts = vec![body.to_string().into_bytes()];
            }
            "sse" | "ndjson" => {
                edited
                    .parts
                    .iter_mut()
                    .for_each(|part| *part = lines(part, edit));
            }
            "events.json" => {
                let events = std::fs::read(&file).map_err(|error| unreadable(&file, error))?;
                let mut events: Vec<Value> =
                    serde_json::from_slice(&events).map_err(|error| unreadable(&file, error))?;
                events
                    .iter_mut()
                    .for_each(|event| payload(&mut event["payload"], edit));
                edited.parts = events.iter().map(aws::message).collect();
            }
            _ => {}
        }
        Ok(edited)
    }
}

fn json(bytes: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(bytes)
}

/// Lines of JSON, with or without `data:` before them.
fn lines(part: &[u8], edit: &mut dyn FnMut(&mut Value)) -> Vec<u8> {
    let text = String::from_utf8_lossy(part);
    let lines = text.split_inclusive('\n').map(|line| {
        let (field, rest) = line.split_at(line.find('{').unwrap_or(0));
        match serde_json::from_str::<Value>(rest.trim_end()) {
            Ok(mut value) if value.is_object() => {
                edit(&mut value);
                let end = &rest[rest.trim_end().len()..];
                format!("{field}{value}{end}")
            }
            _ => line.to_owned(),
        }
    });
    lines.collect::<String>().into_bytes()
}

/// The payload of an AWS event: JSON, or JSON in Base64 as `bytes`.
fn payload(payload: &mut Value, edit: &mut dyn FnMut(&mut Value)) {
    let inner = payload["bytes"]
        .as_str()
        .and_then(|inner| STANDARD.decode(inner).ok());
    match inner.and_then(|inner| json(&inner).ok()) {
        Some(mut inner) => {
            edit(&mut inner);
            payload["bytes"] = Value::from(STANDARD.encode(inner.to_string()));
        }
        None => edit(payload),
    }
}
