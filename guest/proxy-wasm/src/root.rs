//! The root context: settings, the timer, and the answers to requests.
//!
//! The proxy makes one a worker thread and configuration. When a configuration is replaced, the old one's goes on
//! until what it holds is delivered.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use logger_core::settings::Settings;
use logger_core::transport::RequestId;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType, LogLevel};

use crate::metrics::Metrics;
use crate::stream::Stream;
use crate::worker::{Step, Worker};
use crate::{host, http};

/// How often there is a slice of work while there is work.
const TICK: Duration = Duration::from_millis(10);

/// How long a replaced configuration may take to deliver what it holds.
const CLOSE: Duration = Duration::from_secs(120);

/// What all contexts of a configuration share on a worker thread.
pub struct Shared {
    /// The logging.
    pub worker: Worker,
    metrics: Metrics,
    /// The timer's period; none: it is off.
    armed: Option<Duration>,
    sent: HashMap<u32, RequestId>,
    /// Since when there is another configuration.
    closing: Option<Duration>,
}

/// The root context.
#[derive(Default)]
pub struct Root {
    shared: Option<Rc<RefCell<Shared>>>,
}

impl Shared {
    /// Has the timer come when there is something to do.
    pub fn arm(&mut self, now: Duration) {
        let wake = self.worker.wake(now);
        let idle = self.closing.map(|_| CLOSE / 10);
        let period = wake.or(idle).map(|wake| wake.max(TICK));
        // One that comes soon enough is left alone.
        let soon = |armed: Duration| period.is_some_and(|period| armed <= period);
        if period == self.armed || (period == Some(TICK) && self.armed.is_some_and(soon)) {
            return;
        }
        if hostcalls::set_tick_period(period.unwrap_or_default()).is_ok() {
            self.armed = period;
        }
    }

    /// Works for a slice.
    fn work(&mut self) {
        let from = host::now();
        let mut now = from;
        if let Some(end) = self.worker.slice(from) {
            while now < end {
                match self.worker.step(now) {
                    Step::Send(request) => match http::send(&request, &self.worker.proxy.cluster) {
                        Ok(token) => {
                            self.sent.insert(token, request.id);
                        }
                        Err(error) => self.worker.answered(now, request.id, Err(error)),
                    },
                    Step::More => {}
                    Step::Done => break,
                }
                now = host::now();
            }
            self.worker.worked(from, now);
        }
        self.report(now);
        self.arm(now);
    }

    fn report(&mut self, now: Duration) {
        for (is_warning, line) in self.worker.settle(now) {
            let level = if is_warning {
                LogLevel::Warn
            } else {
                LogLevel::Info
            };
            host::say(level, &line);
        }
        self.metrics.tell(self.worker.numbers());
    }

    /// Whether a replaced configuration has nothing left to do.
    fn is_closed(&mut self, now: Duration) -> bool {
        let Some(since) = self.closing else {
            return false;
        };
        self.worker.is_empty() || now.saturating_sub(since) > CLOSE
    }

    /// A replaced configuration ends. What it still holds is lost, and told.
    fn end(&mut self) {
        if !self.worker.is_empty() {
            let lost = self.worker.give_up();
            let seconds = CLOSE.as_secs();
            let line = format!(
                "a replaced configuration could not deliver {lost} calls within {seconds} s: they are lost"
            );
            host::say(LogLevel::Warn, &line);
        }
        self.metrics.tell(self.worker.numbers().without_gauges());
    }
}

impl Root {
    fn with<T>(&self, run: impl FnOnce(&mut Shared) -> T) -> Option<T> {
        let mut shared = self.shared.as_ref()?.try_borrow_mut().ok()?;
        Some(run(&mut shared))
    }

    fn configure(&mut self, size: usize) -> Result<(), String> {
        let bytes = match size {
            0 => None,
            _ => hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size).unwrap_or(None),
        };
        let bytes = bytes.unwrap_or_else(|| b"{}".to_vec());
        let text = String::from_utf8(bytes).map_err(|_| "the settings are not UTF-8".to_owned())?;
        let settings =
            Settings::parse_for_proxy(&text, host::variable).map_err(|error| error.to_string())?;
        let shared = Shared {
            worker: Worker::new(settings, host::seed(), host::now()),
            metrics: Metrics::define(),
            armed: None,
            sent: HashMap::new(),
            closing: None,
        };
        self.shared = Some(Rc::new(RefCell::new(shared)));
        Ok(())
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, fields: usize, body: usize, _: usize) {
        self.with(|shared| {
            let Some(request) = shared.sent.remove(&token) else {
                return;
            };
            let answer = http::answer(fields, body, &shared.worker.proxy.cluster);
            let now = host::now();
            shared.worker.answered(now, request, answer);
            shared.report(now);
            shared.arm(now);
        });
    }

    fn on_done(&mut self) -> bool {
        let done = self.with(|shared| {
            let now = host::now();
            shared.closing = Some(now);
            shared.worker.close();
            shared.arm(now);
            shared.is_closed(now)
        });
        done.unwrap_or(true)
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let configured = self.configure(size);
        if let Err(reason) = &configured {
            host::say(LogLevel::Error, &format!("invalid configuration: {reason}"));
        }
        configured.is_ok()
    }

    fn on_tick(&mut self) {
        let closed = self.with(|shared| {
            shared.work();
            let is_closed = shared.is_closed(host::now());
            if is_closed {
                shared.end();
            }
            is_closed
        });
        if closed == Some(true) {
            // Nothing more comes of this context.
            let _ = hostcalls::set_tick_period(Duration::ZERO);
            let _ = hostcalls::done();
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(self.shared.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
