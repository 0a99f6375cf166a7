//! Loggers that have run for a while: their memory has grown to what they need, and what they logged is delivered before they
//! go on. Only the hooks are timed.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use cpu_time::ThreadTime;
use host_example::FlushMode;
use logger_core::transport::Response;
use logger_core::{FlushMode as CoreMode, Logger};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::component::{self, Component};
use crate::gateway::taker;
use crate::native;
use crate::turns::Contender;
use crate::workload::Workload;

/// Where what is logged goes: a server that takes everything.
pub struct Steady {
    server: SocketAddr,
    _runtime: Runtime,
}

impl Steady {
    /// Starts the server.
    pub fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        Ok(Self {
            server: runtime.block_on(taker())?,
            _runtime: runtime,
        })
    }

    /// Rounds of the workload through an instance: the CPU time that its hooks take, with all that the host does for them.
    pub fn component<'w>(
        &self,
        component: &Component,
        workload: &'w Workload,
    ) -> Result<Contender<'w>> {
        let settings = component::settings(&json!({
            "tracking_uri": format!("http://{}", self.server), "experiment_id": "0",
            "queue_max_bytes": 256 << 20,
        }));
        let mut logger = component.logger_with(&settings)?;
        Ok(Box::new(move || {
            let begun = ThreadTime::now();
            for (key, event) in (0..).zip(&workload.events) {
                component::log(&mut logger, key, event)?;
            }
            let taken = begun.elapsed();
            let report = logger.flush(FlushMode::All)?;
            ensure!(report.deferred.is_none(), "not all was delivered");
            Ok(taken)
        }))
    }

    /// The same of the core natively.
    pub fn native<'w>(&self, workload: &'w Workload) -> Result<Contender<'w>> {
        let mut logger = native::logger()?;
        Ok(Box::new(move || {
            let begun = ThreadTime::now();
            native::log_all(&mut logger, workload)?;
            let taken = begun.elapsed();
            deliver(&mut logger);
            Ok(taken)
        }))
    }
}

/// As if a server had taken all that is queued.
fn deliver(logger: &mut Logger) {
    logger.prepare(native::NOW, CoreMode::All);
    while let Some(request) = logger.poll_request(native::NOW) {
        let answer = Response {
            status: 200,
            retry_after: None,
            body: Vec::new(),
        };
        logger.on_response(native::NOW, request.id, Ok(answer));
    }
    logger.take_report(native::NOW);
}
