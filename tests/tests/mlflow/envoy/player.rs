//! A provider that answers with transcripts, byte for byte: the one that the header `x-mock-transcript` names, up to its end or
//! as many parts as `x-mock-break` says.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use transcripts::Transcript;

use super::stage::runtime;

/// Starts one that runs as long as the tests do.
pub fn start() -> SocketAddr {
    let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0"));
    let listener = listener.unwrap();
    let address = listener.local_addr().unwrap();
    runtime().spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    address
}

/// Answers a connection's one request.
async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let head = hear(&mut stream).await?;
    let field = |name: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        fields
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    let transcript = Transcript::named(field("x-mock-transcript").unwrap_or_default()).unwrap();
    let status = transcript.status();
    let mut said =
        format!("HTTP/1.1 {status} Played\r\nconnection: close\r\ntransfer-encoding: chunked\r\n");
    for (name, value) in transcript.response_headers() {
        said += &format!("{name}: {value}\r\n");
    }
    stream.write_all((said + "\r\n").as_bytes()).await?;
    let most = field("x-mock-break").map(|parts| parts.parse().unwrap());
    let parts = transcript.parts.iter().filter(|part| !part.is_empty());
    for part in parts.take(most.unwrap_or(usize::MAX)) {
        let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
        chunk.extend_from_slice(part);
        chunk.extend_from_slice(b"\r\n");
        stream.write_all(&chunk).await?;
        stream.flush().await?;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    if most.is_none() {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    stream.shutdown().await
}

/// Hears a request to its end, and returns its head.
async fn hear(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut heard = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&heard).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_lowercase();
            let length = lower
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: Option<usize> = length.map(|length| length.parse().unwrap());
            let start = heard
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
                .unwrap_or(0)
                + 4;
            let came = match length {
                Some(length) => heard.len() - start >= length,
                None if lower.contains("transfer-encoding") => body.ends_with("0\r\n\r\n"),
                None => true,
            };
            if came {
                return Ok(head.to_owned());
            }
        }
        if stream.read_buf(&mut heard).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
