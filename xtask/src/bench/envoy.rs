//! `cargo xtask bench --envoy`: what the filter costs stock Envoy, against none in the same process.
//!
//! Two listeners lead to the same provider, one of them through the filter, and are measured in turns: requests a second
//! with `wrk`, at sixteen connections and bodies of 1 KB; and the first byte of a stream.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use e2e::envoy::{Config, address};
use e2e::{Envoy, Python, Serving, Step, debian, paths};
use serde_json::json;

use crate::{cargo, dist};

/// How long a measurement takes, and how many there are of each kind.
struct Effort {
    seconds: u64,
    rounds: usize,
}

/// Measures, and prints a table.
pub fn run(quick: bool) -> Result<()> {
    let effort = match quick {
        true => Effort {
            seconds: 1,
            rounds: 1,
        },
        false => Effort {
            seconds: 5,
            rounds: 5,
        },
    };
    dist::build_proxy()?;
    cargo::build_provider()?;
    if which("wrk").is_none() {
        debian::install(&["wrk"], "the load generator wrk")?;
    }
    let python = Python::prepare()?;
    let mut command = Command::new(paths::target()?.join("release/mock-provider"));
    let serving = Serving::start(command.args(["--pause", "1"]))?;
    let provider = serving.url().trim_start_matches("http://").parse()?;
    // It takes whatever is delivered; a real server would share the processors.
    let sink = Envoy::start(&sink(&python, provider)?)?;
    let envoy = Envoy::start(&both(&python, provider, sink.address)?)?;
    let ways = [envoy.listener("plain")?, envoy.listener("gateway")?];

    let directory = tempfile::tempdir()?;
    let script = directory.path().join("post.lua");
    fs::write(&script, post())?;
    let mut rates = [Vec::new(), Vec::new()];
    let mut firsts = [Vec::new(), Vec::new()];
    Step::new("Measure in turns").during(|| {
        for _ in 0..effort.rounds {
            for (way, rates) in ways.iter().zip(&mut rates) {
                rates.push(wrk(*way, &script, effort.seconds)?);
            }
        }
        for _ in 0..effort.rounds * 40 {
            for (way, firsts) in ways.iter().zip(&mut firsts) {
                firsts.push(first_byte(*way)?);
            }
        }
        Ok(())
    })?;
    let [plain, filter] = rates.map(median);
    let [plain_first, filter_first] = firsts.map(median);
    println!("| | no filter | filter | ratio |\n|---|---|---|---|");
    println!(
        "| requests/s, 16 connections, 1 KB bodies | {plain:.0} | {filter:.0} | {:.2} |",
        filter / plain
    );
    println!(
        "| first byte of a stream, µs | {plain_first:.0} | {filter_first:.0} | {:.2} |",
        filter_first / plain_first
    );
    for name in ["calls", "logged", "delivered", "dropped.full"] {
        println!("{name} {}", envoy.metric(name)?);
    }
    Ok(())
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
    let said = "lorem ipsum dolor sit amet ".repeat(34);
    let body = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": said}]});
    format!(
        "wrk.method = \"POST\"\nwrk.headers[\"content-type\"] = \"application/json\"\nwrk.body = [[{body}]]\n"
    )
}

/// Requests a second.
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
    Ok(begun.elapsed().as_secs_f64() * 1e6)
}

fn which(program: &str) -> Option<()> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .find(|directory| directory.join(program).exists())
        .map(drop)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
