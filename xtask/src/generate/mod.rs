//! `cargo xtask generate`: the documents that are made from the code.
//!
//! They are committed, so that they can be read without building anything; a test fails where one is not what
//! the code says.

mod settings;
mod wit;

use std::fs;

use anyhow::Result;
use e2e::paths;

/// The documents: each with its path in the checkout, and what has to stand there.
fn documents() -> Result<[(&'static str, String); 2]> {
    Ok([
        ("docs/settings.md", settings::document()?),
        ("docs/wit.md", wit::document()?),
    ])
}

/// Writes all of them.
pub fn run() -> Result<()> {
    for (path, text) in documents()? {
        fs::write(paths::root().join(path), text)?;
        println!("{path}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_what_the_code_says() {
        for (path, text) in documents().unwrap() {
            let held = fs::read_to_string(paths::root().join(path)).unwrap_or_default();
            assert!(
                held == text,
                "{path} is stale: run `cargo xtask generate` and commit what it writes"
            );
        }
    }
}
