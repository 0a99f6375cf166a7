//! Reads one table, collecting what is wrong with it instead of ending at the first fault.

use std::str::FromStr;

use toml::{Table, Value};

use super::{Fault, json};
use crate::settings::{Layer, Source};

/// A table while it is read. Keys that nobody asked for are faults in the end.
pub(super) struct Reader<'a> {
    within: String,
    table: &'a Table,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
}

/// A key with the tables before it.
pub(super) fn join(within: &str, key: &str) -> String {
    if within.is_empty() {
        key.to_owned()
    } else {
        format!("{within}.{key}")
    }
}

impl<'a> Reader<'a> {
    pub fn new(within: &str, table: &'a Table) -> Self {
        Self {
            within: within.to_owned(),
            table,
            known: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Something is wrong with a key.
    pub fn fault(&mut self, key: &str, reason: impl Into<String>) {
        self.faults.push(Fault {
            line: None,
            key: join(&self.within, key),
            reason: reason.into(),
        });
    }

    /// All that was wrong, unknown keys included.
    pub fn finish(mut self) -> Vec<Fault> {
        let table = self.table;
        let unknown = table
            .keys()
            .filter(|key| !self.known.contains(&key.as_str()));
        let known = self.known.join("`, `");
        for key in unknown.collect::<Vec<_>>() {
            self.fault(key, format!("unknown key; known here are `{known}`"));
        }
        self.faults
    }

    pub fn text(&mut self, key: &'static str) -> Option<String> {
        match self.get(key)? {
            Value::String(text) => Some(text.clone()),
            other => self.wrong(key, "a string", other),
        }
    }

    pub fn parsed<T: FromStr>(&mut self, key: &'static str, expected: &str) -> Option<T> {
        let value = self.get(key)?;
        let parsed = value.as_str().and_then(|text| text.parse().ok());
        parsed.or_else(|| self.wrong(key, expected, value))
    }

    pub fn count(&mut self, key: &'static str, least: u64) -> Option<u64> {
        let value = self.get(key)?;
        let count = value.as_integer().and_then(|number| number.try_into().ok());
        let count = count.filter(|count| *count >= least);
        count.or_else(|| self.wrong(key, &format!("a whole number from {least}"), value))
    }

    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.get(key)?;
        let truth = value.as_bool();
        truth.or_else(|| self.wrong(key, "true or false", value))
    }

    pub fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Option<T> {
        match self.get(key)? {
            Value::Table(table) => self.within(key, table, read),
            other => self.wrong(key, "a table", other),
        }
    }

    pub fn tables<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&mut Reader<'a>) -> Option<T>,
    ) -> Vec<T> {
        let items = match self.get(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.wrong::<T>(key, &format!("tables, each headed by [[{key}]]"), other);
                return Vec::new();
            }
        };
        let mut read_ones = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let key = join(key, &index.to_string());
            match item {
                Value::Table(table) => read_ones.extend(self.within(&key, table, &read)),
                other => {
                    self.wrong::<T>(&key, "a table", other);
                }
            }
        }
        read_ones
    }

    /// A table of settings, each with where it comes from.
    pub fn layer(&mut self, key: &'static str, source: impl Fn(&str) -> Source) -> Layer {
        let table = match self.get(key) {
            None => return Layer::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                self.wrong::<()>(key, "a table", other);
                return Layer::new();
            }
        };
        let mut layer = Layer::new();
        for (name, value) in table {
            let path = join(key, name);
            match json(value) {
                Ok(value) => {
                    layer.insert(name.clone(), (value, source(&path)));
                }
                Err(reason) => self.fault(&path, reason),
            }
        }
        layer
    }

    /// Says so where a key is missing. One that is there but wrong has been told already.
    pub fn required<T>(&mut self, key: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.table.contains_key(key) {
            self.fault(key, "is missing");
        }
        value
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.table.get(key)
    }

    fn within<T>(
        &mut self,
        key: &str,
        table: &'a Table,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Option<T> {
        let mut reader = Reader::new(&join(&self.within, key), table);
        let value = read(&mut reader);
        self.faults.extend(reader.finish());
        value
    }

    fn wrong<T>(&mut self, key: &str, expected: &str, found: &Value) -> Option<T> {
        let found = match found {
            // Nothing secret stands outside of [logger], which is the plugin's to judge.
            Value::String(text) => format!("{text:?}"),
            other => format!("a value of type {}", other.type_str()),
        };
        self.fault(key, format!("expected {expected}, found {found}"));
        None
    }
}
