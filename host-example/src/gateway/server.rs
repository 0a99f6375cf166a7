//! A listening socket and its connections, ended without cutting off what is under way.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use super::headers::{MOST_BYTES, MOST_FIELDS};

/// How long to wait where no connection can be taken, as without file descriptors.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a client may take to send a request's head, and leave a connection unused.
const HEAD: Duration = Duration::from_secs(75);

/// A running server.
pub(super) struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<Duration>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves a listener's connections. `closing` is set when connections are cut off.
    pub fn start<B, F>(
        (listener, address): (TcpListener, SocketAddr),
        closing: Arc<AtomicBool>,
        answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    ) -> Self
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, stopped, closing, answer));
        Self {
            address,
            stop,
            task,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets requests under way end within this time, and then cuts them
    /// off.
    pub async fn stop(self, within: Duration) {
        // Where the server has ended by itself there is nothing to stop.
        let _ = self.stop.send(within);
        let _ = self.task.await;
    }
}

async fn serve<B, F>(
    listener: TcpListener,
    mut stopped: oneshot::Receiver<Duration>,
    closing: Arc<AtomicBool>,
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
) where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let within = loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connect(stream, graceful.watcher(), answer.clone()));
                }
                Err(error) => {
                    tracing::warn!("a connection could not be taken: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            within = &mut stopped => break within.unwrap_or_default(),
        }
    };
    drop(listener);
    if tokio::time::timeout(within, graceful.shutdown())
        .await
        .is_err()
    {
        closing.store(true, Relaxed);
        tracing::warn!(
            connections = connections.len(),
            "connections are cut off: they did not end within {} ms",
            within.as_millis()
        );
    }
    connections.shutdown().await;
}

/// One connection, from its first byte to its last.
async fn connect<B, F>(
    stream: TcpStream,
    watcher: Watcher,
    answer: impl Fn(Request<Incoming>) -> F + Send + 'static,
) where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
{
    // Small parts of a stream go out as they come.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("a connection cannot do without delay: {error}");
    }
    let service = service_fn(move |request| {
        let response = answer(request);
        async move { Ok::<_, Infallible>(response.await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(MOST_FIELDS)
        .preserve_header_case(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MOST_BYTES);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection.into_owned()).await {
        tracing::debug!("a connection ended early: {error}");
    }
}
