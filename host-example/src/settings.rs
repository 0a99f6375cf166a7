//! The plugin's settings, gathered from where a host finds them.
//!
//! The command line wins over the file and the file over the environment. Settings that exclude
//! each other are weighed as one: an `experiment_id` of the file is dropped where the command line
//! names an experiment, instead of being refused beside it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use logger_core::settings::excluded;
use serde_json::Value;

use crate::bindings::llm_gateway::hooks::types::Setting;

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An option of the command line.
    Option(&'static str),
    /// A line of a file.
    File(PathBuf, Option<usize>),
    /// An environment variable.
    Environment(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(option) => write!(f, "the option {option}"),
            Self::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
        }
    }
}

/// Settings of one source, by key.
pub type Layer = BTreeMap<String, (Value, Source)>;

/// Settings for a plugin's `configure`. Values are never shown: some are secret.
#[derive(Clone, Default)]
pub struct Settings(Layer);

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = self.0.iter().map(|(key, (_, source))| (key, source));
        f.debug_map().entries(sources).finish()
    }
}

impl Settings {
    /// Puts layers together, the strongest first.
    pub fn merge(layers: impl IntoIterator<Item = Layer>) -> Self {
        let mut merged = Layer::new();
        for layer in layers {
            let settled = excluded(|key| merged.contains_key(key));
            for (key, value) in layer {
                if !settled.contains(&key.as_str()) {
                    merged.entry(key).or_insert(value);
                }
            }
        }
        Self(merged)
    }

    /// The argument of `configure`.
    pub fn to_json(&self) -> String {
        let object = self
            .0
            .iter()
            .map(|(key, (value, _))| (key.clone(), value.clone()));
        Value::Object(object.collect()).to_string()
    }

    /// The value of a setting.
    pub fn value(&self, key: &str) -> Option<&Value> {
        Some(&self.0.get(key)?.0)
    }

    /// The value of a setting that is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.value(key)?.as_str()
    }

    /// The value of a setting that is a number.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.value(key)?.as_u64()
    }

    /// These settings with others before them.
    pub(crate) fn overlaid(&self, stronger: Layer) -> Self {
        Self::merge([stronger, self.0.clone()])
    }

    /// The texts of those that are secret, and name and password as HTTP's basic authentication sends them.
    pub(crate) fn secrets(&self, known: &[Setting]) -> Vec<String> {
        let login = self.text("username").zip(self.text("password"));
        let login =
            login.map(|(name, password)| BASE64_STANDARD.encode(format!("{name}:{password}")));
        let secret = known.iter().filter(|setting| setting.secret);
        let values = secret.filter_map(|setting| Some(&self.0.get(&setting.key)?.0));
        login
            .into_iter()
            .chain(values.flat_map(texts))
            .filter(|text| !text.is_empty())
            .collect()
    }

    /// Where a setting comes from, if it is set.
    pub fn source(&self, key: &str) -> Option<&Source> {
        Some(&self.0.get(key)?.1)
    }
}

/// The texts in a value, its members' names not among them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// The settings that stand in the environment, as the plugin names the variables. Empty variables
/// count as unset.
pub fn environment(settings: &[Setting], variable: impl Fn(&str) -> Option<String>) -> Layer {
    let found = settings.iter().filter_map(|setting| {
        let name = setting.env.as_deref()?;
        let value = variable(name).filter(|value| !value.is_empty())?;
        let source = Source::Environment(name.to_owned());
        Some((setting.key.clone(), (Value::String(value), source)))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(option: &'static str, pairs: &[(&str, &str)]) -> Layer {
        let entry = |(key, value): &(&str, &str)| {
            let value = Value::String((*value).to_owned());
            ((*key).to_owned(), (value, Source::Option(option)))
        };
        pairs.iter().map(entry).collect()
    }

    #[test]
    fn the_stronger_layer_wins_key_by_key() {
        let merged = Settings::merge([
            layer("strong", &[("tracking_uri", "http://a")]),
            layer("weak", &[("tracking_uri", "http://b"), ("run_id", "r")]),
        ]);
        assert_eq!(merged.text("tracking_uri"), Some("http://a"));
        assert_eq!(merged.text("run_id"), Some("r"));
        assert_eq!(merged.source("run_id"), Some(&Source::Option("weak")));
    }

    #[test]
    fn experiments_exclude_each_other_across_layers() {
        let merged = Settings::merge([
            layer("strong", &[("experiment_name", "demo")]),
            layer("weak", &[("experiment_id", "7")]),
            layer("weaker", &[("experiment_name", "other")]),
        ]);
        assert_eq!(merged.to_json(), r#"{"experiment_name":"demo"}"#);
    }

    #[test]
    fn within_a_layer_the_plugin_has_to_judge() {
        let both = layer(
            "file",
            &[("experiment_id", "7"), ("experiment_name", "demo")],
        );
        let merged = Settings::merge([both]);
        assert_eq!(
            merged.to_json(),
            r#"{"experiment_id":"7","experiment_name":"demo"}"#
        );
    }

    #[test]
    fn a_name_and_its_password_may_come_from_two_layers() {
        let merged = Settings::merge([
            layer("file", &[("username", "ann")]),
            layer("env", &[("password", "secret"), ("token", "other")]),
        ]);
        assert_eq!(
            merged.to_json(),
            r#"{"password":"secret","username":"ann"}"#
        );
    }

    #[test]
    fn the_environment_is_read_by_the_names_the_plugin_tells() {
        let setting = |key: &str, env: Option<&str>| Setting {
            key: key.to_owned(),
            doc: String::new(),
            default: None,
            env: env.map(str::to_owned),
            secret: false,
        };
        let settings = [
            setting("tracking_uri", Some("URI")),
            setting("token", Some("EMPTY")),
            setting("run_id", None),
        ];
        let found = environment(&settings, |name| match name {
            "URI" => Some("http://a".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        });
        assert_eq!(
            Settings::merge([found]).to_json(),
            r#"{"tracking_uri":"http://a"}"#
        );
    }

    #[test]
    fn values_are_not_shown() {
        let merged = Settings::merge([layer("file", &[("token", "very-secret")])]);
        let shown = format!("{merged:?}");
        assert!(
            shown.contains("token") && !shown.contains("very-secret"),
            "{shown}"
        );
    }
}
