//! What the gateway adds to a call: before the same provider a plain reverse proxy, and the gateway with calls that it does not
//! log, that it logs, and that it writes to a spool first. All are asked in turns.
//!
//! The provider is played and MLflow is a server that takes everything, both on this machine: the times
//! are as short as they get, and what is added shows as large as it can. A real provider's first byte
//! takes a hundred times as long.

mod around;
pub mod client;

pub use around::taker;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use host_example::Settings;
use host_example::config::Config;
use host_example::gateway::Gateway;
use mock_provider::Provider;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::Effort;
use crate::component::{Component, settings};
use crate::row::{Group, Row};
use crate::turns::quantile;
use client::Way;

/// Connections at a time where requests a second are counted.
const CONNECTIONS: usize = 16;

/// What is compared, in this order.
const NAMES: [&str; 4] = [
    "a plain proxy",
    "the gateway, not logging",
    "the gateway, logging",
    "the gateway with a spool",
];

/// Which of them are held against which.
const PAIRS: [(usize, usize); 4] = [(1, 0), (2, 0), (2, 1), (3, 2)];

/// All of it.
pub fn rows(component: &Component, effort: &Effort) -> Result<Vec<Row>> {
    let spool = tempfile::tempdir()?;
    // What is measured has threads of its own, as has what stands around it.
    let around = runtime(1)?;
    let own = runtime(2)?;
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let provider = around.block_on(Provider::start(local, Duration::ZERO))?;
    let mlflow = around.block_on(taker())?;
    let plain = own.block_on(around::proxy(&provider.url()))?;
    let settings = settings(&json!({
        "tracking_uri": format!("http://{mlflow}"), "experiment_id": "0",
    }));
    let start = |spool: Option<&Path>| {
        let config = config(&provider.url(), spool)?;
        own.block_on(gateway(component, config, settings.clone()))
    };
    let (memory, spooled) = (start(None)?, start(Some(spool.path()))?);
    let ways = [
        Way::new(plain, ""),
        Way::new(memory.address(), "/off"),
        Way::new(memory.address(), "/on"),
        Way::new(spooled.address(), "/on"),
    ];
    let client = Builder::new_current_thread().enable_all().build()?;
    let mut rows = client.block_on(latencies(&ways, effort.of(2000)))?;
    rows.extend(client.block_on(rates(&ways, effort))?);
    own.block_on(memory.drain());
    own.block_on(spooled.drain());
    Ok(rows)
}

fn runtime(threads: usize) -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    Ok(builder.worker_threads(threads).enable_all().build()?)
}

fn config(provider: &str, spool: Option<&Path>) -> Result<Config> {
    let [off, on] = ["/off", "/on"].map(|prefix| {
        format!("[[upstream]]\nprefix = \"{prefix}\"\nbase_url = \"{provider}\"\nprovider = \"openai\"\n")
    });
    let spool = spool.map_or_else(String::new, |dir| {
        format!(
            "[spool]\ndir = {:?}\n",
            dir.join("spool").display().to_string()
        )
    });
    let text = format!("listen = \"127.0.0.1:0\"\n{off}log = false\n{on}{spool}");
    let config = Config::parse(&text, Path::new("bench.toml"));
    config.map_err(|faults| anyhow!("{faults:?}"))
}

async fn gateway(component: &Component, config: Config, settings: Settings) -> Result<Gateway> {
    Ok(Gateway::start(&component.plugin, config, settings).await?)
}

/// One call after the other: to the first byte of a stream, and to the end of an answer.
async fn latencies(ways: &[Way; 4], calls: usize) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (what, streamed) in [("first byte of a stream", true), ("a whole answer", false)] {
        let mut times = client::in_turns(ways, calls, streamed).await?;
        for (share, name) in [(0.5, "median"), (0.99, "99th percentile")] {
            let at = times.each_mut().map(|times| quantile(times, share));
            rows.extend(pairs(&format!("{what}, {name}"), "µs", at));
        }
    }
    Ok(rows)
}

/// Many calls at a time.
async fn rates(ways: &[Way; 4], effort: &Effort) -> Result<Vec<Row>> {
    let mut best = [0.0_f64; 4];
    for round in 0..=effort.rounds {
        for turn in 0..ways.len() {
            let which = (round + turn) % ways.len();
            let rate = client::rate(&ways[which], CONNECTIONS, effort.of(4000)).await?;
            if round > 0 {
                best[which] = best[which].max(rate);
            }
        }
    }
    let what = format!("answers, {CONNECTIONS} connections");
    Ok(pairs(&what, "calls/s", best).collect())
}

fn pairs(what: &str, unit: &'static str, values: [f64; 4]) -> impl Iterator<Item = Row> {
    let side = move |index: usize| (NAMES[index], values[index]);
    PAIRS
        .into_iter()
        .map(move |(one, other)| Row::new(Group::Gateway, what, unit, side(one), side(other)))
}
