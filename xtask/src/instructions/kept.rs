//! The counts that are kept.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// How much a count may rise, in percent.
const RISE: u64 = 3;

const HEAD: &str = "\
# What the core's hot paths take, a run each: instructions of its own code, and what it allocates. A count that rises by more
# than 3 % fails `cargo xtask test`; `cargo xtask bench --update-instructions` writes this file anew.
";

/// The file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Kept {
    /// The compiler whose code was counted, as it calls itself.
    pub compiler: String,
    /// The counts of each case.
    #[serde(flatten)]
    pub counts: BTreeMap<String, Counts>,
}

/// What one run of a path takes.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Instructions of the core's own code.
    pub instructions: u64,
    /// How often it allocates.
    pub allocations: u64,
    /// How many bytes.
    pub allocated_bytes: u64,
}

impl Kept {
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file);
        let text = text.with_context(|| format!("cannot read {}", file.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is damaged", file.display()))
    }

    pub fn write(&self, file: &Path) -> Result<()> {
        let text = format!("{HEAD}\n{self}");
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// An error where a count has risen too far.
    pub fn compare(&self, name: &str, counted: Counts) -> Result<()> {
        let update = "`cargo xtask bench --update-instructions`";
        let Some(kept) = self.counts.get(name) else {
            bail!("tests/instructions.toml has no counts of it: {update} writes them");
        };
        let risen = [
            ("instructions", kept.instructions, counted.instructions),
            ("allocations", kept.allocations, counted.allocations),
            (
                "allocated bytes",
                kept.allocated_bytes,
                counted.allocated_bytes,
            ),
        ];
        let risen = risen
            .into_iter()
            .filter(|(_, kept, counted)| counted * 100 > kept * (100 + RISE));
        let told = risen.map(|(what, kept, counted)| {
            let percent = (counted as f64 / kept as f64 - 1.0) * 100.0;
            format!("{counted} {what} instead of {kept} (+{percent:.1} %)")
        });
        let told = told.collect::<Vec<_>>().join(", ");
        if !told.is_empty() {
            bail!("it takes {told}; where that is worth it, {update} keeps the new counts");
        }
        Ok(())
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&toml::to_string(self).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Counts = Counts {
        instructions: 1000,
        allocations: 20,
        allocated_bytes: 500,
    };

    fn kept() -> Kept {
        Kept {
            compiler: "rustc 1".to_owned(),
            counts: BTreeMap::from([("path".to_owned(), COUNTS)]),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("counts.toml");
        kept().write(&file).unwrap();
        assert_eq!(Kept::read(&file).unwrap(), kept());
    }

    #[test]
    fn three_percent_more_pass_and_four_do_not() {
        let with = |instructions| {
            kept().compare(
                "path",
                Counts {
                    instructions,
                    ..COUNTS
                },
            )
        };
        assert!(with(900).is_ok());
        assert!(with(1030).is_ok());
        let error = with(1031).unwrap_err().to_string();
        assert!(
            error.contains("1031 instructions instead of 1000 (+3.1 %)"),
            "{error}"
        );
        let more = Counts {
            allocations: 21,
            ..COUNTS
        };
        assert!(kept().compare("path", more).is_err());
        assert!(kept().compare("another", COUNTS).is_err());
    }
}
