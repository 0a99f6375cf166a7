//! Trace and span ids, derived so that the same event logged twice is the same span.
//!
//! MLflow upserts spans by (trace id, span id), so delivery at least once becomes effectively once.
//! The experiment goes in too: the same calls logged to two experiments are two sets of traces.

use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// An OTLP trace id; never all zero.
pub type TraceId = [u8; 16];
/// An OTLP span id; never all zero.
pub type SpanId = [u8; 8];

/// Ids of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The trace, where the call is its root.
    pub trace: TraceId,
    /// The call's span.
    pub span: SpanId,
}

/// Derives ids from what makes a call that call. Parts are kept apart: `["a", "bc"]` and
/// `["ab", "c"]` give different ids.
pub fn derive(parts: &[&[u8]]) -> Ids {
    let trace = hash(b"trace", parts).to_be_bytes();
    Ids {
        trace: non_zero(trace),
        span: span_id(parts),
    }
}

/// The span's id alone.
pub fn span_id(parts: &[&[u8]]) -> SpanId {
    let [s0, s1, s2, s3, s4, s5, s6, s7, ..] = hash(b"span", parts).to_be_bytes();
    non_zero([s0, s1, s2, s3, s4, s5, s6, s7])
}

fn hash(domain: &[u8], parts: &[&[u8]]) -> u128 {
    let mut hasher = SipHasher13::new();
    for part in std::iter::once(&domain).chain(parts) {
        hasher.write_u64(part.len() as u64);
        hasher.write(part);
    }
    hasher.finish128().as_u128()
}

/// An id of zeros means "none" in OTLP.
fn non_zero<const N: usize>(mut id: [u8; N]) -> [u8; N] {
    if let (true, Some(last)) = (id == [0; N], id.last_mut()) {
        *last = 1;
    }
    id
}

/// A trace's id as MLflow shows it: `tr-` and hexadecimal digits.
pub fn mlflow_trace_id(trace: &TraceId) -> String {
    format!("tr-{}", hex(trace))
}

/// Hexadecimal digits, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16));
    digits.collect()
}

/// Whether a trace is among the given share of traces: OpenTelemetry's probability sampling, which
/// takes the last 56 bits of the trace id for randomness ("Probability Sampling", W3C Trace Context
/// level 2, section 5.1).
pub fn is_sampled(trace: &TraceId, ratio: f64) -> bool {
    if ratio >= 1.0 {
        return true;
    }
    let [.., b0, b1, b2, b3, b4, b5, b6] = *trace;
    let random = u64::from_be_bytes([0, b0, b1, b2, b3, b4, b5, b6]);
    let rejected = (1.0 - ratio) * (1_u64 << 56) as f64;
    random as f64 >= rejected
}

/// Whether a call is among the share: its caller's decision where it has one, as OpenTelemetry's ParentBased sampler
/// has it, and otherwise that of [`is_sampled`].
pub fn is_kept(trace: &TraceId, parent: Option<Parent>, ratio: f64) -> bool {
    match parent {
        _ if ratio >= 1.0 => true,
        Some(parent) => parent.sampled(),
        None => is_sampled(trace, ratio),
    }
}

/// The caller's span, as told by a `traceparent` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// The trace flags; bit 0 is "sampled".
    pub flags: u8,
}

impl Parent {
    /// Reads a `traceparent` value: W3C Trace Context, section 3.2. A version above 00 is read as
    /// far as it is known, as section 3.2.2 demands; anything invalid is no parent.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let mut fields = traceparent.trim().splitn(5, '-');
        let [version] = parse_hex(fields.next()?)?;
        let trace = parse_hex(fields.next()?)?;
        let span = parse_hex(fields.next()?)?;
        let [flags] = parse_hex(fields.next()?)?;
        let more = fields.next().is_some();
        let valid =
            version != 0xff && !(version == 0 && more) && trace != [0; 16] && span != [0; 8];
        valid.then_some(Self { trace, span, flags })
    }

    /// Whether the caller records the trace.
    pub fn sampled(&self) -> bool {
        self.flags & 1 == 1
    }
}

/// Exactly `2 * N` lowercase hexadecimal digits.
pub(crate) fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for &digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = *byte << 4 | value;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn same_parts_same_ids() {
        assert_eq!(derive(&[b"exp", b"call-1"]), derive(&[b"exp", b"call-1"]));
        assert_ne!(derive(&[b"exp", b"call-1"]), derive(&[b"exp", b"call-2"]));
        assert_ne!(derive(&[b"a", b"bc"]), derive(&[b"ab", b"c"]));
    }

    #[test]
    fn ids_stay_as_released() {
        // Changing these doubles every trace that is logged again after an upgrade.
        let ids = derive(&[b"exp", b"call-1"]);
        assert_eq!(
            (hex(&ids.trace), hex(&ids.span)),
            (
                "cce246ee514b313749e154fdfadcdf04".to_owned(),
                "b593ef754680023f".to_owned()
            )
        );
    }

    #[test]
    fn zero_is_no_id() {
        assert_eq!(non_zero([0; 8]), [0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn traceparent_is_read() {
        let parent = Parent::parse(CALLER).unwrap();
        assert_eq!(hex(&parent.trace), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(hex(&parent.span), "00f067aa0ba902b7");
        assert!(parent.sampled());
        let later = CALLER.replacen("00-", "01-", 1) + "-more";
        assert_eq!(Parent::parse(&later), Some(parent));
    }

    #[test]
    fn broken_traceparents_are_no_parent() {
        for broken in [
            "",
            "00",
            "nonsense",
            &CALLER.to_uppercase(),
            &CALLER.replacen("00-", "ff-", 1),
            &(CALLER.to_owned() + "-more"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Parent::parse(broken), None, "{broken}");
        }
    }
}
