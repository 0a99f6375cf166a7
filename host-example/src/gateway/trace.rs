//! W3C Trace Context: the caller's span in, a span of our own out.

use http::HeaderMap;
use http::header::HeaderValue;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// What a call has to do with its caller's trace.
pub(super) struct Trace {
    /// The caller's `traceparent`, if it is a valid one.
    pub parent: Option<String>,
    /// The `traceparent` for the upstream: the same trace, or a fresh one, and a new span.
    pub onward: String,
}

impl Trace {
    /// Of a request with these header fields.
    pub fn of(headers: &HeaderMap) -> Self {
        let parent = headers
            .get(TRACEPARENT)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
            .filter(|value| is_valid(value));
        let span = random_hex(8);
        let onward = match parent {
            // Version 00 has these parts and no more; of a later one no more is understood.
            Some(parent) => format!("00-{}-{span}-{}", &parent[3..35], &parent[53..55]),
            None => format!("00-{}-{span}-01", random_hex(16)),
        };
        Self {
            parent: parent.map(str::to_owned),
            onward,
        }
    }

    /// Puts it into the header fields for the upstream. A `tracestate` without a valid parent says
    /// nothing and is not passed on.
    pub fn pass_on(&self, headers: &mut HeaderMap) {
        if let Ok(onward) = HeaderValue::from_str(&self.onward) {
            headers.insert(TRACEPARENT, onward);
        }
        if self.parent.is_none() {
            headers.remove(TRACESTATE);
        }
    }
}

/// Section 3.2 of the recommendation.
fn is_valid(value: &str) -> bool {
    let bytes = value.as_bytes();
    if bytes.len() < 55 || !value.is_ascii() {
        return false;
    }
    let hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |part: &[u8]| part.iter().all(|b| *b == b'0');
    let (version, trace, span, flags) =
        (&bytes[..2], &bytes[3..35], &bytes[36..52], &bytes[53..55]);
    let dashes = [2, 35, 52].iter().all(|at| bytes[*at] == b'-');
    let ends = bytes.len() == 55 || (version != b"00" && bytes[55] == b'-');
    dashes
        && ends
        && version != b"ff"
        && [version, trace, span, flags].into_iter().all(hex)
        && !zero(trace)
        && !zero(span)
}

/// So many random bytes, not all zero, in hexadecimal digits.
pub(super) fn random_hex(bytes: usize) -> String {
    let mut random = [0; 16];
    let random = &mut random[..bytes.min(16)];
    if getrandom::fill(random).is_err() || random.iter().all(|byte| *byte == 0) {
        // Without a source of randomness the time has to do: the ids are no secrets.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let nanos = now.map_or(1, |now| now.as_nanos()).max(1).to_le_bytes();
        random.copy_from_slice(&nanos[..random.len()]);
    }
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(traceparent: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_static(traceparent));
        headers.insert(TRACESTATE, HeaderValue::from_static("a=b"));
        headers
    }

    #[test]
    fn the_trace_goes_on_with_a_new_span() {
        let mut headers = headers(GOOD);
        let trace = Trace::of(&headers);
        assert_eq!(trace.parent.as_deref(), Some(GOOD));
        trace.pass_on(&mut headers);
        let onward = headers[TRACEPARENT].to_str().unwrap();
        assert!(is_valid(onward) && onward != GOOD, "{onward}");
        assert_eq!((&onward[..36], &onward[52..]), (&GOOD[..36], &GOOD[52..]));
        assert_eq!(headers[TRACESTATE], "a=b");
    }

    #[test]
    fn what_is_no_traceparent_begins_a_trace() {
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e473ä-00f067aa0ba902b7-01",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
        let mut headers = headers("nonsense");
        let trace = Trace::of(&headers);
        trace.pass_on(&mut headers);
        assert_eq!(trace.parent, None);
        assert!(is_valid(&trace.onward));
        assert!(!headers.contains_key(TRACESTATE));
    }

    #[test]
    fn a_later_version_is_taken_for_what_is_known_of_it() {
        assert!(is_valid(
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"
        ));
    }
}
