//! `docs/troubleshooting.md` quotes what programs say: each text has to be one that they can say.

use std::fs;
use std::path::Path;

use e2e::paths;

/// What speaks to people.
const SOURCES: [&str; 4] = [
    "guest/core/src",
    "guest/component/src",
    "guest/proxy-wasm/src",
    "host-example/src",
];

/// The lines of the blocks that quote: between fences with the word `text`.
fn quotes(document: &str) -> Vec<&str> {
    let blocks = document.split("```text\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap_or_default());
    blocks.flat_map(str::lines).collect()
}

/// A source file's texts as they are said: lines put together, quotes without what escapes them.
fn said(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let mut joined = String::new();
    let mut pieces = text.split("\\\n");
    joined.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        joined.push_str(piece.trim_start());
    }
    joined.replace("\\\"", "\"")
}

fn sources(directory: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(said(&path));
        }
    }
}

/// Whether a file has all that is constant of a quote, in pieces that something else stands between. What joins
/// two sentences is nobody's.
fn has(file: &str, quote: &str) -> bool {
    let mut pieces = quote.split('…').map(|piece| piece.trim_matches([' ', ';']));
    pieces.all(|piece| file.contains(piece))
}

#[test]
fn what_is_quoted_is_said_somewhere() {
    let document = paths::root().join("docs/troubleshooting.md");
    let document = fs::read_to_string(document).unwrap();
    let mut files = Vec::new();
    for directory in SOURCES {
        sources(&paths::root().join(directory), &mut files);
    }
    let quotes = quotes(&document);
    assert!(quotes.len() > 30, "{quotes:?}");
    for quote in quotes {
        let constant = quote.split('…').map(str::len).max().unwrap();
        assert!(constant > 10, "nothing of it is constant: {quote}");
        assert!(
            files.iter().any(|file| has(file, quote)),
            "nobody says: {quote}"
        );
    }
}

#[test]
fn pieces_are_found_over_the_ends_of_lines() {
    let file = said(&paths::root().join("guest/core/src/outbox/verdict.rs"));
    assert!(has(
        &file,
        "start MLflow with a database (--backend-store-uri …"
    ));
    assert!(!has(&file, "start MLflow without a database"));
}
