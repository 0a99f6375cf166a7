//! Where the component runs: one engine, and a server on loopback that keeps what it is sent.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use host_example::{
    CodeCache, Engine, Layer, Limits, Logger, LoggerError, Plugin, Settings, Source,
};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::flush;
use crate::sink;

/// Names the component's file. `cargo xtask fuzz` sets it.
const FILE: &str = "MLFLOW_LOGGER_PLUGIN";

/// The stage, set up once.
pub struct Stage {
    runtime: Runtime,
    plugin: Plugin,
    server: String,
    bodies: Bodies,
}

/// Bodies of traces, as sent.
type Bodies = Arc<Mutex<Vec<Vec<u8>>>>;

impl Stage {
    /// The stage of this process.
    pub fn get() -> &'static Self {
        static STAGE: LazyLock<Stage> = LazyLock::new(Stage::new);
        &STAGE
    }

    fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let file = std::env::var_os(FILE)
            .map_or("../target/dist/mlflow_logger.wasm".into(), PathBuf::from);
        let bodies = Bodies::default();
        let (plugin, server) = runtime.block_on(async {
            let engine = Engine::new(Limits::default(), CodeCache::User).expect("an engine");
            let plugin = Plugin::load(&engine, &file).await;
            let plugin =
                plugin.unwrap_or_else(|error| panic!("{FILE}={}: {error}", file.display()));
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let server = format!("http://{}", listener.local_addr().expect("its address"));
            tokio::spawn(serve(listener, bodies.clone()));
            (plugin, server)
        });
        Self {
            runtime,
            plugin,
            server,
            bodies,
        }
    }

    /// Has a fresh instance take something, which says how much it took, and returns what it then sent.
    pub fn run(
        &self,
        settings: &str,
        take: impl AsyncFnOnce(&mut Logger) -> Result<usize, LoggerError>,
    ) -> Vec<Span> {
        self.bodies().clear();
        let told = self.runtime.block_on(async {
            let mut logger = self.plugin.instantiate().await?;
            logger.configure(&self.settings(settings)).await?;
            let taken = take(&mut logger).await?;
            anyhow::Ok((taken, flush(&mut logger).await?))
        });
        let (taken, told) = told.expect("the component takes all that comes");
        assert_eq!(taken, told, "told of once, all that was taken");
        self.bodies()
            .iter()
            .flat_map(|body| sink::spans(body))
            .collect()
    }

    fn settings(&self, more: &str) -> Settings {
        let json = sink::settings(&self.server, more);
        let all: Map<String, Value> = serde_json::from_str(&json).expect("settings");
        let layer: Layer = all
            .into_iter()
            .map(|(key, value)| (key, (value, Source::Option("fuzz"))))
            .collect();
        Settings::merge([layer])
    }

    fn bodies(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, bodies: Bodies) {
    while let Ok((stream, _)) = listener.accept().await {
        let bodies = bodies.clone();
        let service = service_fn(move |request| answer(request, bodies.clone()));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    request: Request<Incoming>,
    bodies: Bodies,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_traces = request.uri().path() == "/v1/traces";
    let body = request.into_body().collect().await;
    let body = body
        .map(|body| body.to_bytes().to_vec())
        .unwrap_or_default();
    if !is_traces {
        return Ok(Response::new(Full::from(sink::EXPERIMENT)));
    }
    bodies
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(body);
    Ok(Response::new(Full::default()))
}
