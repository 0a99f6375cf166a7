//! What the core wants sent, and what came back: plain data, no client.

use std::time::Duration;

mod date;

/// Names a request while it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// The methods the core uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
}

/// An HTTP request for the shell to send.
#[derive(Clone, Debug)]
pub struct Request {
    /// To be handed back with the answer.
    pub id: RequestId,
    /// The method.
    pub method: Method,
    /// The whole URL.
    pub url: String,
    /// Header fields, credentials among them: not for logs.
    pub headers: Vec<(&'static str, String)>,
    /// Header fields that the settings add.
    pub extra_headers: Vec<(String, String)>,
    /// The body; empty for GET.
    pub body: Vec<u8>,
    /// How long the whole exchange may take. Grows with the batch.
    pub timeout: Duration,
}

/// A URL in parts: RFC 3986, section 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'r> {
    /// Whether the scheme is `https`; else it is `http`.
    pub is_https: bool,
    /// Host and port.
    pub authority: &'r str,
    /// Path and query.
    pub path: &'r str,
}

impl Request {
    /// Where it goes. The settings were checked for a URL.
    pub fn target(&self) -> Target<'_> {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("", &self.url));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Target {
            is_https: scheme == "https",
            authority,
            path: if path.is_empty() { "/" } else { path },
        }
    }

    /// All header fields by name and value.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.headers.iter();
        let own = own.map(|(name, value)| (*name, value.as_str()));
        let extra = self.extra_headers.iter();
        own.chain(extra.map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

/// What the server answered.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The value of the `retry-after` header field, in seconds: see [`retry_after`].
    pub retry_after: Option<String>,
    /// The body; the shell may cut it at 64 KiB.
    pub body: Vec<u8>,
}

/// What somebody else said in one line, without what a terminal would take for a command.
pub fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// `Retry-After` in seconds, from the values of that header field and of `Date`: RFC 9110, section 10.2.3.
/// Where it is a point in time, the server's own clock tells how far away that is.
pub fn retry_after(value: &str, date: Option<&str>) -> Option<String> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.to_owned());
    }
    let (until, now) = (date::parse(value)?, date::parse(date?)?);
    Some(until.saturating_sub(now).max(0).to_string())
}

/// Percent-encoding of all but unreserved characters: RFC 3986, section 2.
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

impl Response {
    /// An answer as `wasi:http` hands it over: header fields by name and value.
    pub fn of(status: u16, fields: &[(String, Vec<u8>)], body: Vec<u8>) -> Self {
        let field = |name: &str| {
            let mut fields = fields.iter();
            let (_, value) = fields.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(value).ok()
        };
        Self {
            status,
            retry_after: field("retry-after").and_then(|value| retry_after(value, field("date"))),
            body,
        }
    }
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection: refused, unknown name, TLS failure, not allowed.
    #[error("{0}")]
    Connect(String),
    /// The time ran out.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The connection broke after the request went out, or anything else.
    #[error("{0}")]
    Other(String),
}

impl TransportError {
    /// What `wasi:http` calls by this name, such as `ErrorCode::ConnectionRefused`.
    pub fn named(name: &str, timeout: Duration) -> Self {
        match name.trim_start_matches("ErrorCode::") {
            "ConnectionReadTimeout" | "HttpResponseTimeout" => Self::Timeout(timeout),
            "ConnectionTerminated" | "HttpResponseIncomplete" => {
                Self::Other("the connection broke".to_owned())
            }
            name => Self::Connect(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_is_read_by_the_servers_clock() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (value, expected) in [
            ("120", Some("120")),
            (" 0 ", Some("0")),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some("30")),
            ("Sunday, 06-Nov-94 09:49:37 GMT", Some("3600")),
            ("Mon Nov  7 08:49:37 1994", Some("86400")),
            ("Wed, 01 Mar 1995 08:49:37 GMT", Some("9936000")),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some("0")),
            ("soon", None),
            ("-5", None),
            ("", None),
            ("Sun, 99 Nov 1994 08:00:00 GMT", None),
            ("Sun, 06 Nov 1994 99999999999999999999:00:00 GMT", None),
            ("Sun, 06 Nov 1994 9223372036854775807:00:00 GMT", None),
        ] {
            assert_eq!(retry_after(value, date).as_deref(), expected, "{value}");
        }
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:07 GMT", None), None);
    }

    #[test]
    fn a_url_is_taken_apart() {
        for (url, is_https, authority, path) in [
            (
                "http://mlflow:5000/v1/traces",
                false,
                "mlflow:5000",
                "/v1/traces",
            ),
            ("https://[::1]:1/a/b?c=/d", true, "[::1]:1", "/a/b?c=/d"),
            ("https://host", true, "host", "/"),
            ("host/path", false, "host", "/path"),
        ] {
            let request = Request {
                id: RequestId(1),
                method: Method::Get,
                url: url.to_owned(),
                headers: vec![("a", "1".to_owned())],
                extra_headers: vec![("b".to_owned(), "2".to_owned())],
                body: Vec::new(),
                timeout: Duration::ZERO,
            };
            let target = Target {
                is_https,
                authority,
                path,
            };
            assert_eq!(request.target(), target, "{url}");
            assert!(request.fields().eq([("a", "1"), ("b", "2")]));
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Tue, 29 Feb 2000 23:59:60 GMT", 951_868_800),
            ("Wed, 25 Nov 2026 01:02:03 GMT", 1_795_568_523),
        ] {
            assert_eq!(date::parse(text), Some(seconds), "{text}");
        }
    }
}
