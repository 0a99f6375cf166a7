//! What became of every line, and the report of it.

use std::collections::BTreeMap;

use indexmap::IndexSet;
use indicatif::ProgressBar;
use serde::Serialize;

/// What became of the lines so far.
#[derive(Debug)]
pub struct Ledger {
    events: u64,
    delivered: u64,
    rejected: BTreeMap<u64, String>,
    skipped: BTreeMap<u64, String>,
    trace_ids: IndexSet<String>,
    progress: ProgressBar,
}

/// The report that `replay` prints.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Lines that were not blank.
    pub events: u64,
    /// Lines that are part of a stored trace.
    pub delivered: u64,
    /// Lines that nobody will take, by number.
    pub rejected: Vec<Rejection>,
    /// Lines that were left out on purpose, by number.
    pub skipped: Vec<Rejection>,
    /// The traces, in the order of their first delivery.
    pub trace_ids: Vec<String>,
    /// Lines that could not be delivered, if any.
    #[serde(skip_serializing_if = "is_zero")]
    pub undelivered: u64,
}

/// A line and why.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Its number, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Ledger {
    /// An empty ledger that moves `progress` by the bytes of settled lines.
    pub fn new(progress: ProgressBar) -> Self {
        Self {
            events: 0,
            delivered: 0,
            rejected: BTreeMap::new(),
            skipped: BTreeMap::new(),
            trace_ids: IndexSet::new(),
            progress,
        }
    }

    /// A line that is not blank was read.
    pub fn event(&mut self) {
        self.events += 1;
    }

    /// A line has been delivered within a trace.
    pub fn deliver(&mut self, bytes: usize, trace_id: &str) {
        self.delivered += 1;
        if !self.trace_ids.contains(trace_id) {
            self.trace_ids.insert(trace_id.to_owned());
        }
        self.progress.inc(bytes as u64);
        self.progress
            .set_message(format!("{} delivered", self.delivered));
    }

    /// A line will not be delivered.
    pub fn reject(&mut self, line: u64, bytes: usize, reason: impl Into<String>) {
        self.rejected.insert(line, reason.into());
        self.progress.inc(bytes as u64);
    }

    /// A line was left out on purpose.
    pub fn skip(&mut self, line: u64, bytes: usize, reason: impl Into<String>) {
        self.skipped.insert(line, reason.into());
        self.progress.inc(bytes as u64);
    }

    /// The report, once all is over.
    pub fn into_report(self) -> Report {
        self.progress.finish_and_clear();
        let settled = self.delivered + (self.rejected.len() + self.skipped.len()) as u64;
        Report {
            events: self.events,
            delivered: self.delivered,
            rejected: by_line(self.rejected),
            skipped: by_line(self.skipped),
            trace_ids: self.trace_ids.into_iter().collect(),
            undelivered: self.events.saturating_sub(settled),
        }
    }
}

fn by_line(lines: BTreeMap<u64, String>) -> Vec<Rejection> {
    let entry = |(line, reason)| Rejection { line, reason };
    lines.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_as_fixed() {
        let mut ledger = Ledger::new(ProgressBar::hidden());
        for _ in 0..6 {
            ledger.event();
        }
        ledger.reject(9, 1, "late");
        ledger.deliver(1, "tr-b");
        ledger.deliver(1, "tr-a");
        ledger.deliver(1, "tr-b");
        ledger.reject(2, 1, "early");
        ledger.skip(4, 1, "sampled");
        let json = serde_json::to_string(&ledger.into_report()).unwrap();
        assert_eq!(
            json,
            r#"{"events":6,"delivered":3,"rejected":[{"line":2,"reason":"early"},{"line":9,"reason":"late"}],"skipped":[{"line":4,"reason":"sampled"}],"trace_ids":["tr-b","tr-a"]}"#
        );
    }

    #[test]
    fn what_is_not_settled_is_undelivered() {
        let mut ledger = Ledger::new(ProgressBar::hidden());
        ledger.event();
        ledger.event();
        ledger.deliver(1, "tr-a");
        assert_eq!(ledger.into_report().undelivered, 1);
    }
}
