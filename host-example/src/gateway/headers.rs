//! Which header fields pass, and which may be kept.

use http::header::{self, HeaderMap, HeaderName};
use logger_core::credentials::is_telling;

use super::record::Fields;

/// Fields that are about one connection: RFC 9110, section 7.6.1, and those in use before it.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// How many fields a request or a response may have: far more than any client or provider sends.
pub(super) const MOST_FIELDS: usize = 512;
/// How many bytes they may take over HTTP/2; over HTTP/1 it is some more.
pub(super) const MOST_BYTES: u32 = 256 * 1024;

/// Removes what is about the connection it came over.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let trailers = headers
        .get_all(header::TE)
        .iter()
        .any(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"));
    for name in listed.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
    headers.remove("proxy-connection");
    if trailers {
        headers.insert(header::TE, http::HeaderValue::from_static("trailers"));
    }
}

/// The fields that may be kept: all but those that carry credentials.
pub(super) fn kept(headers: &HeaderMap) -> Fields {
    headers
        .iter()
        .filter(|(name, _)| !is_telling(name.as_str()))
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |&(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn what_is_about_the_connection_does_not_pass() {
        let mut fields = headers(&[
            ("connection", "close, X-Hop"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("x-hop", "1"),
            ("x-end", "2"),
            ("authorization", "Bearer k"),
        ]);
        remove_hop_by_hop(&mut fields);
        let expected = [
            ("authorization", "Bearer k"),
            ("te", "trailers"),
            ("x-end", "2"),
        ];
        assert_eq!(fields, headers(&expected));
    }

    #[test]
    fn credentials_are_not_kept() {
        let fields = headers(&[
            ("authorization", "canary"),
            ("x-api-key", "canary"),
            ("api-key", "canary"),
            ("x-goog-api-key", "canary"),
            ("cookie", "canary"),
            ("x-amz-security-token", "canary"),
            ("x-mlflow-session", "s"),
        ]);
        assert_eq!(
            kept(&fields),
            [("x-mlflow-session".to_owned(), b"s".to_vec())]
        );
    }
}
