//! How a call ended that did not end with its response, by what Envoy says of it.
//!
//! The words are those of the property `response.code_details`: Envoy's documentation, "Response Code Details".

use std::borrow::Cow;

use logger_core::event::{CLIENT_GONE, UPSTREAM_GONE};

/// The response came from the upstream.
const VIA_UPSTREAM: &str = "via_upstream";

/// How a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// One word.
    pub kind: &'static str,
    /// In words.
    pub message: Cow<'static, str>,
}

/// Whether a request led to no upstream at all.
pub fn is_no_call(details: &str) -> bool {
    details == "route_not_found"
}

/// How a call whose response the proxy itself gave failed; none: it was the upstream's.
pub fn answered_by_proxy(details: &str) -> Option<Failed> {
    if details.is_empty() || details == VIA_UPSTREAM {
        return None;
    }
    let has = |words: &str| details.contains(words);
    let kind = if has("connection_failure") && (has("refused") || has("Connection refused")) {
        "connection-refused"
    } else if has("timeout") {
        "timeout"
    } else if has("upstream_reset") {
        UPSTREAM_GONE.0
    } else if has("no_healthy_upstream") || has("cluster_not_found") {
        "unreachable"
    } else {
        "proxy-answered"
    };
    Some(Failed {
        kind,
        message: Cow::Owned(format!(
            "the upstream did not answer, the proxy did: {details}"
        )),
    })
}

/// How a call failed whose response did not come to its end.
pub fn broken_off(details: &str) -> Failed {
    let (kind, message) = if details.contains("timeout") || details.contains("max_duration") {
        let message = format!("the response took too long for the proxy: {details}");
        return Failed {
            kind: "timeout",
            message: Cow::Owned(message),
        };
    } else if details.starts_with("upstream_") {
        UPSTREAM_GONE
    } else {
        CLIENT_GONE
    };
    Failed {
        kind,
        message: Cow::Borrowed(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_upstream_answered_is_no_failure() {
        assert_eq!(answered_by_proxy("via_upstream"), None);
        assert_eq!(answered_by_proxy(""), None);
    }

    #[test]
    fn what_the_proxy_answered_has_its_reason() {
        for (details, kind) in [
            (
                "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
                "connection-refused",
            ),
            (
                "upstream_reset_before_response_started{connection_termination}",
                "connection-reset",
            ),
            ("response_timeout", "timeout"),
            ("no_healthy_upstream", "unreachable"),
            ("direct_response", "proxy-answered"),
        ] {
            let failed = answered_by_proxy(details).unwrap();
            assert_eq!(failed.kind, kind, "{details}");
            assert!(failed.message.contains(details));
        }
    }

    #[test]
    fn who_broke_off_is_told() {
        for (details, kind) in [
            (
                "upstream_reset_after_response_started{connection_termination}",
                "connection-reset",
            ),
            ("stream_idle_timeout", "timeout"),
            ("downstream_remote_disconnect", "client-disconnected"),
            ("http2.remote_reset", "client-disconnected"),
            ("via_upstream", "client-disconnected"),
        ] {
            assert_eq!(broken_off(details).kind, kind, "{details}");
        }
    }
}
