//! Calls through a gateway, each with a marker of its own by which its trace is found.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use crate::http1::Message;

/// How long a gateway may say nothing within a call.
const SILENCE: Duration = Duration::from_secs(120);

/// How a call came out for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The whole response came, within this time.
    Complete(Duration),
    /// The connection broke before the response had ended, or there was none.
    Cut,
}

/// A chat call through the gateway at `url`, below the prefix `/openai`, whose text is the marker.
pub fn chat(url: &str, marker: &str, streamed: bool) -> Outcome {
    chat_by(url, "/openai", marker, streamed)
}

/// A chat call by the way of this prefix.
pub fn chat_by(url: &str, prefix: &str, marker: &str, streamed: bool) -> Outcome {
    let path = format!("{prefix}/v1/chat/completions");
    let body = json!({
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": marker}],
        "stream": streamed,
    });
    let began = Instant::now();
    match post(url, &path, &body.to_string()) {
        Ok(response) if response.second() == "200" => Outcome::Complete(began.elapsed()),
        _ => Outcome::Cut,
    }
}

/// Sends JSON and reads the response to its end.
pub fn post(url: &str, path: &str, body: &str) -> Result<Message> {
    exchange(url, "POST", path, body)
}

/// Reads a page to its end.
pub fn get(url: &str, path: &str) -> Result<Message> {
    exchange(url, "GET", path, "")
}

fn exchange(url: &str, method: &str, path: &str, body: &str) -> Result<Message> {
    let address = url.strip_prefix("http://").context("not http")?;
    let address = address.split('/').next().unwrap_or_default();
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_nodelay(true)?;
    let headers = [("host", address), ("content-type", "application/json")];
    let request = Message {
        first: format!("{method} {path} HTTP/1.1"),
        headers: headers.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        body: body.as_bytes().to_vec(),
    };
    (&stream).write_all(&request.bytes())?;
    Ok(Message::response(&mut BufReader::new(&stream))?)
}

/// A sum over the samples of a Prometheus metric, with these labels if any, in what a gateway serves;
/// zero where there is none.
pub fn metric(page: &str, name: &str) -> f64 {
    let samples = page.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let whole = name.ends_with('}') && rest.starts_with(' ');
        let named = rest.starts_with('{') || rest.starts_with(' ');
        let value = rest.rsplit(' ').next()?;
        (whole || named).then(|| value.parse::<f64>().ok())?
    });
    samples.sum()
}
