//! A request's and a response's header fields as a proxy has them, HTTP/2's pseudo-header fields among them, whatever
//! HTTP version was spoken.

use logger_core::credentials::{hidden_in_path, is_telling};

/// Header fields.
pub type Fields = Vec<(String, Vec<u8>)>;

/// What the proxy tells its own filters and upstreams, which nobody sent.
const OF_THE_PROXY: &str = "x-envoy-";

/// The head of a request, as it went to the upstream.
#[derive(Debug, Default)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path with its query, without credentials.
    pub path: String,
    /// Host and port.
    pub authority: String,
    /// The header fields, without credentials.
    pub fields: Fields,
}

/// The head of a response.
#[derive(Debug, Default)]
pub struct Response {
    /// The status, if there was a response.
    pub status: Option<u16>,
    /// The header fields, without credentials.
    pub fields: Fields,
}

impl Request {
    /// From all fields.
    pub fn of(fields: Fields) -> Self {
        let mut head = Self::default();
        let slots = fields.into_iter().filter_map(|(name, value)| {
            let text = || String::from_utf8_lossy(&value).into_owned();
            match name.as_str() {
                ":method" => head.method = text(),
                ":path" => head.path = hidden_in_path(&text()),
                ":authority" => {
                    head.authority = text();
                    return Some(("host".to_owned(), value));
                }
                _ => return is_kept(&name).then_some((name, value)),
            }
            None
        });
        head.fields = slots.collect();
        head
    }
}

impl Response {
    /// From all fields.
    pub fn of(fields: Fields) -> Self {
        let mut head = Self::default();
        let slots = fields.into_iter().filter_map(|(name, value)| {
            if name == ":status" {
                head.status = status(&value);
                return None;
            }
            is_kept(&name).then_some((name, value))
        });
        head.fields = slots.collect();
        head
    }
}

/// A status code.
pub fn status(value: &[u8]) -> Option<u16> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn is_kept(name: &str) -> bool {
    !name.starts_with(':') && !name.starts_with(OF_THE_PROXY) && !is_telling(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&str, &str)]) -> Fields {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.as_bytes().to_vec());
        fields.iter().map(owned).collect()
    }

    #[test]
    fn credentials_and_the_proxys_own_fields_are_not_kept() {
        let request = Request::of(fields(&[
            (":method", "POST"),
            (":path", "/v1/x?key=canary&alt=sse"),
            (":authority", "api.openai.com"),
            (":scheme", "https"),
            ("authorization", "canary"),
            ("x-api-key", "canary"),
            ("x-envoy-original-path", "/openai/v1/x?key=canary"),
            ("x-mlflow-session", "s"),
        ]));
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/v1/x?key=REDACTED&alt=sse")
        );
        assert_eq!(request.authority, "api.openai.com");
        let kept = fields(&[("host", "api.openai.com"), ("x-mlflow-session", "s")]);
        assert_eq!(request.fields, kept);
        assert!(!format!("{request:?}").contains("canary"));
    }

    #[test]
    fn a_response_has_a_status_or_is_none() {
        let response = Response::of(fields(&[(":status", "200"), ("set-cookie", "canary")]));
        assert_eq!(response.status, Some(200));
        assert!(response.fields.is_empty());
        assert_eq!(Response::of(Fields::new()).status, None);
        assert_eq!(Response::of(fields(&[(":status", "-1")])).status, None);
    }
}
