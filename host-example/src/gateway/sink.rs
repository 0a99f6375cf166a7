//! What a worker needs of an instance: little enough to be played by a double in its tests.

use std::time::Duration;

use logger_core::event::TRUNCATED;

use super::record::Record;
use crate::bindings::llm_gateway::hooks::types::{CallStart, Context, Failure, Header, Tag};
use crate::error::LoggerError;
use crate::logger::{DeliveryReport, FlushMode, Logger, Stats};
use crate::plugin::Plugin;
use crate::settings::Settings;

/// Takes calls and delivers them.
pub(super) trait Sink {
    async fn configure(&mut self, settings: &Settings) -> Result<(), LoggerError>;
    async fn log(&mut self, record: &Record) -> Result<(), LoggerError>;
    async fn flush(&mut self, mode: FlushMode) -> Result<DeliveryReport, LoggerError>;
    async fn next_wake(&mut self) -> Result<Option<Duration>, LoggerError>;
    async fn stats(&mut self) -> Result<Stats, LoggerError>;
}

/// Makes sinks: one to begin with, and one for each that was lost to a trap.
pub(super) trait Sinks {
    type Sink: Sink;
    async fn fresh(&self) -> Result<Self::Sink, LoggerError>;
}

impl Sinks for Plugin {
    type Sink = Logger;

    async fn fresh(&self) -> Result<Logger, LoggerError> {
        self.instantiate().await
    }
}

impl Sink for Logger {
    async fn configure(&mut self, settings: &Settings) -> Result<(), LoggerError> {
        Logger::configure(self, settings).await
    }

    /// Tells the plugin of a call from its beginning to its end.
    async fn log(&mut self, record: &Record) -> Result<(), LoggerError> {
        let cuts = record.cuts();
        let tags = cuts.as_deref().map(|value| Tag {
            key: TRUNCATED,
            value,
        });
        let start = CallStart {
            key: record.start.key,
            at: record.at,
            call_id: Some(&record.start.call_id),
            method: &record.start.method,
            path: &record.start.path,
            authority: Some(&record.start.authority),
            provider: record.start.provider.as_deref(),
            headers: &fields(&record.start.headers),
            context: Context {
                traceparent: record.start.traceparent.as_deref(),
                session: None,
                user: None,
                tags: tags.as_slice(),
                experiment: None,
            },
        };
        let mut call = self.begin_call(start, &record.request.whole()).await?;
        if let Some(head) = &record.head {
            let headers = fields(&head.headers);
            call.response_head(self, head.at, head.status, &headers)
                .await?;
        }
        for (at, part) in &record.response.parts {
            call.chunk(self, *at, part).await?;
        }
        if record.response.is_cut() {
            let missing = record.response.came - record.response.kept as u64;
            call.gap(self, record.ended, missing).await?;
        }
        match &record.failure {
            None => call.finish(self, record.ended).await,
            Some(failed) => {
                let failure = Failure {
                    kind: &failed.kind,
                    message: &failed.message,
                };
                call.fail(self, record.ended, failure).await
            }
        }
    }

    async fn flush(&mut self, mode: FlushMode) -> Result<DeliveryReport, LoggerError> {
        Logger::flush(self, mode).await
    }

    async fn next_wake(&mut self) -> Result<Option<Duration>, LoggerError> {
        Logger::next_wake(self).await
    }

    async fn stats(&mut self) -> Result<Stats, LoggerError> {
        Logger::stats(self).await
    }
}

fn fields(fields: &[(String, Vec<u8>)]) -> Vec<Header<'_>> {
    fields
        .iter()
        .map(|(name, value)| Header { name, value })
        .collect()
}
