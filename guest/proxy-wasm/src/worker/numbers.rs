//! What is counted, under the names that the proxy's statistics show.

/// Counts since the worker began, and gauges of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Calls that came.
    pub calls: u64,
    /// Calls that became spans.
    pub logged: u64,
    /// Spans stored by the server.
    pub delivered: u64,
    /// Spans refused for good.
    pub refused: u64,
    /// Spans left out on purpose.
    pub skipped: u64,
    /// Calls that there was no room, or no time, for.
    pub dropped_full: u64,
    /// Calls that could not be read.
    pub dropped_invalid: u64,
    /// Spans that could not be delivered for too long.
    pub dropped_undelivered: u64,
    /// Calls whose bodies are not whole.
    pub truncated: u64,
    /// Requests sent.
    pub batches: u64,
    /// Requests that failed in a way that is worth another try.
    pub retries: u64,
    /// Bytes of request bodies sent.
    pub bytes_sent: u64,
    /// Gauge: bytes held.
    pub queued_bytes: u64,
    /// Gauge: calls that wait, and spans.
    pub queued_calls: u64,
    /// Gauge: calls under way.
    pub open_calls: u64,
    /// Gauge: requests under way.
    pub in_flight: u64,
}

impl Numbers {
    /// The same when nothing is held any more: gauges are told as differences, so the last ones have to be taken back.
    pub fn without_gauges(self) -> Self {
        Self {
            queued_bytes: 0,
            queued_calls: 0,
            open_calls: 0,
            in_flight: 0,
            ..self
        }
    }
}

/// A statistic: its name, whether it is a gauge, and its number.
pub type Metric = (&'static str, bool, fn(&Numbers) -> u64);

/// All of them.
pub const METRICS: [Metric; 16] = [
    ("calls", false, |numbers| numbers.calls),
    ("logged", false, |numbers| numbers.logged),
    ("delivered", false, |numbers| numbers.delivered),
    ("refused", false, |numbers| numbers.refused),
    ("skipped", false, |numbers| numbers.skipped),
    ("dropped.full", false, |numbers| numbers.dropped_full),
    ("dropped.invalid", false, |numbers| numbers.dropped_invalid),
    ("dropped.undelivered", false, |numbers| {
        numbers.dropped_undelivered
    }),
    ("truncated", false, |numbers| numbers.truncated),
    ("batches", false, |numbers| numbers.batches),
    ("retries", false, |numbers| numbers.retries),
    ("bytes_sent", false, |numbers| numbers.bytes_sent),
    ("queued_bytes", true, |numbers| numbers.queued_bytes),
    ("queued_calls", true, |numbers| numbers.queued_calls),
    ("open_calls", true, |numbers| numbers.open_calls),
    ("in_flight", true, |numbers| numbers.in_flight),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names = METRICS.map(|(name, ..)| name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
