//! What went wrong on the network, in the terms that `wasi:http` has for the guest.

use std::error::Error as StdError;
use std::io;

use wasmtime_wasi_http::Error;

/// Looks through an error's causes for the one that says most. Where `wasi:http` has no case that
/// keeps the words, they go into `internal-error`.
pub(crate) fn explain(error: &(dyn StdError + 'static)) -> Error {
    let mut words = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(known) = known(cause) {
            return known;
        }
        words.push(cause.to_string());
        next = cause.source();
    }
    // Causes often repeat what is beneath them.
    words.dedup();
    Error::InternalError(Some(words.join(": ")))
}

fn known(cause: &(dyn StdError + 'static)) -> Option<Error> {
    if cause.to_string() == "dns error" {
        let rcode = cause.source().map(ToString::to_string);
        return Some(Error::DnsError {
            rcode,
            info_code: None,
        });
    }
    if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
        return Some(Error::InternalError(Some(format!("TLS failed: {tls}"))));
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        // What an I/O error wraps is not among its causes.
        let within = error.get_ref().and_then(|inner| known(inner));
        return within.or_else(|| by_kind(error.kind()));
    }
    let error = cause.downcast_ref::<hyper::Error>()?;
    error
        .is_incomplete_message()
        .then_some(Error::ConnectionTerminated)
}

fn by_kind(kind: io::ErrorKind) -> Option<Error> {
    use io::ErrorKind::{
        BrokenPipe, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable,
        TimedOut, UnexpectedEof,
    };
    match kind {
        ConnectionRefused => Some(Error::ConnectionRefused),
        TimedOut => Some(Error::ConnectionTimeout),
        ConnectionReset | BrokenPipe | UnexpectedEof => Some(Error::ConnectionTerminated),
        HostUnreachable | NetworkUnreachable => Some(Error::DestinationIpUnroutable),
        _ => None,
    }
}
