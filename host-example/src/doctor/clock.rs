//! Do this machine and the server agree on the time? Traces carry ours, and MLflow looks for them by its own.

use std::time::{Duration, SystemTime};

use httpdate::parse_http_date;

use super::Report;
use super::client::Answer;

/// Two clocks are never quite the same.
const NOTICEABLE: Duration = Duration::from_secs(2);
/// Traces show up in another minute than they belong to, and tokens may not be valid yet, or no longer.
const TOO_MUCH: Duration = Duration::from_secs(60);

/// Compares by what an answer's `Date` says.
pub(super) fn compare(answer: &Answer, report: &mut Report) {
    let date = answer.date().and_then(|date| parse_http_date(date).ok());
    let Some(date) = date else {
        return report.warn(
            "clock",
            "the server does not tell its time",
            "see by hand that this machine's clock is right",
        );
    };
    let skew = least_skew(answer.asked, answer.answered, date);
    let Some((skew, ahead)) = skew.filter(|(skew, _)| *skew >= NOTICEABLE) else {
        return report.ok("clock", "the server's and this machine's agree");
    };
    let said = format!(
        "the server's is {:.0} s {} this machine's",
        skew.as_secs_f64().ceil(),
        if ahead { "ahead of" } else { "behind" }
    );
    let mend = "have a time service (NTP) set the one that is wrong";
    if skew >= TOO_MUCH {
        report.fail("clock", said, mend);
    } else {
        report.warn("clock", said, mend);
    }
}

/// How far the server's clock is off at the least, and whether it is ahead; none, if it may be right. It told
/// its time in whole seconds at some moment between the two of ours.
fn least_skew(
    asked: SystemTime,
    answered: SystemTime,
    date: SystemTime,
) -> Option<(Duration, bool)> {
    let second_is_over = date + Duration::from_secs(1);
    if let Ok(ahead) = date.duration_since(answered)
        && !ahead.is_zero()
    {
        Some((ahead, true))
    } else if let Ok(behind) = asked.duration_since(second_is_over)
        && !behind.is_zero()
    {
        Some((behind, false))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_otherwise_is_a_skew() {
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        let at = |seconds: f64| {
            date + Duration::from_secs_f64(1000.0 + seconds) - Duration::from_secs(1000)
        };
        let skew = |asked, answered| {
            least_skew(at(asked), at(answered), date).map(|(skew, ahead)| (skew.as_millis(), ahead))
        };
        assert_eq!(skew(0.2, 0.3), None);
        assert_eq!(skew(-5.0, 0.1), None, "a slow answer");
        assert_eq!(skew(0.9, 20.0), None, "one slower still");
        assert_eq!(skew(-30.5, -30.0), Some((30_000, true)));
        assert_eq!(skew(31.0, 31.5), Some((30_000, false)));
    }
}
