//! What the plugin can be told.

use serde_json::Value;

use crate::bindings::llm_gateway::hooks::types::{Error, Setting, SettingError};

/// Where lines go, and how many bytes of them may wait.
pub struct Settings {
    pub tracking_uri: String,
    pub queue_max_bytes: usize,
}

/// For `describe`. Hosts let a plugin reach the server that `tracking_uri` names, and no other.
pub fn described() -> Vec<Setting> {
    let setting = |key: &str, doc: &str, default: Option<&str>| Setting {
        key: key.to_owned(),
        doc: doc.to_owned(),
        default: default.map(str::to_owned),
        env: None,
        secret: false,
    };
    vec![
        setting("tracking_uri", "Where lines are posted to.", None),
        setting(
            "queue_max_bytes",
            "How many bytes of lines may wait to be sent.",
            Some("8388608"),
        ),
    ]
}

impl Settings {
    /// Refuses what it does not know, by name.
    pub fn parse(json: &str) -> Result<Self, Error> {
        let given: Value = serde_json::from_str(json).unwrap_or_default();
        let Value::Object(given) = given else {
            return Err(refused("settings", "they have to be a JSON object"));
        };
        let (mut tracking_uri, mut queue_max_bytes) = (None, 8 << 20);
        for (key, value) in &given {
            match (key.as_str(), value) {
                ("tracking_uri", Value::String(uri)) if uri.starts_with("http") => {
                    tracking_uri = Some(uri.clone());
                }
                ("tracking_uri", _) => return Err(refused(key, "it has to be an http(s) URL")),
                ("queue_max_bytes", value) => {
                    let bytes = value.as_u64().and_then(|bytes| usize::try_from(bytes).ok());
                    queue_max_bytes =
                        bytes.ok_or_else(|| refused(key, "it has to be a number of bytes"))?;
                }
                _ => return Err(refused(key, "there is no such setting")),
            }
        }
        let missing = || refused("tracking_uri", "it is missing: where should lines go?");
        Ok(Self {
            tracking_uri: tracking_uri.ok_or_else(missing)?,
            queue_max_bytes,
        })
    }
}

fn refused(key: &str, reason: &str) -> Error {
    Error::InvalidSetting(SettingError {
        key: key.to_owned(),
        reason: reason.to_owned(),
    })
}
