//! The other actors: a client, upstreams, an MLflow, and the gateway's process.

mod client;
mod gateway;
mod mlflow;
mod tracking;
mod upstream;

pub use client::{Answer, get, post, send};
pub use gateway::Gateway;
pub use mlflow::Mlflow;
pub use tracking::{Said, Tracking};
pub use upstream::Upstream;

use std::time::Duration;

/// Asks again and again until there is an answer; it has to come some time.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1500 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}: it never came to that");
}

/// A metric's value, in what the gateway serves.
pub fn value(text: &str, name: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}"))
        .parse()
        .unwrap()
}
