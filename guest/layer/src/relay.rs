//! A request to the next handler and its response back, each part as it comes.

use std::cell::RefCell;
use std::rc::Rc;

use logger_core::event::CLIENT_GONE;
use logger_core::passing::{Head, Passing};
use wit_bindgen::{StreamReader, StreamResult, StreamWriter, spawn_local};

use crate::bindings::wasi::http::handler;
use crate::bindings::wasi::http::types::{ErrorCode, Method, Request, Response};
use crate::bindings::{wit_future, wit_stream};
use crate::clock::{borrowed, moment, now};
use crate::{LOGGER, mlflow};

/// How much is read at a time at most.
const PART: usize = 64 * 1024;

/// Hands a request on, and answers with what comes back of it.
pub async fn run(request: Request) -> Result<Response, ErrorCode> {
    let passing = Rc::new(RefCell::new(Passing::new(moment().at)));
    let (method, path) = (request.get_method(), request.get_path_with_query());
    let (scheme, authority) = (request.get_scheme(), request.get_authority());
    let (headers, options) = (request.get_headers(), request.get_options());
    let fields = headers.copy_all();

    let (read, done) = wit_future::new(|| Ok(()));
    let (body, trailers) = Request::consume_body(request, done);
    let (out, passed) = wit_stream::new();
    let (next, _sent) = Request::new(headers.clone(), Some(passed), trailers, options);
    let kept = next.set_method(&method).is_ok()
        && next.set_path_with_query(path.as_deref()).is_ok()
        && next.set_scheme(scheme.as_ref()).is_ok()
        && next.set_authority(authority.as_deref()).is_ok();
    if !kept {
        return Err(ErrorCode::HttpProtocolError);
    }
    let recorded = passing.clone();
    spawn_local(async move {
        relay(body, out, |part| recorded.borrow_mut().request(part)).await;
        drop(read);
    });

    let answer = handler::handle(next).await;
    let head = Head {
        method: &name(&method),
        path: path.as_deref().unwrap_or("/"),
        authority: authority.as_deref(),
        provider: None,
        fields: borrowed(&fields),
    };
    // A handler that answers before it has read all of a request is told of it as far as it has come.
    LOGGER.with_borrow_mut(|logger| passing.borrow_mut().begin(logger, now(), head));
    match answer {
        Ok(response) => Ok(pass(response, passing)),
        Err(error) => {
            let reason = format!("{error:?}");
            LOGGER.with_borrow_mut(|logger| {
                passing
                    .borrow()
                    .fail(logger, moment(), ("handler-error", &reason));
            });
            spawn_local(mlflow::deliver());
            Err(error)
        }
    }
}

/// Passes a response on; what is logged is sent after it.
fn pass(response: Response, passing: Rc<RefCell<Passing>>) -> Response {
    let (status, headers) = (response.get_status_code(), response.get_headers());
    let fields = headers.copy_all();
    LOGGER.with_borrow_mut(|logger| {
        passing
            .borrow()
            .head(logger, moment().at, status, &borrowed(&fields));
    });
    let (read, done) = wit_future::new(|| Ok(()));
    let (body, trailers) = Response::consume_body(response, done);
    let (out, passed) = wit_stream::new();
    let (answer, _sent) = Response::new(headers.clone(), Some(passed), trailers);
    let _ = answer.set_status_code(status);
    spawn_local(async move {
        let whole = relay(body, out, |part| {
            LOGGER
                .with_borrow_mut(|logger| passing.borrow_mut().response(logger, moment().at, part));
        });
        let whole = whole.await;
        drop(read);
        LOGGER.with_borrow_mut(|logger| match whole {
            true => passing.borrow().finish(logger, moment()),
            false => passing.borrow().fail(logger, moment(), CLIENT_GONE),
        });
        mlflow::deliver().await;
    });
    answer
}

/// Copies what comes in to where it goes on, and shows each part when it has gone. Whether all of it has.
async fn relay(
    mut from: StreamReader<u8>,
    mut to: StreamWriter<u8>,
    mut show: impl FnMut(&[u8]),
) -> bool {
    let mut buffer = Vec::with_capacity(PART);
    loop {
        let (result, part) = from.read(buffer).await;
        if !part.is_empty() {
            let shown = part.clone();
            let left = to.write_all(part).await;
            show(&shown);
            if !left.is_empty() {
                return false;
            }
            buffer = left;
        } else {
            buffer = part;
        }
        if result == StreamResult::Dropped {
            return true;
        }
    }
}

fn name(method: &Method) -> String {
    match method {
        Method::Other(other) => other.clone(),
        // `Method::Get` and so on.
        known => {
            let known = format!("{known:?}").to_ascii_uppercase();
            known.rsplit(':').next().unwrap_or_default().to_owned()
        }
    }
}
