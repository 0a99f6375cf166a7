//! Times as recordings have them: nanoseconds since the epoch, or ISO 8601.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use logger_core::json::{Kind, Raw};

const EXPECTED: &str = "expected whole nanoseconds since 1970 or a date and time in ISO 8601, such as \
                        \"2025-01-31T12:00:00.123456789Z\"";

/// Reads a time, exactly. Without an offset it is UTC. Null is none.
pub fn read(value: Raw<'_>) -> Result<Option<u64>, String> {
    let nanoseconds = match value.kind() {
        Kind::Null => return Ok(None),
        Kind::Number => value.text().parse::<i128>().ok(),
        Kind::String => value.as_str().and_then(|text| iso(text.trim())),
        _ => return Err(format!("found {}; {EXPECTED}", value.kind().name())),
    };
    let nanoseconds = nanoseconds.ok_or_else(|| format!("found {}; {EXPECTED}", shown(value)))?;
    match i64::try_from(nanoseconds).map(u64::try_from) {
        Ok(Ok(nanoseconds)) => Ok(Some(nanoseconds)),
        _ => Err(format!(
            "found {}, which is not within the years 1970 to 2262",
            shown(value)
        )),
    }
}

fn iso(text: &str) -> Option<i128> {
    let timestamp = text.parse::<Timestamp>().or_else(|_| {
        let naive = text.parse::<DateTime>()?;
        TimeZone::UTC.to_timestamp(naive)
    });
    Some(timestamp.ok()?.as_nanosecond())
}

/// The value, unless it is long.
pub(super) fn shown(value: Raw<'_>) -> String {
    let text = value.text();
    if text.len() <= 60 {
        text.to_owned()
    } else {
        format!("{} of {} bytes", value.kind().name(), text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(json: &str) -> Result<Option<u64>, String> {
        read(Raw::parse(json).unwrap())
    }

    #[test]
    fn every_accepted_form() {
        let noon = 1_714_564_800_000_000_000;
        for (json, expected) in [
            ("1714564800000000000", noon),
            ("0", 0),
            ("9223372036854775807", i64::MAX as u64),
            (r#""2024-05-01T12:00:00Z""#, noon),
            (r#""2024-05-01T12:00:00""#, noon),
            (r#""2024-05-01 12:00:00""#, noon),
            (r#""2024-05-01T14:00:00+02:00""#, noon),
            (r#""2024-05-01T14:00:00+0200""#, noon),
            (r#""2024-05-01 06:30:00-05:30""#, noon),
            (r#""2024-05-01T12:00:00.123456789""#, noon + 123_456_789),
            (r#""2024-05-01T12:00:00.000001+00:00""#, noon + 1000),
            (r#"" 2024-05-01T12:00:00.5Z ""#, noon + 500_000_000),
        ] {
            assert_eq!(time(json), Ok(Some(expected)), "{json}");
        }
        assert_eq!(time("null"), Ok(None));
    }

    #[test]
    fn what_is_no_time_is_shown_with_what_is_expected() {
        for json in [
            "1.5",
            "1714564800.25",
            "1e18",
            "NaN",
            "true",
            "[]",
            "{}",
            r#""""#,
            r#""noon""#,
        ] {
            let reason = time(json).unwrap_err();
            assert!(
                reason.contains("expected whole nanoseconds"),
                "{json}: {reason}"
            );
        }
        assert!(time(r#""noon""#).unwrap_err().contains("noon"));
    }

    #[test]
    fn times_beyond_the_range_are_refused() {
        for json in [
            "-1",
            "9223372036854775808",
            "1e400",
            r#""1969-12-31T23:59:59Z""#,
            r#""2300-01-01T00:00:00Z""#,
        ] {
            assert!(time(json).is_err(), "{json}");
        }
        let long = "9".repeat(500);
        assert!(time(&long).unwrap_err().len() < 200);
    }
}
