//! What the pages say in passing: links lead somewhere, settings are known, files are there.

use std::path::Path;

use e2e::{Gateway, paths, snippets};
use logger_core::settings;
use serde_json::Value;

/// The pages about hosts.
const PAGES: [&str; 8] = [
    "README.md",
    "docs/envoy.md",
    "docs/gateway.md",
    "docs/node.md",
    "docs/rust.md",
    "docs/settings.md",
    "docs/wasmtime-serve.md",
    "docs/write-your-own-plugin.md",
];

/// The targets of a page's links that are files.
fn links(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(paths::root().join(page)).unwrap();
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let files = targets.filter(|target| !target.starts_with("http") && !target.starts_with('#'));
    files
        .map(|target| target.split('#').next().unwrap().to_owned())
        .collect()
}

#[test]
fn links_lead_to_files_that_are_there() {
    for page in PAGES {
        let folder = Path::new(page).parent().unwrap();
        for link in links(page) {
            let path = paths::root().join(folder).join(&link);
            assert!(path.exists(), "{page}: {link}");
        }
    }
}

/// The `logger` object of each JSON snippet, and what JSON stands in the environment of others.
fn loggers(page: &str) -> Vec<Value> {
    let snippets = snippets::of(page).unwrap().into_iter();
    let json = snippets.filter(|snippet| snippet.language == "json");
    let parsed = json.map(|snippet| serde_json::from_str::<Value>(&snippet.text).unwrap());
    parsed
        .filter_map(|value| value.get("logger").cloned())
        .collect()
}

#[test]
fn settings_in_snippets_are_taken() {
    let mut found = 0;
    for page in PAGES {
        for logger in loggers(page) {
            let taken = settings::Settings::parse(&logger.to_string());
            assert!(taken.is_ok(), "{page}: {taken:?}");
            found += 1;
        }
    }
    assert!(found > 0);
}

#[test]
fn the_gateways_example_is_what_its_page_checks() {
    let gateway = Gateway::find().unwrap();
    let console = snippets::find("docs/gateway.md", "console", "check").unwrap();
    let check = snippets::commands(&console)
        .into_iter()
        .find(|command| command.contains(" check "));
    let words: Vec<_> = check
        .as_deref()
        .unwrap()
        .split(' ')
        .skip(1)
        .map(str::to_owned)
        .collect();
    let mut command = gateway.command(words.iter().map(String::as_str));
    let output = command.current_dir(paths::root()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
