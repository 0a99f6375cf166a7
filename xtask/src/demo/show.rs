//! A trace as text for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use e2e::{Span, Trace};
use serde_json::Value;

/// How much of a request or response to show.
const PREVIEW: usize = 90;

/// A trace: what is known of the whole, then the tree of its spans.
pub fn trace(trace: &Trace) -> String {
    let info = &trace.info;
    let mut text = format!("{}  {}", info.trace_id, info.state);
    if let Some(duration) = info.duration_ms {
        let _ = write!(text, "  {duration} ms");
    }
    let mut facts = Vec::new();
    if let Some(usage) = &info.token_usage {
        let count = |name: &str| usage.get(name).copied().unwrap_or_default();
        let (input, output) = (count("input_tokens"), count("output_tokens"));
        facts.push(format!(
            "{input} + {output} = {} tokens",
            count("total_tokens")
        ));
    }
    if let Some(total) = info.cost.as_ref().and_then(|cost| cost.get("total_cost")) {
        facts.push(format!("${total:.8}"));
    }
    for (label, key) in [
        ("session", "mlflow.trace.session"),
        ("user", "mlflow.trace.user"),
    ] {
        if let Some(value) = info.metadata.get(key) {
            facts.push(format!("{label} {value}"));
        }
    }
    let own = info
        .tags
        .iter()
        .filter(|(key, _)| !key.starts_with("mlflow."));
    facts.extend(own.map(|(key, value)| format!("{key}:{value}")));
    if !facts.is_empty() {
        let _ = write!(text, "  {}", facts.join(", "));
    }
    text.push('\n');
    for (label, preview) in [
        ("in ", &info.request_preview),
        ("out", &info.response_preview),
    ] {
        if let Some(preview) = preview.as_deref().filter(|preview| !preview.is_empty()) {
            let _ = writeln!(text, "   {label} {}", short(preview));
        }
    }
    if let Some(root) = trace.root() {
        span(&mut text, trace, root, 0);
    }
    text
}

fn span(text: &mut String, trace: &Trace, of: &Span, depth: usize) {
    let indent = "   ".repeat(depth + 1);
    let kind = of.kind.as_deref().unwrap_or("no type");
    let _ = write!(text, "{indent}└─ {}  {kind}  {}", of.name, of.status);
    if let Some(end) = of.end_ns {
        let _ = write!(text, "  {} ms", (end - of.start_ns) / 1_000_000);
    }
    if let Some(model) = of.text("mlflow.llm.model").or_else(|| of.text("model")) {
        let _ = write!(text, "  {model}");
    }
    text.push('\n');
    let mut counts = BTreeMap::new();
    for event in &of.events {
        *counts.entry(event.name.as_str()).or_insert(0) += 1;
    }
    for (name, count) in counts {
        let _ = writeln!(text, "{indent}      {count} × {name}");
    }
    for event in of.events.iter().filter(|event| event.name == "exception") {
        let said = |key| event.attributes.get(key).and_then(Value::as_str);
        let kind = said("exception.type").unwrap_or_default();
        let message = said("exception.message").unwrap_or_default();
        let _ = writeln!(text, "{indent}      {kind}: {}", short(message));
    }
    for child in trace.children(of) {
        span(text, trace, child, depth + 1);
    }
}

/// Text on one line, cut where it is long.
pub fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(PREVIEW) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
