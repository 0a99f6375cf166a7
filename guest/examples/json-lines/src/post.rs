//! HTTP, which the host does for the plugin.

use std::time::Duration;

use waki::Client;

/// Posts lines and returns the answer's status. How long that may take is for the host to say.
pub fn lines(url: &str, body: String) -> anyhow::Result<u16> {
    let headers = [
        ("content-type", "application/x-ndjson".to_owned()),
        // Without it the body goes out in chunks, which not every server reads.
        ("content-length", body.len().to_string()),
    ];
    let request = Client::new().post(url).headers(headers).body(body);
    let answer = request.connect_timeout(Duration::from_secs(5)).send()?;
    Ok(answer.status_code())
}
