//! The gateway's configuration file.
//!
//! All that is wrong is told at once, each with its line: a file that is mended error by error
//! takes as many runs as it has errors.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use toml::Table;
use toml::de::{DeTable, DeValue};

mod gateway;
mod logger;
mod read;
mod spool;

pub use gateway::{Limits, Metrics, Queue, Upstream};
pub use spool::{DeadLetter, Spool};

use crate::settings::{Layer, Source};
use read::Reader;

/// What a configuration file says.
#[derive(Debug)]
pub struct Config {
    /// Where the gateway listens.
    pub listen: Option<SocketAddr>,
    /// Where metrics and health are served.
    pub metrics: Option<Metrics>,
    /// Where requests are forwarded.
    pub upstreams: Vec<Upstream>,
    /// Settings of the plugin; the plugin knows what they mean.
    pub logger: Layer,
    /// Where events are kept until they are delivered.
    pub spool: Option<Spool>,
    /// Where events are kept that cannot be delivered.
    pub dead_letter: DeadLetter,
    /// What a call may take.
    pub limits: Limits,
    /// What is waiting to be logged.
    pub queue: Queue,
    /// How long calls under way, and then their logging, may take when the gateway ends.
    pub drain_timeout: Duration,
}

/// Something wrong in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, where it is known.
    pub line: Option<usize>,
    /// The key with its tables, such as `metrics.listen`; empty where the file is no TOML.
    pub key: String,
    /// What is wrong and how to mend it.
    pub reason: String,
}

/// A configuration file that cannot be used.
#[derive(Debug)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// All that is wrong.
    pub faults: Vec<Fault>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:", self.path.display())?;
            if let Some(line) = fault.line {
                write!(f, "{line}:")?;
            }
            if !fault.key.is_empty() {
                write!(f, " `{}`:", fault.key)?;
            }
            write!(f, " {}", fault.reason)?;
        }
        Ok(())
    }
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let faulty = |faults| ConfigError {
            path: path.to_owned(),
            faults,
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            faulty(vec![Fault {
                line: None,
                key: String::new(),
                reason: format!("cannot be read: {error}"),
            }])
        })?;
        Self::parse(&text, path).map_err(faulty)
    }

    /// Checks a file's text; `path` is where its settings will be said to come from.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Vec<Fault>> {
        let table: Table = text.parse().map_err(|error| vec![no_toml(text, &error)])?;
        let lines = Lines::of(text);
        let mut root = Reader::new("", &table);
        let config = Self {
            listen: root.parsed("listen", "an address and port, such as \"127.0.0.1:8080\""),
            drain_timeout: gateway::drain_timeout(&mut root),
            metrics: root.table("metrics", gateway::metrics),
            limits: root.table("limits", gateway::limits).unwrap_or_default(),
            queue: root.table("queue", gateway::queue).unwrap_or_default(),
            upstreams: root.tables("upstream", gateway::upstream),
            logger: logger::logger(&mut root, |key| {
                Source::File(path.to_owned(), lines.of_key(key))
            }),
            spool: root.table("spool", spool::spool),
            dead_letter: root
                .table("dead_letter", spool::dead_letter)
                .unwrap_or_default(),
        };
        let mut faults = root.finish();
        faults.extend(gateway::repeated_prefixes(&config.upstreams));
        for fault in &mut faults {
            fault.line = lines.of_key(&fault.key);
        }
        faults.sort_by_key(|fault| fault.line);
        if faults.is_empty() {
            Ok(config)
        } else {
            Err(faults)
        }
    }
}

fn no_toml(text: &str, error: &toml::de::Error) -> Fault {
    Fault {
        line: error.span().map(|span| line_at(text, span.start)),
        key: String::new(),
        reason: format!("no valid TOML: {}", error.message()),
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + memchr::memchr_iter(b'\n', before).count()
}

/// The line of each key, under its name with the tables before it.
#[derive(Default)]
struct Lines(BTreeMap<String, usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let mut lines = Self::default();
        if let Ok(table) = DeTable::parse(text) {
            lines.add_table(text, "", table.get_ref());
        }
        lines
    }

    fn add_table(&mut self, text: &str, within: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = read::join(within, key.get_ref());
            self.0.insert(path.clone(), line_at(text, key.span().start));
            self.add_value(text, &path, value.get_ref());
        }
    }

    fn add_value(&mut self, text: &str, path: &str, value: &DeValue<'_>) {
        match value {
            DeValue::Table(table) => self.add_table(text, path, table),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = read::join(path, &index.to_string());
                    self.0
                        .insert(path.clone(), line_at(text, item.span().start));
                    self.add_value(text, &path, item.get_ref());
                }
            }
            _ => {}
        }
    }

    /// The key's line, else that of the nearest table around it.
    fn of_key(&self, key: &str) -> Option<usize> {
        let mut key = key;
        loop {
            if let Some(line) = self.0.get(key) {
                return Some(*line);
            }
            key = key.rsplit_once('.')?.0;
        }
    }
}

/// A TOML value as JSON; dates have no place there.
fn json(value: &toml::Value) -> Result<Value, &'static str> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text.clone()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => serde_json::Number::from_f64(*number)
            .map(Value::Number)
            .ok_or("has to be a finite number")?,
        toml::Value::Boolean(truth) => Value::Bool(*truth),
        toml::Value::Datetime(_) => return Err("cannot be a date; put it in quotes"),
        toml::Value::Array(items) => items.iter().map(json).collect::<Result<_, _>>()?,
        toml::Value::Table(table) => {
            let members = table
                .iter()
                .map(|(key, value)| Ok((key.clone(), json(value)?)));
            Value::Object(members.collect::<Result<_, &'static str>>()?)
        }
    })
}

#[cfg(test)]
mod tests;
