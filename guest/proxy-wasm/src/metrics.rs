//! The proxy's statistics: `wasmcustom.mlflow_logger.*`.
//!
//! All workers share them, so each adds what has changed.

use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

use crate::worker::numbers::{METRICS, Numbers};

/// What was told of a worker's numbers.
#[derive(Debug)]
pub struct Metrics {
    ids: [Option<u32>; METRICS.len()],
    told: Numbers,
}

impl Metrics {
    /// Makes them known to the proxy.
    pub fn define() -> Self {
        let ids = METRICS.map(|(name, is_gauge, _)| {
            let kind = if is_gauge {
                MetricType::Gauge
            } else {
                MetricType::Counter
            };
            hostcalls::define_metric(kind, &format!("mlflow_logger.{name}")).ok()
        });
        Self {
            ids,
            told: Numbers::default(),
        }
    }

    /// Tells what has changed.
    pub fn tell(&mut self, numbers: Numbers) {
        for (id, (_, _, number)) in self.ids.iter().zip(METRICS) {
            let change = number(&numbers).wrapping_sub(number(&self.told)) as i64;
            if let (Some(id), true) = (id, change != 0) {
                // A metric that was defined is there.
                let _ = hostcalls::increment_metric(*id, change);
            }
        }
        self.told = numbers;
    }
}
