//! A request's callbacks: what passes is copied, and never held back.
//!
//! The heads are read when all is over: then they are as the upstream got and gave them, and a call
//! that is not logged costs nothing for them.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType};

use crate::ending::{self, Failed};
use crate::head::{Fields, Request, Response};
use crate::host;
use crate::record::{Body, Ended, Record};
use crate::root::Shared;

/// A request, and what is logged of it.
pub struct Stream {
    shared: Option<Rc<RefCell<Shared>>>,
    record: Option<Box<Record>>,
}

impl Stream {
    /// A request that has not come yet.
    pub fn new(shared: Option<Rc<RefCell<Shared>>>) -> Self {
        Self {
            shared,
            record: None,
        }
    }

    fn begin(&self) -> Option<Box<Record>> {
        let mut shared = self.shared.as_ref()?.try_borrow_mut().ok()?;
        let worker = &mut shared.worker;
        let mut provider = None;
        if !worker.proxy.upstreams.is_empty() {
            let path = hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, ":path");
            let path = path.unwrap_or(None).unwrap_or_default();
            let upstream = worker.proxy.upstream(&String::from_utf8_lossy(&path))?;
            provider = upstream.provider.clone();
        }
        let admitted = worker.admits();
        admitted.then(|| worker.begin(host::time(), provider))
    }

    /// Copies a part of a body, as far as it is wanted.
    fn copy(&mut self, kind: BufferType, size: usize, body: fn(&mut Record) -> &mut Body) {
        let (Some(record), Some(shared), true) = (&mut self.record, &self.shared, size > 0) else {
            return;
        };
        let Ok(mut shared) = shared.try_borrow_mut() else {
            return;
        };
        let started = record.started;
        let body = body(record);
        let copied = match shared.worker.wants(body, size) {
            0 => Vec::new(),
            wanted => {
                let bytes = hostcalls::get_buffer(kind, 0, wanted).unwrap_or(None);
                bytes.unwrap_or_default()
            }
        };
        // When a request's parts came is of no interest.
        let at = match kind {
            BufferType::HttpResponseBody => host::time(),
            _ => started,
        };
        shared.worker.keep(body, at, size, copied);
    }

    fn end(&mut self) -> Option<()> {
        let mut record = self.record.take()?;
        let mut shared = self.shared.as_ref()?.try_borrow_mut().ok()?;
        let request = Request::of(fields(MapType::HttpRequestHeaders));
        let mut response = Response::of(fields(MapType::HttpResponseHeaders));
        let failed = match judge(&record, &request, &response) {
            Verdict::NoCall => {
                shared.worker.forget(&record);
                return None;
            }
            Verdict::Answered => None,
            Verdict::Failed(failed) => Some((false, failed)),
            Verdict::FailedBefore(failed) => Some((true, failed)),
        };
        if let Some((true, _)) = failed {
            // It is not the upstream's.
            response = Response::default();
            shared.worker.discard(&mut record.response);
        }
        let at = host::time();
        shared.worker.end(Ended {
            record,
            request,
            response,
            at,
            failed: failed.map(|(_, failed)| failed),
        });
        shared.arm(std::time::Duration::from_nanos(at));
        Some(())
    }
}

/// What became of a request.
enum Verdict {
    /// It was none that an upstream was to answer.
    NoCall,
    /// The upstream's response came to its end; or one as good as that: a limit, a fault injected.
    Answered,
    /// The response broke off.
    Failed(Failed),
    /// The response is the proxy's, as the upstream gave none.
    FailedBefore(Failed),
}

fn judge(record: &Record, request: &Request, response: &Response) -> Verdict {
    let details = || {
        let details = hostcalls::get_property(vec!["response", "code_details"]);
        let details = details.unwrap_or(None).unwrap_or_default();
        String::from_utf8_lossy(&details).into_owned()
    };
    let broken = |details: &str| match record.is_complete {
        true => Verdict::Answered,
        false => Verdict::Failed(ending::broken_off(details)),
    };
    match response.status {
        // A tunnel, or another protocol from here on.
        Some(101) => Verdict::NoCall,
        _ if request.method == "CONNECT" => Verdict::NoCall,
        Some(404) if ending::is_no_call(&details()) => Verdict::NoCall,
        Some(500..) => {
            let details = details();
            let failed = ending::answered_by_proxy(&details);
            failed.map_or_else(|| broken(&details), Verdict::FailedBefore)
        }
        _ if record.is_complete => Verdict::Answered,
        _ => broken(&details()),
    }
}

fn fields(kind: MapType) -> Fields {
    hostcalls::get_map_bytes(kind).unwrap_or_default()
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.record = self.begin();
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, _: bool) -> Action {
        self.copy(BufferType::HttpRequestBody, size, |record| {
            &mut record.request
        });
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, is_end: bool) -> Action {
        self.ends(is_end);
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, is_end: bool) -> Action {
        self.copy(BufferType::HttpResponseBody, size, |record| {
            &mut record.response
        });
        self.ends(is_end);
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.ends(true);
        Action::Continue
    }

    fn on_log(&mut self) {
        self.end();
    }
}

impl Stream {
    fn ends(&mut self, is_end: bool) {
        if let (Some(record), true) = (&mut self.record, is_end) {
            record.is_complete = true;
        }
    }
}
