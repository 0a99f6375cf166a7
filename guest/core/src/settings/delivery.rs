//! How traces get to the server.

use std::time::Duration;

use super::{Setting, read};

/// Batches, the queue, and patience.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// Spans a request.
    pub batch_max_spans: usize,
    /// Bytes a request, before compression. A larger span goes alone.
    pub batch_max_bytes: usize,
    /// Bytes that may be held.
    pub queue_max_bytes: usize,
    /// Whether requests are compressed.
    pub gzip: bool,
    /// How long a span waits for others.
    pub flush_interval: Duration,
    /// How long a request may take, without what its batch adds.
    pub timeout: Duration,
    /// How long a batch is tried.
    pub retry_max_elapsed: Duration,
}

pub(super) const TABLE: &[Setting] = &[
    Setting::new(
        "batch_max_spans",
        "How many spans a request holds at most. MLflow takes most traces a second at 64 to 256.",
        |settings, value| {
            settings.delivery.batch_max_spans = read::count(value, 1)?;
            Ok(())
        },
    )
    .default("256"),
    Setting::new(
        "batch_max_bytes",
        "How many bytes a request's spans take at most before compression. A larger span goes alone.",
        |settings, value| {
            settings.delivery.batch_max_bytes = read::count(value, 1024)?;
            Ok(())
        },
    )
    .default("4194304"),
    Setting::new(
        "compression",
        "How requests are compressed: `\"gzip\"` or `\"none\"`.",
        |settings, value| {
            settings.delivery.gzip = match read::text(value)?.as_str() {
                "gzip" => true,
                "none" => false,
                other => return Err(format!("\"gzip\" or \"none\" expected, found \"{other}\"")),
            };
            Ok(())
        },
    )
    .default("\"gzip\""),
    Setting::new(
        "queue_max_bytes",
        "How many bytes of waiting spans, open streams and open calls are held at most. Past that the \
         hooks answer `queue-full`.",
        |settings, value| {
            settings.delivery.queue_max_bytes = read::count(value, 65_536)?;
            Ok(())
        },
    )
    .default("67108864"),
    Setting::new(
        "flush_interval_ms",
        "How long a span waits for others to fill its batch, in milliseconds; 0 sends at once.",
        |settings, value| {
            settings.delivery.flush_interval = read::milliseconds(value, 0)?;
            Ok(())
        },
    )
    .default("1000"),
    Setting::new(
        "timeout_ms",
        "How long a request may take, in milliseconds. 50 ms are added for each span in it.",
        |settings, value| {
            settings.delivery.timeout = read::milliseconds(value, 1)?;
            Ok(())
        },
    )
    .default("30000"),
    Setting::new(
        "retry_max_elapsed_ms",
        "How long a batch is tried before its events are given back to the host, in milliseconds.",
        |settings, value| {
            settings.delivery.retry_max_elapsed = read::milliseconds(value, 0)?;
            Ok(())
        },
    )
    .default("300000"),
];
