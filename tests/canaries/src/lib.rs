//! Canaries: secrets that are made up, one different from the other, in the forms that real ones have.
//!
//! A test plants them wherever a request, a response or a recording could hold a secret, and then looks for them in what
//! was sent, stored and written. Each is known by its [`core`](Canary::core), which nothing else holds. Nothing here is
//! random: the same canaries come on every run.

#![forbid(unsafe_code)]

mod kinds;

use serde_json::{Map, Value};

pub use kinds::KINDS;

/// A secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// What kind it is.
    pub kind: &'static str,
    /// The text that it is planted as.
    pub text: String,
    /// What must not be seen of it.
    pub core: String,
}

/// Members that say what an object is: with another value the rest would not be read.
const TELLING: [&str; 12] = [
    "type",
    "role",
    "object",
    "stream",
    "finish_reason",
    "stop_reason",
    "finishReason",
    "stopReason",
    "event",
    "event_type",
    "method",
    "mimeType",
];

/// Plants canaries, and remembers them.
#[derive(Clone, Debug, Default)]
pub struct Planter {
    /// All that were planted.
    pub planted: Vec<Canary>,
}

impl Planter {
    /// A canary that was not there before.
    pub fn secret(&mut self) -> Canary {
        let canary = kinds::canary(self.planted.len());
        self.planted.push(canary.clone());
        canary
    }

    /// A text with a canary at its end.
    pub fn in_text(&mut self, text: &str) -> String {
        let canary = self.secret();
        format!("{text} {}", canary.text)
    }

    /// Plants a canary in every text of a document, and members that hold nothing else, by name and by value.
    pub fn plant(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.in_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.plant(item)),
            Value::Object(members) => self.plant_members(members),
            _ => {}
        }
    }

    fn plant_members(&mut self, members: &mut Map<String, Value>) {
        for (name, member) in members.iter_mut() {
            if !TELLING.contains(&name.as_str()) && !is_data(member) {
                self.plant(member);
            }
        }
        let named = self.secret();
        members.insert("api_key".to_owned(), Value::from(named.core));
        let listed = self.secret();
        members.insert("Authorization".to_owned(), Value::from(vec![listed.core]));
    }

    /// What of the canaries these bytes hold, each with what is around it.
    pub fn told_by(&self, bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        let told = self.found_in(bytes).into_iter().map(|canary| {
            let at = text.find(&canary.core).unwrap_or(0);
            let around = text
                .char_indices()
                .filter(|(place, _)| place + 80 > at && *place < at + canary.core.len() + 20);
            let around: String = around.map(|(_, character)| character).collect();
            format!("{}: {around:?}", canary.kind)
        });
        told.collect()
    }

    /// What of the canaries these bytes hold.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<&Canary> {
        let text = String::from_utf8_lossy(bytes);
        let planted = self.planted.iter();
        planted
            .filter(|canary| text.contains(&canary.core))
            .collect()
    }
}

/// Base64 and JSON within a text are no longer such with a canary behind.
fn is_data(member: &Value) -> bool {
    member
        .as_str()
        .is_some_and(|text| text.starts_with("data:") || text.starts_with(['{', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn canaries_differ_and_are_found() {
        let mut planter = Planter::default();
        let mut document = json!({"a": ["x", {"b": "y", "type": "z"}], "n": 1});
        planter.plant(&mut document);
        assert_eq!(planter.planted.len(), 6);
        let text = document.to_string();
        assert_eq!(planter.found_in(text.as_bytes()).len(), 6);
        assert_eq!(document["a"][1]["type"], "z");
        let many: Vec<_> = (0..5000).map(|_| planter.secret().core).collect();
        let mut apart = many.clone();
        apart.sort_unstable();
        apart.dedup();
        assert_eq!(apart.len(), many.len());
    }
}
