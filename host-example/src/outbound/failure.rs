//! What went wrong on the network, in the terms that `wasi:http` has for the guest.

use std::error::Error as StdError;
use std::io;

use wasmtime_wasi_http::Error;

/// Looks through an error's causes for the one that says most. Where `wasi:http` has no case that
/// keeps the words, they go into `internal-error`.
pub(super) fn explain(error: &(dyn StdError + 'static)) -> Error {
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
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        if let Some(tls) = inner {
            return Some(in_tls(tls));
        }
        return match error.kind() {
            io::ErrorKind::ConnectionRefused => Some(Error::ConnectionRefused),
            io::ErrorKind::TimedOut => Some(Error::ConnectionTimeout),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Some(Error::ConnectionTerminated),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Some(Error::DestinationIpUnroutable)
            }
            _ => None,
        };
    }
    let error = cause.downcast_ref::<hyper::Error>()?;
    error
        .is_incomplete_message()
        .then_some(Error::ConnectionTerminated)
}

fn in_tls(error: &rustls::Error) -> Error {
    Error::InternalError(Some(format!("TLS failed: {error}")))
}
