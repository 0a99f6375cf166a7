//! What the filter costs stock Envoy, against none in the same process.
//!
//! Two listeners lead to the same provider, one of them through the filter, and are measured in turns: calls a second with `wrk`,
//! at sixteen connections and bodies of 1 KB; the first byte of a stream; and Envoy's own CPU.

mod cpu;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use e2e::envoy::{Config, address};
use e2e::events::prose;
use e2e::{Envoy, Python, debian};
use mock_provider::Provider;
use serde_json::json;
use tokio::runtime::Builder;

use crate::gateway::client::Way;
use crate::row::{Group, Row};
use crate::{Effort, median, micros};

/// Measures.
pub fn rows(effort: &Effort) -> Result<Vec<Row>> {
    if which("wrk").is_none() {
        debian::install(&["wrk"], "the load generator wrk")?;
    }
    let python = Python::prepare()?;
    let around = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let provider = around.block_on(Provider::start(local, Duration::from_millis(1)))?;
    let provider = provider.url().trim_start_matches("http://").parse()?;
    // It takes whatever is delivered; a real server would share the processors.
    let sink = Envoy::start(&sink(&python, provider)?)?;
    let envoy = Envoy::start(&both(&python, provider, sink.address)?)?;
    let ways = [envoy.listener("gateway")?, envoy.listener("plain")?];
    let directory = tempfile::tempdir()?;
    let script = directory.path().join("post.lua");
    fs::write(&script, post())?;
    let seconds = if effort.quick { 1 } else { 5 };
    let rounds = effort.rounds.div_ceil(2);
    let (mut rates, mut firsts) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2]);
    for _ in 0..rounds {
        for (way, rates) in ways.iter().zip(&mut rates) {
            rates.push(wrk(*way, &script, seconds)?);
        }
    }
    for _ in 0..rounds * 40 {
        for (way, firsts) in ways.iter().zip(&mut firsts) {
            firsts.push(first_byte(*way)?);
        }
    }
    let [logged, called] = ["logged", "calls"].map(|name| envoy.metric(name));
    let [filter, plain] = ways.map(|address| Way::new(address, "/openai"));
    let cpu = cpu::rows(&python, &around, &envoy, [&filter, &plain], effort)?;
    let row = |what, unit, [filter, plain]: [Vec<f64>; 2]| {
        let sides = [("filter", median(filter)), ("no filter", median(plain))];
        let [filter, plain] = sides;
        Row::new(Group::Envoy, what, unit, filter, plain)
    };
    let load = [
        row("answers, 16 connections, bodies of 1 KB", "calls/s", rates),
        row("first byte of a stream", "µs", firsts),
        Row::new(
            Group::Envoy,
            "under that load",
            "calls",
            ("logged", logged? as f64),
            ("passed through the filter", called? as f64),
        ),
    ];
    Ok(load.into_iter().chain(cpu).collect())
}

/// The example's listener, and one beside it without the filter.
fn both(python: &Python, provider: SocketAddr, mlflow: SocketAddr) -> Result<Config> {
    let mut config = Config::example(python, provider, mlflow)?;
    // Nothing is looked up.
    config.settings(json!({"experiment_name": null, "experiment_id": "0"}))?;
    let mut plain = config.clone();
    let filters = plain.http()["http_filters"].as_array_mut();
    filters.context("the example has filters")?.remove(0);
    let mut plain = plain.listener().clone();
    plain["name"] = json!("plain");
    let listeners = config.0["static_resources"]["listeners"].as_array_mut();
    listeners.context("the example has listeners")?.push(plain);
    Ok(config)
}

/// An Envoy that answers everything with 200.
fn sink(python: &Python, provider: SocketAddr) -> Result<Config> {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let mut config = Config::example(python, provider, nowhere)?;
    let http = config.http();
    let filters = http["http_filters"].as_array_mut();
    filters.context("the example has filters")?.remove(0);
    http["route_config"]["virtual_hosts"][0]["routes"] = json!([
        {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "{}"}}},
    ]);
    config.listener()["address"] = address((Ipv4Addr::LOCALHOST, 0).into());
    Ok(config)
}

/// What wrk posts: a body of about 1 KB.
fn post() -> String {
    // A quote would end Lua's long string no more than `]]` would; there is neither.
    let said = prose(900, 1).replace(['"', '\n'], " ");
    let body = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": said}]});
    format!(
        "wrk.method = \"POST\"\nwrk.headers[\"content-type\"] = \"application/json\"\nwrk.body = [[{body}]]\n"
    )
}

/// Calls a second.
fn wrk(to: SocketAddr, script: &Path, seconds: u64) -> Result<f64> {
    let output = Command::new("wrk")
        .args(["-t1", "-c16", &format!("-d{seconds}s"), "-s"])
        .arg(script)
        .arg(format!("http://{to}/openai/v1/chat/completions"))
        .output()
        .context("wrk does not start")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if said.contains("Non-2xx") || !output.status.success() {
        bail!("wrk met errors:\n{said}");
    }
    let rate = said
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"));
    Ok(rate.context("wrk tells no rate")?.trim().parse()?)
}

/// Microseconds from a request to the first byte of the stream that answers it.
fn first_byte(to: SocketAddr) -> Result<f64> {
    let body = json!({"model": "gpt-4o-mini", "stream": true, "messages": [{"role": "user", "content": "a b c"}]})
        .to_string();
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let begun = Instant::now();
    write!(
        stream,
        "POST /openai/v1/chat/completions HTTP/1.1\r\nhost: {to}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut lines = BufReader::new(stream).lines();
    let first = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("data: ")));
    first.context("no stream came")??;
    Ok(micros(begun.elapsed().as_secs_f64()))
}

fn which(program: &str) -> Option<()> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .find(|directory| directory.join(program).exists())
        .map(drop)
}
