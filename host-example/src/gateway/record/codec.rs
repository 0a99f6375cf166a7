//! A call as it lies in the spool: the length of what is known of it, that, and its bodies as they came.
//!
//! What is known is written by `postcard`. The bodies follow part by part and are not copied on the way.

use std::borrow::Cow;

use hyper::body::Bytes;
use serde::{Deserialize, Serialize};

use super::written::Written;
use super::{Copied, Failed, Head, PART, Record, Start};
use crate::call::Timestamp;
use crate::gateway::budget::{Budget, Weight};

/// A call without the bytes of its bodies.
#[derive(Serialize, Deserialize)]
struct Known<'r> {
    start: Cow<'r, Start>,
    at: Timestamp,
    head: Option<Cow<'r, Head>>,
    ended: Timestamp,
    failure: Option<Cow<'r, Failed>>,
    request: Shape,
    response: Shape,
}

/// A body without its bytes.
#[derive(Serialize, Deserialize)]
struct Shape {
    /// For each part how long after the call's beginning it came, and its length.
    parts: Vec<(u64, usize)>,
    came: u64,
}

/// A call's beginning in the spool, from its length to the first body.
pub(in crate::gateway) fn known(call: &Written<'_>) -> Result<Vec<u8>, postcard::Error> {
    let known = Known {
        start: Cow::Borrowed(call.start.as_ref()),
        at: call.at,
        head: call.head.as_deref().map(Cow::Borrowed),
        ended: call.ended,
        failure: call.failure.as_deref().map(Cow::Borrowed),
        request: Shape::of(&call.request, call.at),
        response: Shape::of(&call.response, call.at),
    };
    let mut bytes = postcard::to_extend(&known, vec![0; LENGTH])?;
    let length = (bytes.len() - LENGTH) as u32;
    bytes[..LENGTH].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// All that is written of a call, which begins with what is known of it.
pub(in crate::gateway) fn parts<'r>(known: &'r [u8], call: &'r Written<'_>) -> Vec<&'r [u8]> {
    let bodies = [&call.request, &call.response].into_iter();
    let parts = bodies.flat_map(|body| body.parts.iter().map(|(_, part)| part.as_ref()));
    std::iter::once(known).chain(parts).collect()
}

/// Reads a call. None: that is none.
pub(in crate::gateway) fn decode(
    bytes: Vec<u8>,
    key: u64,
    budget: &std::sync::Arc<Budget>,
) -> Option<Record> {
    let mut weight = Weight::none(budget);
    weight.force(bytes.len() + size_of::<Record>());
    let mut bytes = Bytes::from(bytes);
    let length = bytes.split_to_checked(LENGTH)?;
    let length = u32::from_le_bytes(length.as_ref().try_into().ok()?);
    let known = bytes.split_to_checked(usize::try_from(length).ok()?)?;
    let beside = known.len();
    let known: Known<'static> = postcard::from_bytes(&known).ok()?;
    let parts = known.request.parts.len() + known.response.parts.len();
    weight.force(beside + parts * PART);
    let request = known.request.filled(known.at, &mut bytes)?;
    let response = known.response.filled(known.at, &mut bytes)?;
    let mut start = known.start.into_owned();
    start.key = key;
    Some(Record {
        start,
        at: known.at,
        request,
        head: known.head.map(Cow::into_owned),
        response,
        ended: known.ended,
        failure: known.failure.map(Cow::into_owned),
        weight,
        ticket: None,
        stale: false,
        shed: 0,
    })
}

/// The length of a length.
const LENGTH: usize = 4;

impl Shape {
    fn of(body: &Copied, since: Timestamp) -> Self {
        let parts = body.parts.iter();
        let parts = parts.map(|(at, part)| (at.wrapping_sub(since), part.len()));
        Self {
            parts: parts.collect(),
            came: body.came,
        }
    }

    fn filled(self, since: Timestamp, bytes: &mut Bytes) -> Option<Copied> {
        let mut body = Copied {
            came: self.came,
            ..Copied::default()
        };
        for (after, length) in self.parts {
            let part = bytes.split_to_checked(length)?;
            body.kept += length;
            body.parts.push((since.wrapping_add(after), part));
        }
        Some(body)
    }
}

/// Taking the first bytes off, where there are so many.
trait SplitChecked: Sized {
    fn split_to_checked(&mut self, length: usize) -> Option<Self>;
}

impl SplitChecked for Bytes {
    fn split_to_checked(&mut self, length: usize) -> Option<Self> {
        (length <= self.len()).then(|| self.split_to(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::record::written::Redaction;

    fn record(budget: &std::sync::Arc<Budget>) -> Record {
        let mut request = Copied::default();
        request.add(10, &Bytes::from_static(b"{\"model\":1}"), 100);
        let mut response = Copied::default();
        response.add(12, &Bytes::from_static(b"data: 1\n\n"), 100);
        response.add(15, &Bytes::from_static(b"data: 2\n\n"), 4);
        Record {
            start: Start {
                key: 7,
                call_id: "call-7".to_owned(),
                method: "POST".to_owned(),
                path: "/v1/chat/completions".to_owned(),
                authority: "api.example".to_owned(),
                provider: Some("openai".to_owned()),
                traceparent: None,
                headers: vec![("x-a".to_owned(), b"\xFFb".to_vec())],
            },
            at: 10,
            request,
            head: Some(Head {
                at: 11,
                status: 200,
                headers: Vec::new(),
            }),
            response,
            ended: 16,
            failure: Some(Failed {
                kind: "timeout".into(),
                message: "too slow".to_owned(),
            }),
            weight: Weight::none(budget),
            ticket: None,
            stale: false,
            shed: 0,
        }
    }

    #[test]
    fn a_call_is_read_as_written_under_its_new_number() {
        let budget = Budget::new(0);
        let record = record(&budget);
        let redaction = Redaction::default();
        let written = redaction.written(&record);
        let known = known(&written).unwrap();
        let bytes = parts(&known, &written).concat();
        for length in 0..bytes.len() {
            assert!(decode(bytes[..length].to_vec(), 8, &budget).is_none());
        }
        let read = decode(bytes, 8, &budget).unwrap();
        assert!(budget.held() > 0);
        assert_eq!(read.start.key, 8);
        let shown = |record: &Record| {
            let Record {
                start,
                at,
                request,
                head,
                response,
                ended,
                failure,
                ..
            } = record;
            let start = format!("{start:?}").replace("key: 8", "key: 7");
            format!("{start} {at} {request:?} {head:?} {response:?} {ended} {failure:?}")
        };
        assert_eq!(shown(&read), shown(&record));
        drop(read);
        assert_eq!(budget.held(), 0);
    }
}
