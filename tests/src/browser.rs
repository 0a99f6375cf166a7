//! MLflow's UI as people see it: the machine's Chromium, without a window, and what stands on its pages.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::debian;
use crate::python::Python;
use crate::step::succeeds;

/// What Chromium is called, the smallest first.
const NAMES: [&str; 5] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// The packages that have one, and letters for what is said in the demo.
const PACKAGES: [&str; 3] = [
    "chromium-headless-shell",
    "fonts-liberation",
    "fonts-noto-color-emoji",
];

/// A page to look at.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Page<'a> {
    /// Its address.
    pub url: String,
    /// Texts that have to stand on it; they are waited for.
    pub expect: Vec<&'a str>,
    /// A text to scroll to.
    pub show: Option<&'a str>,
    /// Where a picture of it goes.
    pub picture: Option<&'a Path>,
}

/// A browser; it is closed when this is dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    /// None once it is to end.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Seen {
    text: String,
    missing: Vec<String>,
}

impl Browser {
    /// Opens one. Where the machine has none, it is installed.
    pub fn open() -> Result<Self> {
        let chromium = chromium()?;
        let mut command = Python::with_browser()?.script("browser.py");
        let mut child = command
            .arg(chromium)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the browser does not start")?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("it has no output")?;
        Ok(Self {
            child,
            stdin,
            stdout: BufReader::new(stdout),
        })
    }

    /// Opens a page, waits for what has to stand on it, and tells all that can be read there.
    pub fn look(&mut self, page: &Page<'_>) -> Result<String> {
        let stdin = self.stdin.as_mut().context("it has ended")?;
        writeln!(stdin, "{}", serde_json::to_string(page)?)?;
        stdin.flush()?;
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        let seen: Seen = serde_json::from_str(&line).context("the browser has ended")?;
        if !seen.missing.is_empty() {
            bail!(
                "{} does not say {:?}; it says:\n{}",
                page.url,
                seen.missing,
                seen.text
            );
        }
        Ok(seen.text)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The end of its input tells it to close.
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

fn chromium() -> Result<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    debian::install(&PACKAGES, "Chromium")?;
    find().with_context(|| format!("no Chromium under one of the names {}", NAMES.join(", ")))
}

fn find() -> Option<PathBuf> {
    let works = |path: &PathBuf| succeeds(Command::new(path).arg("--version"));
    let path = std::env::var_os("PATH")?;
    let places = NAMES.iter().flat_map(|name| {
        let place = |directory: PathBuf| directory.join(name);
        std::env::split_paths(&path).map(place).collect::<Vec<_>>()
    });
    let mut files = places.filter(|path| path.is_file());
    files.find(works)
}
