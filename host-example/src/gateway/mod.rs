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
//! What a call takes until it is delivered is bounded by one budget, `queue.max_bytes`. Where it is
//! used up, calls go unlogged, the oldest first; no call goes unserved.

mod admin;
mod backlog;
mod body;
mod budget;
mod crew;
mod exchange;
mod fault;
mod headers;
mod metrics;
mod proxy;
mod record;
mod server;
mod sink;
mod trace;
mod upstream;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::{Config, Fault};
use crate::error::LoggerError;
use crate::plugin::Plugin;
use crate::settings::Settings;
use admin::Admin;
use backlog::Backlog;
use budget::Budget;
use crew::Crew;
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
    crew: Crew,
    live: watch::Sender<Arc<Live>>,
    settings: watch::Sender<Settings>,
    backlog: Arc<Backlog>,
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

/// What a gateway that ended leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Calls that could not be delivered.
    pub undelivered: usize,
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
        let (settings, settings_receiver) = watch::channel(settings);

        let metrics = Metrics::new();
        let budget = Budget::new(config.queue.max_bytes);
        let backlog = Arc::new(Backlog::new(budget.clone(), metrics.clone()));
        let crew =
            Crew::start(plugin, config.queue, &settings_receiver, &backlog, &metrics).await?;

        let ready = Arc::new(AtomicBool::new(true));
        let closing = Arc::new(AtomicBool::new(false));
        let admin = Arc::new(Admin {
            metrics: metrics.clone(),
            budget,
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
            next_key: AtomicU64::new(1),
        });
        let answer = move |request| {
            let proxy = proxy.clone();
            async move { proxy.answer(request).await }
        };
        let server = Server::start(listener, closing, answer);
        Ok(Self {
            server,
            admin,
            crew,
            live,
            settings,
            backlog,
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
        self.settings.send_replace(settings);
        self.backlog.budget().set(config.queue.max_bytes);
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
        let undelivered = self.crew.stop(&self.backlog, within).await;
        if let Some(admin) = self.admin {
            admin.stop(Duration::ZERO).await;
        }
        Drained { undelivered }
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
