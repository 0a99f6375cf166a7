//! What the tests share: the built plugin, and a server that is played.

#![allow(dead_code, reason = "not every test file uses all of it")]

pub mod program;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use host_example::{CodeCache, Engine, Layer, Limits, Plugin, Settings, Source};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// The plugin, as `cargo xtask dist` builds it into the target directory.
pub fn plugin_path() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let path = target.join("dist").join(host_example::find::FILE);
    assert!(
        path.is_file(),
        "these tests need the built plugin, {} is missing: run `cargo xtask dist` first",
        path.display()
    );
    path
}

/// A plugin that does what no plugin should, as `cargo xtask test` builds it.
pub fn misbehaving_path() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let path = target.join("test-guests/misbehaving.wasm");
    assert!(
        path.is_file(),
        "these tests need a plugin of their own, {} is missing: run `cargo xtask test --only unit misbehaving`",
        path.display()
    );
    path
}

/// The plugin on an engine with these limits.
pub async fn plugin(limits: Limits) -> Plugin {
    load(&plugin_path(), limits).await
}

/// A plugin on an engine with these limits.
pub async fn load(path: &Path, limits: Limits) -> Plugin {
    let engine = Engine::new(limits, CodeCache::User).unwrap();
    Plugin::load(&engine, path).await.unwrap()
}

/// Settings that name a server, and these besides.
pub fn settings(server: &str, others: &[(&str, Value)]) -> Settings {
    let entry = |key: &str, value: Value| (key.to_owned(), (value, Source::Option("test")));
    let mut layer = Layer::from([
        entry("tracking_uri", server.into()),
        entry("experiment_id", "0".into()),
    ]);
    layer.extend(others.iter().map(|(key, value)| entry(key, value.clone())));
    Settings::merge([layer])
}

/// A call as a line of a recording, with a message of this many bytes.
pub fn line(id: &str, bytes: usize) -> String {
    let message = "x".repeat(bytes);
    format!(
        r#"{{"hook":"success","kwargs":{{"litellm_call_id":"{id}","model":"gpt-4o","messages":[{{"role":"user","content":"{message}"}}]}},"response_obj":{{"id":"{id}","choices":[{{"index":0,"message":{{"role":"assistant","content":"hello"}}}}]}},"start_time":1764020000000000000,"end_time":1764020001000000000}}"#
    )
}

/// A server that takes all traces.
pub struct Server {
    pub url: String,
    /// The path of each request.
    pub requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts it on the present runtime; it answers after `pause`.
    pub async fn start(pause: Duration) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = seen.clone();
                let service = service_fn(move |request| answer(request, seen.clone(), pause));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { url, requests }
    }

    pub fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<String>>>,
    pause: Duration,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let _body = request.into_body().collect().await;
    tokio::time::sleep(pause).await;
    seen.lock().unwrap().push(path);
    Ok(Response::new(Full::default()))
}
