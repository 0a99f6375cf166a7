//! Transcripts played to the providers' official SDKs through the gateway: what the provider sent, what
//! the client received, what the SDK made of it, and what MLflow then holds.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use transcripts::Transcript;

use crate::{Gateway, Mlflow, Python, Serving, Trace, paths};

/// Where the traces go.
const EXPERIMENT: &str = "sdks";
/// A script an SDK, and one that plays every transcript to a plain client.
const SCRIPTS: [&str; 4] = ["openai_sdk", "anthropic_sdk", "gemini_sdk", "raw"];

/// All calls, made.
#[derive(Debug)]
pub struct Played {
    /// The calls.
    pub calls: Vec<Call>,
    traces: Vec<Trace>,
    directory: TempDir,
}

/// A call, as the script that made it tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct Call {
    /// Its name, which its trace has as a tag.
    #[serde(rename = "call")]
    pub name: String,
    /// The transcript that was played.
    pub transcript: String,
    /// Whether the connection was broken off on purpose.
    pub broken: bool,
    /// The response's number at the provider.
    pub number: Option<String>,
    /// What the SDK made of the response, or of what came of it.
    pub answer: Value,
    /// The error that the SDK raised.
    pub error: Option<String>,
}

impl Played {
    /// Makes all calls and reads their traces.
    pub fn run(mlflow: &Mlflow) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("sdks-").tempdir()?;
        let [sent, got] = ["sent", "got"].map(|name| directory.path().join(name));
        fs::create_dir(&sent)?;
        fs::create_dir(&got)?;
        let python = Python::with_sdks()?;
        let program = paths::target()?.join("release/mock-provider");
        let mut provider = Command::new(program);
        let provider = Serving::start(provider.args(["--pause", "0", "--record"]).arg(&sent))?;
        let config = directory.path().join("gateway.toml");
        fs::write(&config, configuration(provider.url(), &mlflow.uri())?)?;
        let mut serve = Gateway::find()?.command(["--quiet", "serve", "--config"]);
        let gateway = Serving::start(serve.arg(&config))?;
        let mut calls = Vec::new();
        for script in SCRIPTS {
            calls.extend(script_calls(&python, script, gateway.url(), &got)?);
        }
        // The gateway delivers what it has logged before it ends.
        let status = gateway.stop()?;
        if !status.success() {
            bail!("the gateway ended with {status}");
        }
        Ok(Self {
            calls,
            traces: mlflow.traces(EXPERIMENT)?,
            directory,
        })
    }

    /// The trace of a call: there has to be one, and no other.
    pub fn trace(&self, call: &Call) -> Result<&Trace> {
        let of_call = |trace: &&Trace| trace.info.tags.get("call") == Some(&call.name);
        let mut found = self.traces.iter().filter(of_call);
        let trace = found.next().context("MLflow holds no trace of it")?;
        match found.count() {
            0 => Ok(trace),
            more => bail!("MLflow holds {} traces of it", more + 1),
        }
    }

    /// The bytes of a response's body as the provider sent them, and as the client received them.
    pub fn bytes(&self, call: &Call) -> Result<[Vec<u8>; 2]> {
        let number = call.number.as_ref().context("it had no answer")?;
        let read = |side: &str| fs::read(self.directory.path().join(side).join(number));
        Ok([read("sent")?, read("got")?])
    }
}

/// The gateway's configuration: a prefix a provider, all of them played.
fn configuration(provider: &str, mlflow: &str) -> Result<String> {
    let mut names = BTreeSet::from(["unknown".to_owned()]);
    for transcript in transcripts::all()? {
        let span = golden(&transcript)?;
        let name = span["attributes"]["mlflow.llm.provider"].as_str();
        names.extend(name.map(str::to_owned));
    }
    let upstreams = names.iter().map(|name| {
        let told = format!("provider = \"{name}\"\n");
        let told = if name == "unknown" { "" } else { &told };
        format!("[[upstream]]\nprefix = \"/{name}\"\nbase_url = \"{provider}\"\n{told}\n")
    });
    let upstreams = upstreams.collect::<String>();
    Ok(format!(
        "listen = \"127.0.0.1:0\"\n\n{upstreams}[logger]\ntracking_uri = \"{mlflow}\"\nexperiment_name = \"{EXPERIMENT}\"\n"
    ))
}

/// The span that the core's tests expect of a transcript.
pub fn golden(transcript: &Transcript) -> Result<Value> {
    let path = transcript.path.join("span.json");
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

fn script_calls(python: &Python, script: &str, gateway: &str, got: &Path) -> Result<Vec<Call>> {
    let mut command = python.script(&format!("sdks/{script}.py"));
    let output = command.arg(gateway).arg(got).output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{script} ended with {}:\n{errors}", output.status);
    }
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).context("a line that is no call"))
        .collect()
}
