//! The snippets of the documentation, so that tests run what people copy.

use anyhow::{Context, Result};

use crate::paths;

/// A block of code in a page.
#[derive(Clone, Debug)]
pub struct Snippet {
    /// Its language, as the fence says it.
    pub language: String,
    /// The code.
    pub text: String,
}

/// The snippets of a page of the checkout, in order.
pub fn of(page: &str) -> Result<Vec<Snippet>> {
    let path = paths::root().join(page);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let mut snippets = Vec::new();
    let mut open: Option<Snippet> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                let (language, text) = (language.trim().to_owned(), String::new());
                open = Some(Snippet { language, text });
            }
            (Some(_), Some(_)) => snippets.extend(open.take()),
            (None, Some(snippet)) => {
                snippet.text.push_str(line);
                snippet.text.push('\n');
            }
            (None, None) => {}
        }
    }
    Ok(snippets)
}

/// The first snippet of a page in this language that holds these words.
pub fn find(page: &str, language: &str, words: &str) -> Result<String> {
    let mut snippets = of(page)?.into_iter();
    let found =
        snippets.find(|snippet| snippet.language == language && snippet.text.contains(words));
    let found =
        found.with_context(|| format!("{page} has no snippet in {language} with {words:?}"))?;
    Ok(found.text)
}

/// The commands of a console snippet: lines after a `$`, those that end in a backslash with the next.
pub fn commands(console: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut open = None;
    for line in console.lines() {
        let line = match (&mut open, line.strip_prefix("$ ")) {
            (None, Some(line)) => line,
            (Some(_), _) => line.trim_start(),
            (None, None) => continue,
        };
        let command = open.take().unwrap_or_else(String::new);
        match line.strip_suffix('\\') {
            Some(first) => open = Some(command + first),
            None => commands.push(command + line),
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_go_on_after_a_backslash() {
        let console = "$ one \\\n    two\nsaid\n$ three\n";
        assert_eq!(commands(console), ["one two", "three"]);
    }

    #[test]
    fn the_readme_has_snippets_in_several_languages() {
        let console = find("README.md", "console", "cargo xtask demo").unwrap();
        assert_eq!(commands(&console), ["cargo xtask demo"]);
        assert!(
            find("README.md", "toml", "[logger]")
                .unwrap()
                .contains("tracking_uri")
        );
    }
}
