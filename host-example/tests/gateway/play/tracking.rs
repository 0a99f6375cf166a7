//! MLflow's REST API as real servers answer it (3.17.2), but for what a test changes.

use std::sync::{Arc, Mutex};

use std::time::{Duration, SystemTime};

use super::Upstream;

/// A request by its method and the beginning of its path, and what it is answered: status, further header
/// fields, body.
pub type Said = (&'static str, u16, &'static str, &'static str);

/// What a server answers that is well.
const WELL: [Said; 7] = [
    ("GET /version", 200, "", "3.17.2"),
    ("GET /health", 200, "", "OK"),
    (
        "GET /api/2.0/mlflow/experiments/search",
        200,
        "",
        r#"{"experiments":[]}"#,
    ),
    ("GET /api/2.0/mlflow/experiments/get", 200, "", EXPERIMENT),
    ("POST /v1/traces", 200, "", "{}"),
    ("GET /api/3.0/mlflow/traces/tr-", 200, "", TRACE),
    (
        "POST /api/2.0/mlflow/traces/delete-traces",
        200,
        "",
        r#"{"traces_deleted":1}"#,
    ),
];
const EXPERIMENT: &str =
    r#"{"experiment":{"experiment_id":"7","name":"gateway","lifecycle_stage":"active"}}"#;
const TRACE: &str = r#"{"trace":{"trace_info":{"state":"OK","trace_location":{"mlflow_experiment":{"experiment_id":"7"}}}}}"#;

/// The server.
pub struct Tracking {
    pub url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Tracking {
    /// Answers as a server that is well, but for `changed`; its clock is that many seconds ahead.
    pub async fn start(changed: &[Said], ahead: i64) -> Self {
        let said: Vec<Said> = changed.iter().chain(&WELL).copied().collect();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let heard = heads.clone();
        let upstream = Upstream::start(move |mut conversation| {
            heard.lock().unwrap().push(conversation.head.clone());
            let fits = |said: &&Said| conversation.head.starts_with(said.0);
            let (_, status, fields, body) =
                *said
                    .iter()
                    .find(fits)
                    .unwrap_or(&("", 404, "", "no such page"));
            let skew = Duration::from_secs(ahead.unsigned_abs());
            let now = SystemTime::now();
            let now = if ahead < 0 { now - skew } else { now + skew };
            let date = httpdate::fmt_http_date(now);
            let length = body.len();
            async move {
                let answer = format!(
                    "HTTP/1.1 {status} Played\r\ndate: {date}\r\n{fields}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                );
                conversation.say(answer).await;
            }
        });
        let url = upstream.await.url;
        Self { url, heads }
    }

    /// The heads of the requests that begin so.
    pub fn heard(&self, start: &str) -> Vec<String> {
        let heads = self.heads.lock().unwrap();
        heads
            .iter()
            .filter(|head| head.starts_with(start))
            .cloned()
            .collect()
    }
}
