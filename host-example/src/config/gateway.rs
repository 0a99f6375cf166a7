//! The tables that `serve` alone uses: where requests go, and within which bounds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;

use super::Fault;
use super::read::Reader;
use crate::origin::Origin;

/// `[metrics]`
#[derive(Clone, Debug)]
pub struct Metrics {
    /// The address.
    pub listen: SocketAddr,
}

/// `[[upstream]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The first part of the paths that go there, without a slash at its end.
    pub prefix: String,
    /// What takes the prefix's place, without a slash at its end.
    pub base_url: String,
    /// The provider's name. Absent: told from path, host and body.
    pub provider: Option<String>,
    /// Whether its calls are logged.
    pub log: bool,
    /// Certificates in PEM form that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long the response's head may take once the request has been sent.
    pub timeout: Duration,
    /// How long the next part of the response's body may take.
    pub idle_timeout: Duration,
}

/// `[limits]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A longer request is answered 413.
    pub max_request_bytes: u64,
    /// At most that much of a request's and of a response's body is logged; what is longer is
    /// logged cut, and passes whole.
    pub log_body_bytes: usize,
    /// CPU time that a call into the plugin may use; past that its instance is replaced.
    pub plugin_cpu: Duration,
    /// Memory that an instance of the plugin may use; past that it is replaced.
    pub plugin_memory_bytes: usize,
}

/// `[queue]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Bytes of calls that are under way, waiting or not yet delivered.
    pub max_bytes: usize,
    /// Instances of the plugin that share the work.
    pub workers: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_request_bytes: 256 << 20,
            log_body_bytes: 16 << 20,
            plugin_cpu: Duration::from_millis(PLUGIN_CPU_MS),
            plugin_memory_bytes: 512 << 20,
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
            workers: 2,
        }
    }
}

const CONNECT_MS: u64 = 5_000;
/// Long thinking before the first byte is common.
const TIMEOUT_MS: u64 = 600_000;
const IDLE_MS: u64 = 300_000;
const DRAIN_MS: u64 = 20_000;
const PLUGIN_CPU_MS: u64 = 10_000;
/// A day is as good as never, and keeps sums of times within range.
const LONGEST_MS: u64 = 86_400_000;

pub(super) fn metrics(metrics: &mut Reader<'_>) -> Option<Metrics> {
    let listen = metrics.parsed("listen", "an address and port, such as \"127.0.0.1:9090\"");
    let listen = metrics.required("listen", listen)?;
    Some(Metrics { listen })
}

pub(super) fn limits(limits: &mut Reader<'_>) -> Option<Limits> {
    let default = Limits::default();
    Some(Limits {
        max_request_bytes: limits
            .count("max_request_bytes", 1)
            .unwrap_or(default.max_request_bytes),
        log_body_bytes: size(limits, "log_body_bytes", 0).unwrap_or(default.log_body_bytes),
        plugin_cpu: milliseconds(limits, "plugin_cpu_ms", 10, PLUGIN_CPU_MS),
        plugin_memory_bytes: size(limits, "plugin_memory_bytes", 1 << 20)
            .unwrap_or(default.plugin_memory_bytes),
    })
}

pub(super) fn queue(queue: &mut Reader<'_>) -> Option<Queue> {
    let default = Queue::default();
    let workers = queue.count("workers", 1);
    if workers.is_some_and(|workers| workers > 64) {
        queue.fault(
            "workers",
            "expected at most 64: each is a thread with an instance",
        );
    }
    Some(Queue {
        max_bytes: size(queue, "max_bytes", 1 << 20).unwrap_or(default.max_bytes),
        workers: workers.map_or(default.workers, |workers| workers.min(64) as u16),
    })
}

pub(super) fn drain_timeout(root: &mut Reader<'_>) -> Duration {
    milliseconds(root, "drain_timeout_ms", 0, DRAIN_MS)
}

pub(super) fn upstream(upstream: &mut Reader<'_>) -> Option<Upstream> {
    let prefix = upstream.text("prefix");
    let base_url = upstream.text("base_url");
    let provider = upstream.text("provider");
    if let Some(prefix) = &prefix {
        check_prefix(upstream, prefix);
    }
    if let Some(base_url) = &base_url {
        check_base_url(upstream, base_url);
    }
    if provider.as_ref().is_some_and(String::is_empty) {
        upstream.fault(
            "provider",
            "is empty; leave it out to have it told from the request",
        );
    }
    let prefix = upstream.required("prefix", prefix);
    let base_url = upstream.required("base_url", base_url);
    let log = upstream.flag("log").unwrap_or(true);
    let ca_file = upstream.text("ca_file").map(PathBuf::from);
    let connect_timeout = milliseconds(upstream, "connect_timeout_ms", 1, CONNECT_MS);
    let timeout = milliseconds(upstream, "timeout_ms", 1, TIMEOUT_MS);
    let idle_timeout = milliseconds(upstream, "idle_timeout_ms", 1, IDLE_MS);
    Some(Upstream {
        prefix: prefix?.trim_end_matches('/').to_owned(),
        base_url: base_url?.trim_end_matches('/').to_owned(),
        provider,
        log,
        ca_file,
        connect_timeout,
        timeout,
        idle_timeout,
    })
}

fn check_prefix(upstream: &mut Reader<'_>, prefix: &str) {
    if !prefix.starts_with('/') {
        upstream.fault("prefix", "has to begin with a slash, such as \"/openai\"");
    } else if prefix.contains(['?', '#']) {
        upstream.fault("prefix", "has to be a path alone, without a query");
    }
}

fn check_base_url(upstream: &mut Reader<'_>, base_url: &str) {
    if Origin::parse(base_url).is_none() {
        upstream.fault(
            "base_url",
            "expected a URL that begins with http:// or https://",
        );
    } else if base_url.contains(['?', '#']) {
        upstream.fault("base_url", "has to end with a path, without a query");
    } else if base_url.parse().is_ok_and(|url: Uri| {
        url.authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
    }) {
        upstream.fault(
            "base_url",
            "holds credentials; the caller has to send them in a header",
        );
    }
}

pub(super) fn repeated_prefixes(upstreams: &[Upstream]) -> Vec<Fault> {
    let mut seen = BTreeMap::new();
    let mut faults = Vec::new();
    for (index, upstream) in upstreams.iter().enumerate() {
        if let Some(first) = seen.insert(upstream.prefix.as_str(), index) {
            faults.push(Fault {
                line: None,
                key: format!("upstream.{index}.prefix"),
                reason: format!("is the prefix of upstream number {} already", first + 1),
            });
        }
    }
    faults
}

fn milliseconds(table: &mut Reader<'_>, key: &'static str, least: u64, default: u64) -> Duration {
    let given = table.count(key, least).unwrap_or(default);
    Duration::from_millis(given.min(LONGEST_MS))
}

fn size(table: &mut Reader<'_>, key: &'static str, least: u64) -> Option<usize> {
    let bytes = table.count(key, least)?;
    Some(usize::try_from(bytes).unwrap_or(usize::MAX))
}
