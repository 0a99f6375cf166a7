//! What logging adds to the first byte: the same gateway, the same provider, one prefix whose calls are
//! logged and one whose calls are not, asked in turns within one run.
//!
//! The provider is played and MLflow is a server that takes everything, both on this machine: the times
//! are as short as they get, and what logging adds shows as large as it can. A real provider's first byte
//! takes a hundred times as long.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use host_example::config::Config;
use host_example::gateway::Gateway;
use host_example::{CodeCache, Engine, Layer, Limits, Plugin, Settings, Source};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mock_provider::Provider;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// The first byte of a streamed answer, with and without logging.
#[derive(Clone, Debug, Serialize)]
pub struct FirstByte {
    /// Calls of each kind.
    pub calls: usize,
    /// The median in microseconds, not logged.
    pub off_us: f64,
    /// The median in microseconds, logged.
    pub on_us: f64,
    /// The second by the first.
    pub ratio: f64,
    /// The 90th percentile in microseconds, not logged.
    pub off_p90_us: f64,
    /// The 90th percentile in microseconds, logged.
    pub on_p90_us: f64,
}

const REQUEST: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"What is new in Oslo, and what is not, in a sentence of twenty words or so, please?"}]}"#;
/// Prefixes: calls that are not logged, and calls that are.
const PREFIXES: [&str; 2] = ["/off", "/on"];
/// What is not counted: connections open, code is compiled, caches fill.
const WARM_UP: usize = 50;

/// Measures so many calls of each kind.
pub fn measure(plugin: &Path, calls: usize) -> Result<FirstByte> {
    // The gateway has threads of its own, as has what stands around it.
    let around = runtime(1)?;
    let own = runtime(2)?;
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let provider = around.block_on(Provider::start(local, Duration::ZERO))?;
    let mlflow = around.block_on(taker())?;
    let gateway = own.block_on(gateway(plugin, &provider.url(), mlflow))?;
    let client = Builder::new_current_thread().enable_all().build()?;
    let times = client.block_on(ask(gateway.address(), calls));
    own.block_on(gateway.drain());
    let [mut off, mut on] = times?;
    off.sort_unstable();
    on.sort_unstable();
    let at = |times: &[Duration], share: f64| {
        let index = (times.len() as f64 * share) as usize;
        times
            .get(index)
            .map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    let (off_us, on_us) = (at(&off, 0.5), at(&on, 0.5));
    Ok(FirstByte {
        calls,
        off_us,
        on_us,
        ratio: on_us / off_us,
        off_p90_us: at(&off, 0.9),
        on_p90_us: at(&on, 0.9),
    })
}

fn runtime(threads: usize) -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    Ok(builder.worker_threads(threads).enable_all().build()?)
}

/// A server that takes whatever it is sent.
async fn taker() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: Request<Incoming>| async {
                // What it was sent does not matter, nor that it broke off.
                let _ = request.into_body().collect().await;
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            });
            let server = hyper::server::conn::http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

async fn gateway(plugin: &Path, provider: &str, mlflow: SocketAddr) -> Result<Gateway> {
    let engine = Engine::new(Limits::default(), CodeCache::User)?;
    let plugin = Plugin::load(&engine, plugin).await?;
    let [off, on] = PREFIXES.map(|prefix| {
        format!("[[upstream]]\nprefix = \"{prefix}\"\nbase_url = \"{provider}\"\nprovider = \"openai\"\n")
    });
    let text = format!("listen = \"127.0.0.1:0\"\n{off}log = false\n{on}");
    let config = Config::parse(&text, Path::new("bench.toml"));
    let config = config.map_err(|faults| anyhow!("{faults:?}"))?;
    let source = Source::Option("bench");
    let settings = [
        ("tracking_uri", format!("http://{mlflow}")),
        ("experiment_id", "0".to_owned()),
    ];
    let settings = settings.into_iter();
    let layer: Layer = settings
        .map(|(key, value)| (key.to_owned(), (value.into(), source.clone())))
        .collect();
    Ok(Gateway::start(&plugin, config, Settings::merge([layer])).await?)
}

/// The times to the first byte of bodies, of each prefix: asked in turns, which of the two is first in
/// turns as well.
async fn ask(gateway: SocketAddr, calls: usize) -> Result<[Vec<Duration>; 2]> {
    let mut times = [Vec::new(), Vec::new()];
    let mut connection = connect(gateway).await?;
    for round in 0..WARM_UP + calls {
        for turn in 0..2 {
            let which = (round + turn) % 2;
            let time = first_byte(&mut connection, PREFIXES[which]).await?;
            if round >= WARM_UP {
                times[which].push(time);
            }
        }
    }
    Ok(times)
}

async fn connect(gateway: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(gateway).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn first_byte(connection: &mut SendRequest<Full<Bytes>>, prefix: &str) -> Result<Duration> {
    let request = Request::post(format!("{prefix}/v1/chat/completions"))
        .header("host", "bench")
        .header("content-type", "application/json")
        .body(Full::from(REQUEST))?;
    connection.ready().await?;
    let begun = Instant::now();
    let response = connection.send_request(request).await?;
    let mut body = response.into_body();
    let frame = body.frame().await.context("the answer is empty")?;
    let time = begun.elapsed();
    frame?;
    body.collect().await?;
    Ok(time)
}
