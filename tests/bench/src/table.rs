//! What was measured, as a table.

use std::fmt::Write;

use serde::Serialize;

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

/// The rows as a Markdown table.
pub fn markdown(rows: &[Row]) -> String {
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
    text
}
