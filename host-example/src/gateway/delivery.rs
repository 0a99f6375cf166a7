//! From a call that has ended to the server: queue, spool and workers, for the gateway and for services
//! that see their calls themselves.
//!
//! ```no_run
//! # async fn example(plugin: host_example::Plugin, settings: host_example::Settings) -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use host_example::delivery::{Delivery, EndedCall, Options};
//!
//! let delivery = Delivery::start(&plugin, &Options::with_spool("spool"), settings).await?;
//! // Takes microseconds, and never waits for the plugin or the server.
//! delivery.log(EndedCall {
//!     path: "/v1/chat/completions".to_owned(),
//!     authority: "api.openai.com".to_owned(),
//!     request: r#"{"model":"gpt-4o-mini","messages":[]}"#.into(),
//!     status: Some(200),
//!     response: vec![(1_767_323_046_000_000_000, "{}".into())],
//!     ..EndedCall::at(1_767_323_045_000_000_000, 1_767_323_046_000_000_000)
//! });
//! let drained = delivery.drain(Duration::from_secs(20)).await;
//! # Ok(())
//! # }
//! ```

mod open;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use hyper::body::Bytes;
use logger_core::credentials;
use tokio::sync::watch;
use tokio::time::Instant;

use super::StartError;
use super::backlog::Backlog;
use super::budget::{Budget, Weight};
use super::crew::Crew;
use super::headers;
use super::keeper::Keeper;
use super::metrics::Metrics;
use super::record::written::Redaction;
use super::record::{Copied, Failed, Head, Record, Start, bytes_of};
use super::trace::random_hex;
use crate::call::Timestamp;
use crate::config::{Config, DeadLetter, Queue, Spool as SpoolTable};
use crate::plugin::Plugin;
use crate::settings::Settings;

/// How long the disk may take for what is left in memory at the end.
const LAST: Duration = Duration::from_secs(5);

/// Queue, spool and workers.
pub struct Delivery {
    backlog: Arc<Backlog>,
    metrics: Arc<Metrics>,
    crew: Crew,
    keeper: Keeper,
    settings: watch::Sender<Settings>,
}

/// Within which bounds calls are kept, and where. The tables of the gateway's configuration.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `[queue]`
    pub queue: Queue,
    /// `[spool]`. None: what is not delivered is in memory alone.
    pub spool: Option<SpoolTable>,
    /// `[dead_letter]`
    pub dead_letter: DeadLetter,
}

/// A call that has ended, to be logged.
#[derive(Clone, Debug, Default)]
pub struct EndedCall {
    /// Its own id: logged again under it, it is the same trace. Empty: one is made.
    pub call_id: String,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// The request's method.
    pub method: String,
    /// Its path with its query, as at the provider.
    pub path: String,
    /// Host and port of the provider.
    pub authority: String,
    /// The provider's name. None: told from path, host and body.
    pub provider: Option<String>,
    /// The caller's span.
    pub traceparent: Option<String>,
    /// The request's header fields. Those that carry credentials are left out.
    pub headers: HeaderMap,
    /// The request's body.
    pub request: Bytes,
    /// The response's status, if one came.
    pub status: Option<u16>,
    /// Its header fields.
    pub response_headers: HeaderMap,
    /// Its body in the parts that came, each with when it came.
    pub response: Vec<(Timestamp, Bytes)>,
    /// How it failed, if it did not end with its response: one word, and in words.
    pub failure: Option<(String, String)>,
}

/// What is not delivered at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Calls that could not be delivered, and are lost.
    pub undelivered: usize,
    /// Calls that are in the spool, and are delivered when it is used again.
    pub spooled: usize,
}

impl Options {
    /// A spool in this directory, and otherwise what holds where nothing is said.
    pub fn with_spool(dir: impl Into<PathBuf>) -> Self {
        Self {
            spool: Some(SpoolTable::new(dir)),
            ..Self::default()
        }
    }

    /// Those of a configuration.
    pub(super) fn of(config: &Config) -> Self {
        Self {
            queue: config.queue,
            spool: config.spool.clone(),
            dead_letter: config.dead_letter.clone(),
        }
    }
}

impl EndedCall {
    /// A `POST` at this time, of which nothing else is known.
    pub fn at(began: Timestamp, ended: Timestamp) -> Self {
        Self {
            began,
            ended,
            method: "POST".to_owned(),
            ..Self::default()
        }
    }
}

impl Delivery {
    /// Starts the workers, each with its instance ready. What the spool holds is delivered as well. The
    /// plugin needs to have room for two instances a worker.
    pub async fn start(
        plugin: &Plugin,
        options: &Options,
        settings: Settings,
    ) -> Result<Self, StartError> {
        Self::counted(plugin, options, settings, Metrics::new()).await
    }

    /// The same, counted with other things.
    pub(super) async fn counted(
        plugin: &Plugin,
        options: &Options,
        settings: Settings,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StartError> {
        let spool = open::spool(options, &metrics)?;
        let letters = open::letters(options)?;
        let budget = Budget::new(options.queue.max_bytes);
        let redaction = Redaction::new(&settings);
        let backlog = Backlog::new(budget, metrics.clone(), spool, letters, redaction);
        let backlog = Arc::new(backlog);
        let (settings, receiver) = watch::channel(settings);
        let crew = Crew::start(plugin, options.queue, &receiver, &backlog, &metrics).await?;
        let keeper = Keeper::start(&backlog).map_err(StartError::Thread)?;
        Ok(Self {
            backlog,
            metrics,
            crew,
            keeper,
            settings,
        })
    }

    /// Logs a call. Never waits for the plugin or the server; with a spool, the call survives this
    /// process once this has returned. Where there is no room, the oldest call makes room.
    pub fn log(&self, call: EndedCall) {
        let (mut record, bytes) = record(call, Weight::none(self.backlog.budget()));
        if self.backlog.make_room(&mut record.weight, bytes) {
            record.start.key = self.backlog.next_key();
            self.backlog.push(record);
        } else {
            self.backlog.count_lost();
        }
    }

    /// Other settings, for all calls from here on.
    pub fn configure(&self, settings: Settings) {
        self.backlog.redaction().replace(&settings);
        self.settings.send_replace(settings);
    }

    /// What was counted, as Prometheus reads it.
    pub fn metrics(&self) -> String {
        let text = self.metrics.encode(&self.backlog.gauges());
        text.unwrap_or_default()
    }

    /// Where the gateway's calls are pushed.
    pub(super) fn backlog(&self) -> &Arc<Backlog> {
        &self.backlog
    }

    /// Delivers all that was logged, and ends.
    pub async fn drain(self, within: Duration) -> Drained {
        let until = Instant::now() + within;
        let undelivered = self.crew.stop(&self.backlog, until).await;
        let last = until.max(Instant::now()) + LAST;
        self.keeper.stop(last).await;
        let (spooled, lost) = self.backlog.left();
        Drained {
            undelivered: undelivered + lost,
            spooled,
        }
    }
}

/// What is kept of a call, with a key to come, and the bytes that it takes.
fn record(call: EndedCall, weight: Weight) -> (Record, usize) {
    let [headers, response_headers] = [&call.headers, &call.response_headers].map(headers::kept);
    let began = call.began;
    let head_came = call.response.first().map_or(call.ended, |(at, _)| *at);
    let (request, of_request) = Copied::of(vec![(began, call.request)]);
    let (response, of_response) = Copied::of(call.response);
    let bytes = size_of::<Record>()
        + call.path.len()
        + bytes_of(&headers)
        + bytes_of(&response_headers)
        + of_request
        + of_response;
    let call_id = match call.call_id {
        id if id.is_empty() => random_hex(16),
        id => id,
    };
    let record = Record {
        start: Start {
            key: 0,
            call_id,
            method: call.method,
            path: credentials::hidden_in_path(&call.path),
            authority: call.authority,
            provider: call.provider,
            traceparent: call.traceparent,
            headers,
        },
        at: began,
        request,
        head: call.status.map(|status| Head {
            at: head_came,
            status,
            headers: response_headers,
        }),
        response,
        // A clock that was set back makes no call end before it began.
        ended: call.ended.max(began),
        failure: call.failure.map(|(kind, message)| Failed {
            kind: kind.into(),
            message,
        }),
        weight,
        ticket: None,
        stale: false,
        shed: 0,
    };
    (record, bytes)
}
