//! A request to whichever server, as `wasi:http` lets a guest make it.

use crate::bindings::wasi::http::outgoing_handler::handle;
use crate::bindings::wasi::http::types::{ErrorCode, Fields, OutgoingRequest, Scheme};

/// Asks for a page, and says what came of it: `status 200`, or the error.
pub fn get(url: &str) -> String {
    match status(url) {
        Ok(status) => format!("status {status}"),
        Err(error) => format!("{error:?}"),
    }
}

fn status(url: &str) -> Result<u16, ErrorCode> {
    let invalid = |()| ErrorCode::HttpRequestUriInvalid;
    let (scheme, rest) = url
        .split_once("://")
        .ok_or(ErrorCode::HttpRequestUriInvalid)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&scheme)).map_err(invalid)?;
    request.set_authority(Some(authority)).map_err(invalid)?;
    request.set_path_with_query(Some(path)).map_err(invalid)?;
    let response = handle(request, None)?;
    response.subscribe().block();
    let nothing = || ErrorCode::InternalError(None);
    let answer = response.get().ok_or_else(nothing)?;
    Ok(answer.map_err(|()| nothing())??.status())
}
