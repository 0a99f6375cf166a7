//! A client that counts.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::events::prose;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::micros;
use crate::workload::KIB;

/// What is not counted: connections open, code is compiled, caches fill.
const WARM_UP: usize = 50;

/// A way to the provider.
pub struct Way {
    address: SocketAddr,
    path: String,
}

impl Way {
    /// Through a server, with a prefix of paths.
    pub fn new(address: SocketAddr, prefix: &str) -> Self {
        let path = format!("{prefix}/v1/chat/completions");
        Self { address, path }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// A request of about 1 KiB.
fn request(streamed: bool) -> Bytes {
    let said = prose(if streamed { 128 } else { KIB }, 1);
    let messages = json!([{"role": "user", "content": said}]);
    let body = json!({"model": "m", "stream": streamed, "messages": messages});
    body.to_string().into()
}

/// Asks one after the other, each way in turns: microseconds to the first byte of a stream's body, or to the end of an answer.
pub async fn in_turns<const N: usize>(
    ways: &[Way; N],
    calls: usize,
    streamed: bool,
) -> Result<[Vec<f64>; N]> {
    let mut times = [const { Vec::new() }; N];
    let mut connections = Vec::new();
    for way in ways {
        connections.push(way.connect().await?);
    }
    let body = request(streamed);
    for round in 0..WARM_UP + calls {
        for turn in 0..N {
            let which = (round + turn) % N;
            let time = ask(&mut connections[which], &ways[which].path, &body, streamed).await?;
            if round >= WARM_UP {
                times[which].push(time);
            }
        }
    }
    Ok(times)
}

/// Calls a second on so many connections at a time.
pub async fn rate(way: &Way, connections: usize, calls: usize) -> Result<f64> {
    let body = request(false);
    let mut clients = JoinSet::new();
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(way.connect().await?);
    }
    let each = calls.div_ceil(connections);
    let begun = Instant::now();
    for mut connection in open {
        let (path, body) = (way.path.clone(), body.clone());
        clients.spawn(async move {
            for _ in 0..each {
                ask(&mut connection, &path, &body, false).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    Ok((each * connections) as f64 / begun.elapsed().as_secs_f64())
}

/// Makes so many calls, one every so often.
pub async fn paced(way: &Way, calls: usize, every: Duration) -> Result<()> {
    let mut connection = way.connect().await?;
    let body = request(false);
    let mut due = tokio::time::interval(every);
    for _ in 0..calls {
        due.tick().await;
        ask(&mut connection, &way.path, &body, false).await?;
    }
    Ok(())
}

async fn ask(
    connection: &mut SendRequest<Full<Bytes>>,
    path: &str,
    body: &Bytes,
    to_first: bool,
) -> Result<f64> {
    let request = Request::post(path)
        .header("host", "bench")
        .header("content-type", "application/json")
        .body(Full::from(body.clone()))?;
    connection.ready().await?;
    let begun = Instant::now();
    let response = connection.send_request(request).await?;
    let status = response.status();
    ensure!(status.is_success(), "{path} was answered {status}");
    let mut body = response.into_body();
    let first = body.frame().await.context("the answer is empty")?;
    let mut time = begun.elapsed();
    first?;
    body.collect().await?;
    if !to_first {
        time = begun.elapsed();
    }
    Ok(micros(time.as_secs_f64()))
}
