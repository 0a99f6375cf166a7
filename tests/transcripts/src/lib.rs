//! Transcripts of calls: what is asked of a provider, and what it answers, byte for byte.
//!
//! They lie under `guest/core/tests/wire`, a folder an API and a folder a call in it; the README there
//! says what the files are. The tests of the core read them, and the provider that is played answers
//! with them.

#![forbid(unsafe_code)]

mod aws;
mod edit;
mod parts;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Header fields.
pub type Fields = Vec<(String, String)>;

/// One transcript.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// Its API and its own name, such as `openai_chat/plain`.
    pub name: String,
    /// The API.
    pub format: String,
    /// Its folder.
    pub path: PathBuf,
    /// What `case.json` says.
    pub about: Value,
    /// The response's body in the parts in which it would come.
    pub parts: Vec<Vec<u8>>,
    /// What the name of the response's file says that it is.
    kind: String,
}

/// A transcript that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct Unreadable {
    path: String,
    reason: String,
}

/// Where the transcripts are.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest/core/tests/wire")
}

/// All transcripts, in the order of their names.
pub fn all() -> Result<Vec<Transcript>, Unreadable> {
    let mut transcripts = Vec::new();
    for format in folders(&root())? {
        for path in folders(&format)? {
            transcripts.push(Transcript::read(&path)?);
        }
    }
    Ok(transcripts)
}

impl Transcript {
    /// Reads the one of this name.
    pub fn named(name: &str) -> Result<Self, Unreadable> {
        // A name leads nowhere else.
        let plain = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match name.split_once('/') {
            Some((format, case)) if plain(format) && plain(case) => Self::read(&root().join(name)),
            _ => Err(unreadable(Path::new(name), "is no name of a transcript")),
        }
    }

    fn read(path: &Path) -> Result<Self, Unreadable> {
        let about_path = path.join("case.json");
        let about = fs::read(&about_path).map_err(|error| unreadable(&about_path, error))?;
        let about = serde_json::from_slice(&about).map_err(|e| unreadable(&about_path, e))?;
        let mut parts = Vec::new();
        let mut kind = String::new();
        for candidate in ["json", "sse", "ndjson", "txt", "bin", "events.json"] {
            let file = path.join(format!("response.{candidate}"));
            if let Ok(bytes) = fs::read(&file) {
                parts = parts::of(candidate, bytes).map_err(|e| unreadable(&file, e))?;
                kind = candidate.to_owned();
            }
        }
        let (format, case) = (last(path.parent()), last(Some(path)));
        Ok(Self {
            name: format!("{format}/{case}"),
            format,
            path: path.to_owned(),
            about,
            parts,
            kind,
        })
    }

    /// Whether the response streams.
    pub fn is_stream(&self) -> bool {
        matches!(self.kind.as_str(), "sse" | "ndjson" | "events.json")
            || (self.request_path().contains(":stream") && self.status() == 200)
    }

    /// The response's body.
    pub fn body(&self) -> Vec<u8> {
        self.parts.concat()
    }

    /// The response's status; 0 where none came.
    pub fn status(&self) -> u16 {
        let status = self.about["response"]["status"].as_u64().unwrap_or(200);
        u16::try_from(status).unwrap_or(200)
    }

    /// The response's header fields.
    pub fn response_headers(&self) -> Fields {
        let mut headers = pairs(&self.about["response"]["headers"]);
        if !headers.iter().any(|(name, _)| name == "content-type") {
            let media_type = parts::media_type(&self.kind);
            headers.push(("content-type".to_owned(), media_type.to_owned()));
        }
        headers
    }

    /// The request's method.
    pub fn method(&self) -> &str {
        self.about["request"]["method"].as_str().unwrap_or("POST")
    }

    /// The request's path with its query.
    pub fn request_path(&self) -> &str {
        self.about["request"]["path"].as_str().unwrap_or("/")
    }

    /// The request's header fields and its body.
    pub fn request(&self) -> (Fields, Vec<u8>) {
        let request = &self.about["request"];
        let mut headers = pairs(&request["headers"]);
        let body = match (&request["body"], request["raw_body"].as_str()) {
            (_, Some(raw)) => raw.as_bytes().to_vec(),
            (Value::Null, None) => Vec::new(),
            (body, None) => {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
                body.to_string().into_bytes()
            }
        };
        (headers, body)
    }
}

fn pairs(headers: &Value) -> Fields {
    let headers = headers.as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    headers
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

fn folders(path: &Path) -> Result<Vec<PathBuf>, Unreadable> {
    let entries = fs::read_dir(path).map_err(|error| unreadable(path, error))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut folders: Vec<_> = paths.filter(|path| path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

fn last(path: Option<&Path>) -> String {
    let name = path.and_then(Path::file_name).unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn unreadable(path: &Path, reason: impl ToString) -> Unreadable {
    Unreadable {
        path: path.display().to_string(),
        reason: reason.to_string(),
    }
}
