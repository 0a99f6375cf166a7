//! When a call began and ended.

use super::call::Finished;
use crate::event::{EventError, Timestamp};
use crate::json::Raw;

/// MLflow fails on times beyond this.
const LATEST: Timestamp = i64::MAX as Timestamp;

/// Start and end: the host's word, else the standard logging object's; an end that is missing or
/// before the start becomes the start.
pub(super) fn times(
    finished: &Finished<'_, '_>,
    repairs: &mut Vec<&'static str>,
) -> Result<(Timestamp, Timestamp), EventError> {
    let standard = finished.payload.kwargs.standard.as_ref();
    let start = finished
        .start
        .or_else(|| seconds(standard.and_then(|standard| standard.start_time)));
    let end = finished
        .end
        .or_else(|| seconds(standard.and_then(|standard| standard.end_time)));
    let Some(start) = start.or(end) else {
        let reason = "no time: neither a start nor an end time came with the event";
        return Err(EventError::InvalidPayload(reason.to_owned()));
    };
    if start > LATEST || end.is_some_and(|end| end > LATEST) {
        let reason = "time out of range: nanoseconds since 1970 below 2^63 expected";
        return Err(EventError::InvalidPayload(reason.to_owned()));
    }
    match end {
        Some(end) if end >= start => Ok((start, end)),
        Some(_) => {
            repairs.push("the end time was before the start time");
            Ok((start, start))
        }
        None => {
            repairs.push("the end time was missing");
            Ok((start, start))
        }
    }
}

/// litellm gives these times as floating-point seconds, good to the microsecond.
pub(super) fn seconds(value: Option<Raw<'_>>) -> Option<Timestamp> {
    let microseconds = (value?.as_f64()? * 1e6).round_ties_even();
    let in_range = microseconds > 0.0 && microseconds < (LATEST / 1000) as f64;
    in_range.then(|| microseconds as Timestamp * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_of_any_size_are_read_or_not() {
        for (text, expected) in [
            ("1764020000.5", Some(1_764_020_000_500_000_000)),
            ("9223372036.8", Some(9_223_372_036_800_000_000)),
            ("9223372036.9", None),
            ("1e300", None),
            ("-1", None),
            ("0", None),
            ("\"1\"", None),
        ] {
            assert_eq!(seconds(Raw::parse(text).ok()), expected, "{text}");
        }
    }
}
