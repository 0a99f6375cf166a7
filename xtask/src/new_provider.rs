//! `cargo xtask new-provider NAME`: a wire format that works and passes the tests, to be made into another's.
//!
//! The template is a provider called Acme that nobody has: files as they would be written by hand, its name to be
//! replaced.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use e2e::paths;

const TEMPLATE: &str = include_str!("../templates/provider/format.rs");
/// A case's files below that of the format.
const CASES: [(&str, &str); 7] = [
    (
        "plain/case.json",
        include_str!("../templates/provider/plain/case.json"),
    ),
    (
        "plain/response.json",
        include_str!("../templates/provider/plain/response.json"),
    ),
    (
        "plain/span.json",
        include_str!("../templates/provider/plain/span.json"),
    ),
    (
        "stream/case.json",
        include_str!("../templates/provider/stream/case.json"),
    ),
    (
        "stream/response.sse",
        include_str!("../templates/provider/stream/response.sse"),
    ),
    (
        "stream/whole.json",
        include_str!("../templates/provider/stream/whole.json"),
    ),
    (
        "stream/span.json",
        include_str!("../templates/provider/stream/span.json"),
    ),
];
const FORMATS: &str = "guest/core/src/wire/formats";
const FIXTURES: &str = "guest/core/tests/wire";
const DOCS: &str = "docs/providers.md";

/// Writes the provider's files and lines, and says how to go on.
pub fn run(name: &str) -> Result<()> {
    create(paths::root(), name)?;
    println!(
        "Wrote {FORMATS}/{name}.rs, its lines in {FORMATS}/mod.rs and {DOCS}, and two cases under {FIXTURES}/{name}.\n\
         It passes already: cargo test --release -p logger-core --test wire\n\
         Now put the provider's own requests and responses into the cases, change the format until the spans are what \
         they should be, and have them written: UPDATE_GOLDEN=1 cargo test --release -p logger-core --test wire"
    );
    Ok(())
}

/// Adds a provider to the checkout at `root`.
fn create(root: &Path, name: &str) -> Result<()> {
    check(name)?;
    let format = root.join(FORMATS).join(format!("{name}.rs"));
    if format.exists() {
        bail!("there is a format {name} already: {}", format.display());
    }
    // What cannot be done is found before anything is written.
    let list = root.join(FORMATS).join("mod.rs");
    let listed = in_list(&read(&list)?, name)?;
    let docs = root.join(DOCS);
    let documented = in_docs(&read(&docs)?, name)?;

    write(&format, &named(TEMPLATE, name))?;
    for (file, text) in CASES {
        write(
            &root.join(FIXTURES).join(name).join(file),
            &named(text, name),
        )?;
    }
    write(&list, &listed)?;
    write(&docs, &documented)
}

fn check(name: &str) -> Result<()> {
    let first = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase());
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !first || !name.bytes().all(plain) {
        bail!(
            "{name:?} is no name for a module: lower-case letters, digits and _ expected, such as acme_chat"
        );
    }
    Ok(())
}

/// The template with this name in the place of its own.
fn named(text: &str, name: &str) -> String {
    let (first, rest) = name.split_at(1);
    let title = format!("{}{rest}", first.to_ascii_uppercase());
    text.replace("Acme", &title).replace("acme", name)
}

/// The list of formats with one more, before the one that takes anything.
fn in_list(text: &str, name: &str) -> Result<String> {
    let changed =
        "mod.rs is not as it was: add the format there by hand, to the modules and to `ALL`";
    let is_module = |line: &&str| line.starts_with("mod ") && line.ends_with(';');
    let module = format!("mod {name};");
    let mut modules: Vec<_> = text.lines().filter(is_module).collect();
    let old = modules.join("\n");
    if modules.is_empty() || !text.contains(&old) {
        bail!(changed);
    }
    modules.push(&module);
    modules.sort_unstable();
    let with_module = text.replacen(&old, &modules.join("\n"), 1);

    let (before, rest) = with_module.split_once("ALL: [&Format; ").context(changed)?;
    let (count, rest) = rest.split_once(']').context(changed)?;
    let count: usize = count.parse().context(changed)?;
    let last = "    &unknown::FORMAT,\n";
    if !rest.contains(last) {
        bail!(changed);
    }
    let rest = rest.replacen(last, &format!("    &{name}::FORMAT,\n{last}"), 1);
    Ok(format!("{before}ALL: [&Format; {}]{rest}", count + 1))
}

/// The table of formats with one more, before the line of anything else.
fn in_docs(text: &str, name: &str) -> Result<String> {
    let last = "| Anything else";
    if !text.contains(last) {
        bail!("{DOCS} is not as it was: add the format's line there by hand");
    }
    let line = named("| Acme text generation | `/acme/v1/generate` |", name);
    Ok(text.replacen(last, &format!("{line}\n{last}"), 1))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    let directory = path.parent().unwrap_or(path);
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(path, text))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo;

    #[test]
    fn formats_are_listed_in_their_places() {
        let text = "mod a;\nmod unknown;\n\nALL: [&Format; 2] = [\n    &a::FORMAT,\n    &unknown::FORMAT,\n];";
        for (name, modules) in [
            ("m", "mod a;\nmod m;\nmod unknown;\n"),
            ("z", "mod a;\nmod unknown;\nmod z;\n"),
        ] {
            let listed = in_list(text, name).unwrap();
            let formats = format!(
                "ALL: [&Format; 3] = [\n    &a::FORMAT,\n    &{name}::FORMAT,\n    &unknown::FORMAT,\n];"
            );
            assert_eq!(listed, format!("{modules}\n{formats}"));
        }
        assert!(in_list("mod a;\nALL: [&Format; 2]", "m").is_err());
    }

    #[test]
    fn names_that_are_no_modules_are_refused() {
        for name in ["", "Acme", "9lives", "../x", "a-b", "a b"] {
            assert!(check(name).is_err(), "{name}");
        }
        let error = create(paths::root(), "anthropic").unwrap_err().to_string();
        assert!(
            error.contains("there is a format anthropic already"),
            "{error}"
        );
    }

    /// What CONTRIBUTING.md promises.
    #[test]
    fn a_new_provider_passes_the_cores_tests() {
        let copy = tempfile::tempdir().unwrap();
        copy_tree(paths::root(), copy.path());
        create(copy.path(), "zebra_text").unwrap();
        let arguments = [
            "test",
            "--release",
            "--locked",
            "--offline",
            "-p",
            "logger-core",
            "--test",
            "wire",
        ];
        let mut command = cargo::command(arguments);
        command.current_dir(copy.path());
        // One of its own: cargo tells checkouts apart by their files' times alone, and would take the copy's for ours.
        let target = paths::target_dir("new-provider").unwrap();
        command.env("CARGO_TARGET_DIR", target);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{errors}");
        assert!(
            said.contains("every_format_has_a_case_and_a_line_in_the_documentation ... ok"),
            "{said}"
        );
        let mut format = cargo::command(["fmt", "--check", "-p", "logger-core"]);
        let output = format.current_dir(copy.path()).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }

    fn copy_tree(from: &Path, to: &Path) {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let (source, name) = (entry.path(), entry.file_name());
            let to = to.join(&name);
            if entry.file_type().unwrap().is_file() {
                fs::copy(source, to).unwrap();
            } else if name != "target" && name != ".git" {
                fs::create_dir_all(&to).unwrap();
                copy_tree(&source, &to);
            }
        }
    }
}
