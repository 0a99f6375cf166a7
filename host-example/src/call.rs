//! One call that a gateway forwards: the WIT resource `call`.

use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::ResourceAny;

use crate::error::LoggerError;
use crate::logger::{Logger, refused};

pub use crate::bindings::llm_gateway::hooks::types::{
    CallEvent, CallStart, Failure, Header, Timestamp,
};

/// A call under way. It belongs to the [`Logger`] that began it, which every method takes.
///
/// Dropped without [`finish`](Self::finish) or [`fail`](Self::fail), it is logged as cancelled: the
/// guest hears of it with the next call into that logger, `next_wake` included.
pub struct Call {
    handle: ResourceAny,
    abandoned: Abandoned,
}

/// Handles of calls that were dropped, to be dropped in the guest too.
#[derive(Clone, Default)]
pub(crate) struct Abandoned(Arc<Mutex<Vec<ResourceAny>>>);

impl Abandoned {
    pub fn take(&self) -> Vec<ResourceAny> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, call: ResourceAny) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(call);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.abandoned.add(self.handle);
    }
}

impl Logger {
    /// A request has come, `body` being its whole body as sent.
    pub async fn begin_call(
        &mut self,
        start: CallStart<'_>,
        body: &[u8],
    ) -> Result<Call, LoggerError> {
        let handle = self
            .enter("call.begin", async |inside| {
                let call = inside.guest.call();
                call.call_begin(inside.store, start, body).await
            })
            .await?
            .map_err(refused)?;
        Ok(Call {
            handle,
            abandoned: self.abandoned.clone(),
        })
    }
}

impl Call {
    /// The response's status and header fields have come.
    pub async fn response_head(
        &mut self,
        logger: &mut Logger,
        at: Timestamp,
        status: u16,
        headers: &[Header<'_>],
    ) -> Result<(), LoggerError> {
        let handle = self.handle;
        logger
            .enter("call.response-head", async |inside| {
                let call = inside.guest.call();
                call.call_response_head(inside.store, handle, at, status, headers)
                    .await
            })
            .await?
            .map_err(refused)
    }

    /// A part of the response's body has come, split anywhere.
    pub async fn chunk(
        &mut self,
        logger: &mut Logger,
        at: Timestamp,
        bytes: &[u8],
    ) -> Result<(), LoggerError> {
        let handle = self.handle;
        logger
            .enter("call.chunk", async |inside| {
                let call = inside.guest.call();
                call.call_chunk(inside.store, handle, at, bytes).await
            })
            .await?
            .map_err(refused)
    }

    /// So many bytes of the response's body are not handed over from here on.
    pub async fn gap(
        &mut self,
        logger: &mut Logger,
        at: Timestamp,
        bytes: u64,
    ) -> Result<(), LoggerError> {
        let handle = self.handle;
        logger
            .enter("call.gap", async |inside| {
                let call = inside.guest.call();
                call.call_gap(inside.store, handle, at, bytes).await
            })
            .await?
            .map_err(refused)
    }

    /// Something happened on the way.
    pub async fn event(
        &mut self,
        logger: &mut Logger,
        event: CallEvent<'_>,
    ) -> Result<(), LoggerError> {
        let handle = self.handle;
        logger
            .enter("call.event", async |inside| {
                let call = inside.guest.call();
                call.call_event(inside.store, handle, event).await
            })
            .await?
            .map_err(refused)
    }

    /// The response has ended as it should.
    pub async fn finish(self, logger: &mut Logger, at: Timestamp) -> Result<(), LoggerError> {
        let handle = self.handle;
        let answer = logger
            .enter("call.finish", async |inside| {
                let call = inside.guest.call();
                call.call_finish(inside.store, handle, at).await
            })
            .await?;
        self.ended(logger).await?;
        answer.map_err(refused)
    }

    /// The call failed.
    pub async fn fail(
        self,
        logger: &mut Logger,
        at: Timestamp,
        failure: Failure<'_>,
    ) -> Result<(), LoggerError> {
        let handle = self.handle;
        let answer = logger
            .enter("call.fail", async |inside| {
                let call = inside.guest.call();
                call.call_fail(inside.store, handle, at, failure).await
            })
            .await?;
        self.ended(logger).await?;
        answer.map_err(refused)
    }

    /// Drops it in the guest at once: should that trap, it is this call's fault and not the next one's.
    async fn ended(self, logger: &mut Logger) -> Result<(), LoggerError> {
        drop(self);
        logger.enter("call.drop", async |_| Ok(())).await
    }
}
