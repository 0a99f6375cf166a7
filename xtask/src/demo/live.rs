//! Calls through a running gateway, as any client would make them: ours, or Envoy with the filter.
//!
//! The providers are played, all but OpenAI where `OPENAI_API_KEY` is set: then that is the real one.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use e2e::{Gateway, Mlflow, Serving, Step, Trace, paths};
use serde_json::{Value, json};

use super::show;

/// Where these traces go.
const EXPERIMENT: &str = "demo-gateway";
const OPENAI: &str = "https://api.openai.com";

/// A call, and the status it is answered with.
pub(super) struct Call {
    title: &'static str,
    path: &'static str,
    body: Value,
    status: u16,
}

/// Makes the calls and shows their traces; says whether all were answered and logged as they should.
pub fn run(gateway: &Gateway, mlflow: &Mlflow) -> Result<bool> {
    println!("\nCalls through a running gateway:");
    let key = std::env::var("OPENAI_API_KEY")
        .ok()
        .filter(|key| !key.is_empty());
    let provider = provider()?;
    let config = paths::target_dir("demo")?.join("gateway.toml");
    let text = configuration(provider.url(), key.is_some(), &mlflow.uri());
    fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;

    let mut command = gateway.command(["--quiet", "serve", "--config"]);
    let serving = Serving::start(command.arg(&config))?;
    println!("\n$ mlflow-gateway serve --config {}", config.display());
    let calls = calls();
    let mut good = true;
    for call in &calls {
        good &= make(call, serving.url(), key.as_deref())?;
    }
    let stop = || serving.stop();
    let status = Step::new("End the gateway, which delivers what it has logged").during(stop)?;
    if !status.success() {
        bail!("the gateway ended with {status}");
    }
    let read = || mlflow.traces(EXPERIMENT);
    let traces = Step::new("Read the traces back with MLflow's own client").during(read)?;
    println!("\nWhat MLflow holds of them:\n");
    for trace in &traces {
        println!("{}", show::trace(trace));
    }
    Ok(good & as_made(&calls, &traces))
}

/// Whether there is a trace a call, failed where the call did.
pub(super) fn as_made(calls: &[Call], traces: &[Trace]) -> bool {
    let failed = traces
        .iter()
        .filter(|trace| trace.info.state == "ERROR")
        .count();
    let expected = calls.iter().filter(|call| call.status >= 400).count();
    if traces.len() == calls.len() && failed == expected {
        return true;
    }
    println!(
        "NOT AS MADE  {} calls, {expected} of them failed; {} traces, {failed} of them failed",
        calls.len(),
        traces.len()
    );
    false
}

/// A provider that is played.
pub(super) fn provider() -> Result<Serving> {
    let program = paths::target()?.join("release/mock-provider");
    Serving::start(&mut Command::new(program))
}

fn configuration(provider: &str, real: bool, mlflow: &str) -> String {
    let openai = if real { OPENAI } else { provider };
    let upstream = |name: &str, base_url: &str| {
        format!(
            "[[upstream]]\nprefix = \"/{name}\"\nbase_url = \"{base_url}\"\nprovider = \"{name}\"\n\n"
        )
    };
    format!(
        "listen = \"127.0.0.1:0\"\n\n{}{}{}[logger]\ntracking_uri = \"{mlflow}\"\nexperiment_name = \"{EXPERIMENT}\"\n",
        upstream("openai", openai),
        upstream("anthropic", provider),
        upstream("gemini", provider)
    )
}

/// The calls that are made.
pub(super) fn calls() -> Vec<Call> {
    let said = |text: &str| json!([{"role": "user", "content": text}]);
    let weather = json!([{"type": "function", "function": {
        "name": "weather",
        "description": "The weather at a place",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
    }}]);
    vec![
        Call {
            title: "a chat call",
            path: "/openai/v1/chat/completions",
            body: json!({"model": "gpt-4o-mini", "messages": said("Good morning!")}),
            status: 200,
        },
        Call {
            title: "a streamed one that calls a tool",
            path: "/openai/v1/chat/completions",
            body: json!({
                "model": "gpt-4o-mini",
                "messages": said("What is the weather in Oslo?"),
                "tools": weather,
                "stream": true,
                "stream_options": {"include_usage": true},
            }),
            status: 200,
        },
        Call {
            title: "an embedding",
            path: "/openai/v1/embeddings",
            body: json!({"model": "text-embedding-3-small", "input": ["one text", "another"]}),
            status: 200,
        },
        Call {
            title: "a streamed message of Anthropic's",
            path: "/anthropic/v1/messages",
            body: json!({
                "model": "claude-sonnet-4-5",
                "max_tokens": 100,
                "messages": said("Tell me a story, a short one"),
                "stream": true,
            }),
            status: 200,
        },
        Call {
            title: "one of Gemini's",
            path: "/gemini/v1beta/models/gemini-2.5-flash:generateContent",
            body: json!({"contents": [{"role": "user", "parts": [{"text": "Hello from here"}]}]}),
            status: 200,
        },
        Call {
            title: "one that the provider refuses",
            path: "/anthropic/v1/messages",
            body: json!({"model": "fail-429", "max_tokens": 9, "messages": said("Once more")}),
            status: 429,
        },
    ]
}

/// Makes a call as curl would, and tells what came back.
pub(super) fn make(call: &Call, gateway: &str, key: Option<&str>) -> Result<bool> {
    println!(
        "\n# {}\n$ curl {gateway}{} -d '{}'",
        call.title, call.path, call.body
    );
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let mut request = agent
        .post(format!("{gateway}{}", call.path))
        .header("content-type", "application/json")
        .header("x-mlflow-session", "demo-session");
    if let Some(key) = key.filter(|_| call.path.starts_with("/openai")) {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let mut response = request
        .send(call.body.to_string())
        .with_context(|| format!("the gateway does not answer {}", call.path))?;
    let status = response.status().as_u16();
    let body = response.body_mut().read_to_string()?;
    println!("{status}  {}", show::short(&body));
    if status != call.status {
        println!("NOT AS EXPECTED  {} instead of {status}", call.status);
    }
    Ok(status == call.status)
}
