//! An LLM gateway: a reverse proxy that passes requests and responses through unchanged, and logs
//! each call through the plugin.
//!
//! Two halves meet in the backlog and nowhere else:
//!
//! ```text
//! server -> proxy -> upstream          the request path: streams, records, never waits for the log
//!             |
//!          exchange -> backlog -> worker -> plugin -> MLflow
//!                                          threads of their own, one instance each
//! ```
//!
//! What a call takes in memory until it is delivered is bounded by one budget, `queue.max_bytes`. With
//! a spool, calls beyond it wait on the disk, within `spool.max_bytes`, and outlive the process. Where
//! there is no room left, calls go unlogged, the oldest first; no call goes unserved.

mod admin;
mod backlog;
mod body;
mod budget;
mod crew;
pub mod delivery;
mod exchange;
mod fault;
mod headers;
mod keeper;
mod last;
mod letters;
mod metrics;
mod proxy;
mod quiet;
mod record;
mod server;
mod sink;
mod trace;
mod upstream;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::{Config, Fault};
use crate::error::LoggerError;
use crate::plugin::Plugin;
use crate::settings::Settings;
use crate::spool::OpenError;
use admin::Admin;
use delivery::{Delivery, Drained, Options};
use metrics::Metrics;
use proxy::{Live, Proxy};
use server::Server;
use upstream::Routes;

/// Where the gateway listens if the configuration does not say.
const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// A running gateway.
pub struct Gateway {
    server: Server,
    admin: Option<Server>,
    delivery: Delivery,
    live: watch::Sender<Arc<Live>>,
    metrics: Arc<Metrics>,
    ready: Arc<AtomicBool>,
    config: Config,
}

/// The gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is at fault.
    #[error("{}", faults(.0))]
    Config(Vec<Fault>),
    /// An address cannot be listened on.
    #[error("cannot listen on {address} (`{key}`): {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The key that names it.
        key: &'static str,
        /// Why not.
        reason: std::io::Error,
    },
    /// The plugin does not work.
    #[error("the plugin did not start: {0}")]
    Plugin(#[from] LoggerError),
    /// The spool cannot be opened.
    #[error("`spool.dir`: {0}")]
    Spool(#[from] OpenError),
    /// The file of dead letters cannot be opened.
    #[error("`dead_letter.file`: {} cannot be written: {reason}", path.display())]
    Letters {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        reason: std::io::Error,
    },
    /// A worker's thread did not start.
    #[error("a thread for logging did not start: {0}")]
    Thread(std::io::Error),
}

fn faults(faults: &[Fault]) -> String {
    let lines = faults
        .iter()
        .map(|fault| format!("`{}`: {}", fault.key, fault.reason));
    lines.collect::<Vec<_>>().join("\n")
}

/// Checks what a configuration says of upstreams beyond its form, such as files of certificates.
pub fn check(config: &Config) -> Vec<Fault> {
    Routes::new(config, &Routes::default())
        .err()
        .unwrap_or_default()
}

impl Gateway {
    /// Starts to listen, with the plugin ready. The plugin needs to have room for two instances a
    /// worker. To be called on a runtime with timers and I/O.
    pub async fn start(
        plugin: &Plugin,
        config: Config,
        settings: Settings,
    ) -> Result<Self, StartError> {
        let routes = Routes::new(&config, &Routes::default()).map_err(StartError::Config)?;
        if routes.prefixes().is_empty() {
            return Err(StartError::Config(vec![Fault {
                line: None,
                key: "upstream".to_owned(),
                reason: "is missing; add a table [[upstream]] with `prefix` and `base_url`"
                    .to_owned(),
            }]));
        }
        let listener = listen(config.listen.unwrap_or(LISTEN), "listen").await?;
        let admin_listener = match &config.metrics {
            Some(metrics) => Some(listen(metrics.listen, "metrics.listen").await?),
            None => None,
        };
        let limits = config.limits;
        let (live, live_receiver) = watch::channel(Arc::new(Live { routes, limits }));
        let metrics = Metrics::new();
        let options = Options::of(&config);
        let delivery = Delivery::counted(plugin, &options, settings, metrics.clone()).await?;
        let backlog = delivery.backlog().clone();

        let ready = Arc::new(AtomicBool::new(true));
        let closing = Arc::new(AtomicBool::new(false));
        let admin = Arc::new(Admin {
            metrics: metrics.clone(),
            backlog: backlog.clone(),
            ready: ready.clone(),
        });
        let answer = move |request| {
            let admin = admin.clone();
            async move { admin.answer(&request) }
        };
        let start = |listener| Server::start(listener, closing.clone(), answer);
        let admin = admin_listener.map(start);
        let proxy = Arc::new(Proxy {
            live: live_receiver,
            backlog: backlog.clone(),
            metrics: metrics.clone(),
            closing: closing.clone(),
        });
        let answer = move |request| {
            let proxy = proxy.clone();
            async move { proxy.answer(request).await }
        };
        let server = Server::start(listener, closing, answer);
        Ok(Self {
            server,
            admin,
            delivery,
            live,
            metrics,
            ready,
            config,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where metrics and health are served, if they are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Server::address)
    }

    /// Takes another configuration, for all requests and calls from here on; those under way go on
    /// as they began. Answers the keys whose change has to wait for a restart. Where the
    /// configuration is at fault, nothing changes.
    pub fn reload(
        &mut self,
        config: Config,
        settings: Settings,
    ) -> Result<Vec<&'static str>, Vec<Fault>> {
        let before = self.live.borrow().clone();
        let routes = Routes::new(&config, &before.routes)?;
        let limits = config.limits;
        self.live.send_replace(Arc::new(Live { routes, limits }));
        self.delivery.backlog().budget().set(config.queue.max_bytes);
        // Workers look at the bound when they take the settings.
        self.delivery.configure(settings);
        let metrics_listen = |config: &Config| config.metrics.as_ref().map(|m| m.listen);
        let old = &self.config;
        let fixed = [
            ("listen", old.listen != config.listen),
            (
                "metrics.listen",
                metrics_listen(old) != metrics_listen(&config),
            ),
            ("queue.workers", old.queue.workers != config.queue.workers),
            (
                "limits.plugin_cpu_ms",
                old.limits.plugin_cpu != config.limits.plugin_cpu,
            ),
            (
                "limits.plugin_memory_bytes",
                old.limits.plugin_memory_bytes != config.limits.plugin_memory_bytes,
            ),
            ("spool", old.spool != config.spool),
            ("dead_letter", old.dead_letter != config.dead_letter),
        ];
        self.config.drain_timeout = config.drain_timeout;
        let waiting = fixed.iter().filter(|(_, changed)| *changed);
        Ok(waiting.map(|(key, _)| *key).collect())
    }

    /// Counts a configuration that was taken or refused.
    pub fn count_reload(&self, taken: bool) {
        self.metrics.reloaded(taken);
    }

    /// Takes no more connections, lets calls under way end, delivers all that was logged, and ends.
    /// Calls and then deliveries have `drain_timeout_ms` each.
    pub async fn drain(self) -> Drained {
        self.ready.store(false, Relaxed);
        let within = self.config.drain_timeout;
        self.server.stop(within).await;
        let drained = self.delivery.drain(within).await;
        if let Some(admin) = self.admin {
            admin.stop(Duration::ZERO).await;
        }
        drained
    }
}

/// A listener, and where it listens.
async fn listen(
    address: SocketAddr,
    key: &'static str,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = TcpListener::bind(address).await;
    let bound = bound.and_then(|listener| listener.local_addr().map(|local| (listener, local)));
    bound.map_err(|reason| StartError::Listen {
        address,
        key,
        reason,
    })
}
