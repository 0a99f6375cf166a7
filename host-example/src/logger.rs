//! One instance of a plugin, with its hooks as async functions.

use std::time::Duration;

use wasmtime::Store;

use crate::bindings::PluginPre;
use crate::bindings::exports::llm_gateway::hooks::logger::Guest;
use crate::call::Abandoned;
use crate::engine::Engine;
use crate::error::{LoggerError, Refusal};
use crate::meter::{CpuExceeded, Meter};
use crate::origin::Origin;
use crate::outbound::Timeouts;
use crate::settings::Settings;
use crate::state::{self, State};

pub use crate::bindings::llm_gateway::hooks::types::{
    DeliveryReport, Description, Event, FlushMode, HookedEvent, Stats,
};

/// One instance. It serves one call at a time, and keeps what it holds in memory alone.
///
/// A call that traps, or whose future is dropped halfway, leaves the instance unusable; from then
/// on each call answers [`LoggerError::Unusable`], and a fresh one has to be made.
pub struct Logger {
    store: Store<State>,
    guest: Guest,
    meter: Meter,
    pub(crate) abandoned: Abandoned,
    usable: bool,
}

/// The guest and its store, for the time of one call.
pub(crate) struct Inside<'a> {
    pub guest: &'a Guest,
    pub store: &'a mut Store<State>,
}

impl Logger {
    pub(crate) async fn new(engine: &Engine, pre: &PluginPre<State>) -> Result<Self, LoggerError> {
        let (mut store, meter) = state::store(engine);
        let instance = meter.run(pre.instantiate_async(&mut store)).await;
        let instance = instance.map_err(|error| trap("instantiate", &error))?;
        Ok(Self {
            guest: instance.llm_gateway_hooks_logger().clone(),
            store,
            meter,
            abandoned: Abandoned::default(),
            usable: true,
        })
    }

    /// What the plugin is and which settings it takes.
    pub async fn describe(&mut self) -> Result<Description, LoggerError> {
        self.enter("describe", async |inside| {
            inside.guest.call_describe(inside.store).await
        })
        .await
    }

    /// Sets all settings, and opens the way to the server they name.
    pub async fn configure(&mut self, settings: &Settings) -> Result<(), LoggerError> {
        let json = settings.to_json();
        let taken = self
            .enter("configure", async |inside| {
                inside.guest.call_configure(inside.store, &json).await
            })
            .await?;
        taken.map_err(Refusal::from)?;
        let outbound = &mut self.store.data_mut().outbound;
        match settings.text("tracking_uri").and_then(Origin::parse) {
            Some(origin) => outbound.allow(origin, timeouts(settings)),
            None => tracing::warn!("the settings name no server, so the plugin can reach none"),
        }
        Ok(())
    }

    /// Logs a call that succeeded.
    pub async fn log_success_event(&mut self, event: Event<'_>) -> Result<(), LoggerError> {
        self.enter("log-success-event", async |inside| {
            inside
                .guest
                .call_log_success_event(inside.store, event)
                .await
        })
        .await?
        .map_err(refused)
    }

    /// Logs a call that failed.
    pub async fn log_failure_event(&mut self, event: Event<'_>) -> Result<(), LoggerError> {
        self.enter("log-failure-event", async |inside| {
            inside
                .guest
                .call_log_failure_event(inside.store, event)
                .await
        })
        .await?
        .map_err(refused)
    }

    /// Logs one chunk of a streamed response.
    pub async fn log_stream_event(&mut self, event: Event<'_>) -> Result<(), LoggerError> {
        self.enter("log-stream-event", async |inside| {
            inside
                .guest
                .call_log_stream_event(inside.store, event)
                .await
        })
        .await?
        .map_err(refused)
    }

    /// Logs several events in order. One answer an event, in the same order.
    pub async fn log_events(
        &mut self,
        events: &[HookedEvent<'_>],
    ) -> Result<Vec<Result<(), Refusal>>, LoggerError> {
        let answers = self
            .enter("log-events", async |inside| {
                inside.guest.call_log_events(inside.store, events).await
            })
            .await?;
        Ok(answers
            .into_iter()
            .map(|answer| answer.map_err(Refusal::from))
            .collect())
    }

    /// Sends, waiting for the network, and reports what became of events since the last report.
    pub async fn flush(&mut self, mode: FlushMode) -> Result<DeliveryReport, LoggerError> {
        self.enter("flush", async |inside| {
            inside.guest.call_flush(inside.store, mode).await
        })
        .await?
        .map_err(refused)
    }

    /// When to call [`flush`](Self::flush) with [`FlushMode::Due`]; none: there is nothing to do
    /// until something is logged.
    pub async fn next_wake(&mut self) -> Result<Option<Duration>, LoggerError> {
        let wake = self
            .enter("next-wake", async |inside| {
                inside.guest.call_next_wake(inside.store).await
            })
            .await?;
        Ok(wake.map(Duration::from_millis))
    }

    /// What the plugin has done so far.
    pub async fn stats(&mut self) -> Result<Stats, LoggerError> {
        self.enter("stats", async |inside| {
            inside.guest.call_stats(inside.store).await
        })
        .await
    }

    /// Whether the instance still takes calls.
    pub fn is_usable(&self) -> bool {
        self.usable
    }

    /// Calls into the guest, within its CPU time, after the calls that were dropped since the last
    /// time have been dropped in the guest too.
    pub(crate) async fn enter<R>(
        &mut self,
        hook: &'static str,
        call: impl AsyncFnOnce(Inside<'_>) -> wasmtime::Result<R>,
    ) -> Result<R, LoggerError> {
        if !self.usable {
            return Err(LoggerError::Unusable);
        }
        // Until the call has come back: see the type's documentation.
        self.usable = false;
        let store = &mut self.store;
        let guest = &self.guest;
        let abandoned = self.abandoned.take();
        store.set_epoch_deadline(1);
        let result = self.meter.run(async {
            for call in abandoned {
                call.resource_drop_async(&mut *store).await?;
            }
            call(Inside { guest, store }).await
        });
        let result = result.await.map_err(|error| trap(hook, &error))?;
        self.usable = true;
        Ok(result)
    }
}

pub(crate) fn refused(error: impl Into<Refusal>) -> LoggerError {
    LoggerError::Refused(error.into())
}

fn trap(hook: &'static str, error: &wasmtime::Error) -> LoggerError {
    match error.downcast_ref::<CpuExceeded>() {
        Some(CpuExceeded(limit)) => LoggerError::CpuExceeded {
            hook,
            limit: *limit,
        },
        None => LoggerError::Trap {
            hook,
            reason: error.root_cause().to_string(),
        },
    }
}

fn timeouts(settings: &Settings) -> Timeouts {
    let timeout = settings.number("timeout_ms").unwrap_or(30_000);
    let spans = settings.number("batch_max_spans").unwrap_or(256);
    // A day is as good as never, and keeps the sums of times within range.
    let timeout = Duration::from_millis(timeout.min(86_400_000));
    Timeouts::for_batches(timeout, u32::try_from(spans.min(65_536)).unwrap_or(256))
}

#[cfg(test)]
mod tests;
