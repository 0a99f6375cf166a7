//! What was measured, as a table.

use std::fmt::Write;

use serde::Serialize;

use crate::Results;

/// One kind of event.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What it is.
    pub events: &'static str,
    /// The payload's size.
    pub bytes: usize,
    /// Microseconds of CPU for each, natively.
    pub native_us: f64,
    /// Microseconds of CPU for each, through the component's hook.
    pub component_us: f64,
    /// The second by the first.
    pub ratio: f64,
}

/// The results as Markdown tables.
pub fn markdown(results: &Results) -> String {
    let rows = &results.hooks;
    let width = rows.iter().map(|row| row.events.len()).max().unwrap_or(0);
    let mut text = format!(
        "| {:width$} | bytes | native µs | component µs | ratio |\n|{:-<w$}|------:|----------:|-------------:|------:|\n",
        "event",
        "",
        w = width + 2
    );
    for row in rows {
        let _ = writeln!(
            text,
            "| {:width$} | {:5} | {:9.2} | {:12.2} | {:5.2} |",
            row.events, row.bytes, row.native_us, row.component_us, row.ratio
        );
    }
    let encoding = &results.encoding;
    let _ = writeln!(
        text,
        "\n| a span's protobuf in the sandbox | bytes | by hand µs | prost µs | ratio |\n\
         |----------------------------------|------:|-----------:|---------:|------:|\n\
         | 18 attributes, 4 events          | {:5} | {:10.2} | {:8.2} | {:5.2} |",
        encoding.bytes, encoding.hand_us, encoding.prost_us, encoding.ratio
    );
    let first = &results.first_byte;
    let _ = writeln!(
        text,
        "\n| first byte through the gateway | logging off µs | on µs | ratio |\n\
         |--------------------------------|---------------:|------:|------:|\n\
         | median of {:5} calls each     | {:14.1} | {:5.1} | {:5.3} |\n\
         | 90th percentile                | {:14.1} | {:5.1} | {:5.3} |",
        first.calls,
        first.off_us,
        first.on_us,
        first.ratio,
        first.off_p90_us,
        first.on_p90_us,
        first.on_p90_us / first.off_p90_us
    );
    text
}
