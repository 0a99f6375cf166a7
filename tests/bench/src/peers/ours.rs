//! This plugin: in the sandbox, as native code with a client of its own, and behind the host's queue.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cpu_time::ProcessTime;
use e2e::events::Call;
use host_example::delivery::{Delivery, EndedCall, Options};
use host_example::{FlushMode, Settings, blocking};
use logger_core::transport::{Method, Request, Response, TransportError};
use logger_core::{FlushMode as CoreMode, Logger};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{Peer, Taken};
use crate::component::{self, Component};
use crate::native;
use crate::workload::Workload;

/// How long MLflow may take for what is queued.
const PATIENCE: Duration = Duration::from_secs(120);

fn settings(uri: &str) -> Value {
    json!({"tracking_uri": uri, "experiment_id": "0"})
}

/// The hooks of the component, called by whoever made the call.
pub struct Sandboxed(blocking::Logger);

impl Sandboxed {
    pub fn new(component: &Component, uri: &str) -> Result<Self> {
        let settings = component::settings(&settings(uri));
        Ok(Self(component.logger_with(&settings)?))
    }
}

impl Peer for Sandboxed {
    fn name(&self) -> &'static str {
        "the component"
    }

    fn log(&mut self, calls: &[Call]) -> Result<Taken> {
        let events = Workload::of(calls).events;
        let (cpu, begun) = (ProcessTime::now(), Instant::now());
        for (key, event) in (0..).zip(&events) {
            component::log(&mut self.0, key, event)?;
        }
        let caller = begun.elapsed();
        let report = self.0.flush(FlushMode::All)?;
        let (cpu, wall) = (cpu.elapsed(), begun.elapsed());
        let refused = report.refused.len();
        ensure!(
            refused == 0 && report.deferred.is_none(),
            "not all was delivered"
        );
        Ok(Taken { cpu, caller, wall })
    }
}

/// The core as native code.
pub struct Native {
    logger: Logger,
    client: ureq::Agent,
    begun: Instant,
}

impl Native {
    pub fn new(uri: &str) -> Result<Self> {
        let mut logger = Logger::new(1);
        logger.configure(&settings(uri).to_string())?;
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        Ok(Self {
            logger,
            client: config.build().into(),
            begun: Instant::now(),
        })
    }

    fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let failed = |error: ureq::Error| TransportError::Other(error.to_string());
        let mut answer = match request.method {
            Method::Get => self.client.get(&request.url).call(),
            Method::Post => {
                let mut post = self.client.post(&request.url);
                for (name, value) in &request.headers {
                    post = post.header(*name, value);
                }
                post.send(&request.body)
            }
        }
        .map_err(failed)?;
        Ok(Response {
            status: answer.status().as_u16(),
            retry_after: None,
            body: answer.body_mut().read_to_vec().map_err(failed)?,
        })
    }
}

impl Peer for Native {
    fn name(&self) -> &'static str {
        "the core natively"
    }

    fn log(&mut self, calls: &[Call]) -> Result<Taken> {
        let events = Workload::of(calls).events;
        let (cpu, begun) = (ProcessTime::now(), Instant::now());
        for (key, event) in (0..).zip(&events) {
            native::log(&mut self.logger, key, event)?;
        }
        let caller = begun.elapsed();
        let now = || self.begun.elapsed() + native::NOW;
        self.logger.prepare(now(), CoreMode::All);
        while let Some(request) = self.logger.poll_request(now()) {
            let answer = self.send(&request);
            self.logger.on_response(now(), request.id, answer);
        }
        let report = self.logger.take_report(now());
        let (cpu, wall) = (cpu.elapsed(), begun.elapsed());
        let refused = report.refused.len();
        ensure!(
            refused == 0 && report.deferred.is_none(),
            "not all was delivered"
        );
        Ok(Taken { cpu, caller, wall })
    }
}

/// The host's queue: the caller hands the call over, and threads with instances do the rest.
pub struct Queued {
    component: Component,
    settings: Settings,
    runtime: Runtime,
}

impl Queued {
    pub fn new(component: &Component, uri: &str) -> Result<Self> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        Ok(Self {
            component: component.clone(),
            settings: component::settings(&settings(uri)),
            runtime: runtime.worker_threads(1).enable_all().build()?,
        })
    }
}

impl Peer for Queued {
    fn name(&self) -> &'static str {
        "the host's queue"
    }

    fn log(&mut self, calls: &[Call]) -> Result<Taken> {
        let ended: Vec<_> = calls.iter().map(ended).collect();
        let (options, settings) = (Options::default(), self.settings.clone());
        let start = Delivery::start(&self.component.plugin, &options, settings);
        let delivery = self.runtime.block_on(start)?;
        let (cpu, begun) = (ProcessTime::now(), Instant::now());
        for call in ended {
            delivery.log(call);
        }
        let caller = begun.elapsed();
        let left = self.runtime.block_on(delivery.drain(PATIENCE));
        let (cpu, wall) = (cpu.elapsed(), begun.elapsed());
        ensure!(left.undelivered == 0, "not all was delivered");
        Ok(Taken { cpu, caller, wall })
    }
}

/// The same call as a gateway sees it.
fn ended(call: &Call) -> EndedCall {
    let Some(last) = call.lines.last() else {
        return EndedCall::default();
    };
    let time = |line: &Value, key: &str| line[key].as_u64().unwrap_or_default();
    let kwargs = &last["kwargs"];
    let chunks = call
        .lines
        .split_last()
        .map_or(&[][..], |(_, chunks)| chunks);
    let streamed = !chunks.is_empty();
    let request = json!({
        "model": kwargs["model"], "messages": kwargs["messages"], "stream": streamed,
    });
    let end = time(last, "end_time");
    let response = if streamed {
        let part = |data: String| format!("data: {data}\n\n").into();
        let parts = chunks.iter().map(|line| {
            (
                time(line, "end_time"),
                part(line["response_obj"].to_string()),
            )
        });
        parts.chain([(end, part("[DONE]".to_owned()))]).collect()
    } else {
        vec![(end, last["response_obj"].to_string().into())]
    };
    EndedCall {
        call_id: kwargs["litellm_call_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        path: "/v1/chat/completions".to_owned(),
        authority: "api.openai.com".to_owned(),
        request: request.to_string().into(),
        status: Some(200),
        response,
        ..EndedCall::at(time(last, "start_time"), end)
    }
}
