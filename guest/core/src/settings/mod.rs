//! The settings of `configure`: one table, from which reading, defaults and documentation come.
//!
//! A setting is a field of one of the groups and an entry of that group's table; the test at
//! the end of this file fails where an entry lacks its documentation or its default does not read.

mod content;
mod delivery;
mod meant;
mod prices;
mod proxy;
mod read;
mod redaction;
pub mod routes;
mod server;

pub use content::{Capture, Content, Media, ParentMode};
pub use delivery::Delivery;
pub use proxy::{Proxy, Upstream};
pub use redaction::Redaction;
pub use server::{Credentials, Experiment, Protocol, Server};

use crate::json::{Kind, Raw};
use crate::prices::Prices;

/// All settings, valid together.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where the traces go.
    pub server: Server,
    /// How they get there.
    pub delivery: Delivery,
    /// What is in them.
    pub content: Content,
    /// Which go to which experiment.
    pub routes: Vec<routes::Route>,
    /// Which of them clients may ask for.
    pub clients: routes::Clients,
    /// What models cost.
    pub prices: Prices,
    /// What only a proxy is told.
    pub proxy: Proxy,
}

/// What is to know of one setting.
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// What it does, its unit and its values; Markdown.
    pub doc: &'static str,
    /// The value it has when left out, as JSON.
    pub default: Option<&'static str>,
    /// The environment variable that hosts take it from when it is left out.
    pub env: Option<&'static str>,
    /// Whether its value is to be kept out of logs and listings.
    pub secret: bool,
    /// Reads a value that is not null; the error says what was expected.
    apply: fn(&mut Settings, Raw<'_>) -> Result<(), String>,
}

impl Setting {
    /// A setting without default, environment variable or secrecy.
    const fn new(
        key: &'static str,
        doc: &'static str,
        apply: fn(&mut Settings, Raw<'_>) -> Result<(), String>,
    ) -> Self {
        Self {
            key,
            doc,
            default: None,
            env: None,
            secret: false,
            apply,
        }
    }

    const fn default(mut self, json: &'static str) -> Self {
        self.default = Some(json);
        self
    }

    const fn env(mut self, variable: &'static str) -> Self {
        self.env = Some(variable);
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// A setting that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {reason}")]
pub struct SettingError {
    /// Its key; empty where the settings as a whole are no JSON object.
    pub key: String,
    /// What is wrong and how to mend it. Never holds a secret setting's value.
    pub reason: String,
}

impl SettingError {
    fn new(key: &str, reason: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            reason: reason.into(),
        }
    }
}

/// Every setting, in the order of the documentation.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    [
        server::TABLE,
        routes::TABLE,
        delivery::TABLE,
        content::TABLE,
        prices::TABLE,
    ]
    .into_iter()
    .flatten()
}

/// Every setting of a proxy, those of all hosts first.
pub fn of_proxy() -> impl Iterator<Item = &'static Setting> {
    all().chain(proxy::TABLE)
}

/// Alternatives: of each line, settings of one side only are used.
const ALTERNATIVES: [[&[&str]; 2]; 2] = [
    [&["experiment_name"], &["experiment_id"]],
    [&["token"], &["username", "password"]],
];

/// The settings that weaker sources, such as the environment, can no longer set, where these are set.
pub fn excluded(is_set: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let set = |side: &[&str]| side.iter().any(|key| is_set(key));
    let mut excluded = Vec::new();
    for [one, other] in ALTERNATIVES {
        if set(one) {
            excluded.extend(other);
        }
        if set(other) {
            excluded.extend(one);
        }
    }
    excluded
}

impl Settings {
    /// Reads settings from a JSON object. Null is as good as left out.
    pub fn parse(text: &str) -> Result<Self, SettingError> {
        Self::read(text, &[], Vec::from_iter(all()), |_| None)
    }

    /// The same; what is left out is taken from variables, as of an environment.
    pub fn parse_with(
        text: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingError> {
        Self::read(text, &[], Vec::from_iter(all()), variable)
    }

    /// Reads the settings of a proxy. What is left out is taken from the environment, where that has it.
    pub fn parse_for_proxy(
        text: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingError> {
        Self::read(text, &proxy::DEFAULTS, Vec::from_iter(of_proxy()), variable)
    }

    /// Reads settings that are among these; `defaults` go before the defaults of their own.
    fn read(
        text: &str,
        defaults: &[(&str, &str)],
        known: Vec<&'static Setting>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingError> {
        let given = Raw::parse(text)
            .map_err(|error| SettingError::new("", format!("not JSON: {error}")))?;
        if given.kind() != Kind::Object {
            let found = given.kind().name();
            let reason = format!("the settings have to be a JSON object, found {found}");
            return Err(SettingError::new("", reason));
        }
        let mut settings = Self::default();
        for setting in &known {
            let other = defaults.iter().find(|(key, _)| *key == setting.key);
            let default = other.map(|(_, json)| *json).or(setting.default);
            if let Some(default) = default.and_then(|json| Raw::parse(json).ok()) {
                settings.apply(setting, default)?;
            }
        }
        let is_set = |key: &str| given.get(key).is_some_and(|value| !value.is_null());
        let settled = excluded(is_set);
        for setting in &known {
            let unset = !is_set(setting.key) && !settled.contains(&setting.key);
            let found = setting.env.filter(|_| unset).and_then(&variable);
            if let Some(value) = found.filter(|value| !value.is_empty()) {
                let value = crate::json::Node::text(&value).json();
                if let Ok(value) = Raw::parse(&value) {
                    settings.apply(setting, value)?;
                }
            }
        }
        for (key, value) in given.entries() {
            let setting = known
                .iter()
                .find(|setting| setting.key == key.as_ref())
                .ok_or_else(|| unknown(&key, &known))?;
            if !value.is_null() {
                settings.apply(setting, value)?;
            }
        }
        settings.server.validate()?;
        Ok(settings)
    }

    fn apply(&mut self, setting: &Setting, value: Raw<'_>) -> Result<(), SettingError> {
        (setting.apply)(self, value).map_err(|reason| SettingError::new(setting.key, reason))
    }
}

fn unknown(key: &str, known: &[&'static Setting]) -> SettingError {
    let keys: Vec<_> = known.iter().map(|setting| setting.key).collect();
    let reason = match meant::meant(key, keys.iter().copied()) {
        Some(key) => format!("unknown setting; did you mean `{key}`?"),
        None => format!("unknown setting; the settings are {}", keys.join(", ")),
    };
    SettingError::new(key, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = r#"{"tracking_uri":"http://127.0.0.1:5000""#;

    fn parse(rest: &str) -> Result<Settings, SettingError> {
        Settings::parse(&format!("{URI}{rest}}}"))
    }

    #[test]
    fn every_setting_is_documented_and_its_default_reads() {
        for setting in of_proxy() {
            assert!(setting.doc.len() > 20, "{} has no doc", setting.key);
            if let Some(default) = setting.default {
                let value = Raw::parse(default).unwrap();
                let read = (setting.apply)(&mut Settings::default(), value);
                assert_eq!(read, Ok(()), "{}", setting.key);
            }
        }
        let mut keys: Vec<_> = of_proxy().map(|setting| setting.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), of_proxy().count());
    }

    #[test]
    fn every_setting_refuses_what_it_cannot_be() {
        for setting in all() {
            let refused = ["[[1]]", "-1.5", r#"{"x":{}}"#].iter().any(|value| {
                let error = Settings::parse(&format!("{{\"{}\":{value}}}", setting.key));
                matches!(error, Err(SettingError { key, .. }) if key == setting.key)
            });
            assert!(refused, "{}", setting.key);
        }
    }

    #[test]
    fn unknown_keys_are_named() {
        let error = parse(r#","experiment-name":"x""#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`experiment-name`: unknown setting; did you mean `experiment_name`?"
        );
        let error = parse(r#","tokn":"x""#).unwrap_err();
        assert_eq!(error.reason, "unknown setting; did you mean `token`?");
        assert!(
            parse(",\"zzz\":1")
                .unwrap_err()
                .reason
                .contains("batch_max_spans")
        );
        assert!(
            Settings::parse("[]")
                .unwrap_err()
                .reason
                .contains("an array")
        );
        assert!(
            Settings::parse("{")
                .unwrap_err()
                .reason
                .starts_with("not JSON")
        );
    }

    #[test]
    fn null_is_left_out() {
        let settings = parse(r#","token":null,"timeout_ms":null"#).unwrap();
        assert_eq!(settings.delivery.timeout.as_millis(), 30_000);
    }

    #[test]
    fn secrets_are_not_told() {
        for bad in [r#","token":"a\nhunter2""#, r#","password":["hunter2"]"#] {
            let error = parse(bad).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let settings = parse(r#","token":"hunter2","headers":{"x-key":"hunter2"}"#).unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
