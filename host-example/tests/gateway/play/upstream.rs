//! An upstream that says exactly the bytes it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Listens for as long as the runtime runs.
pub struct Upstream {
    pub url: String,
    pub connections: Arc<AtomicUsize>,
}

/// One request, and the way to answer it.
pub struct Conversation {
    pub head: String,
    pub body: Vec<u8>,
    stream: TcpStream,
}

impl Upstream {
    /// Has each connection's first request answered.
    pub async fn start<F>(answer: impl Fn(Conversation) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, SeqCst);
                let answer = answer.clone();
                tokio::spawn(async move {
                    if let Some(conversation) = Conversation::hear(stream).await {
                        answer(conversation).await;
                    }
                });
            }
        });
        Self { url, connections }
    }

    /// Always answers this.
    pub async fn saying(response: impl Into<Vec<u8>>) -> Self {
        let response = Arc::new(response.into());
        Self::start(move |mut conversation| {
            let response = response.clone();
            async move { conversation.say(&*response).await }
        })
        .await
    }

    /// Always answers with this JSON.
    pub async fn json(body: &str) -> Self {
        let length = body.len();
        Self::saying(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await
    }
}

impl Conversation {
    /// Hears a request to its end; none: it never came to that.
    async fn hear(mut stream: TcpStream) -> Option<Self> {
        let mut heard = Vec::new();
        let end = loop {
            if let Some(end) = heard.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut heard).await.ok()? == 0 {
                return None;
            }
        };
        let mut body = heard.split_off(end);
        let head = String::from_utf8(heard).unwrap();
        let field = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            values.next().map(|(_, value)| value.to_owned())
        };
        let length = field("content-length").map(|length| length.parse::<usize>().unwrap());
        let chunked = field("transfer-encoding").is_some();
        while length.is_some_and(|length| body.len() < length)
            || (chunked && !body.ends_with(b"0\r\n\r\n"))
        {
            if stream.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        Some(Self { head, body, stream })
    }

    /// Says these bytes.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Begins a stream of server-sent events.
    pub async fn begin_events(&mut self) {
        self.say("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
    }

    /// Says one event, as a chunk of its own.
    pub async fn event(&mut self, data: &str) {
        let event = format!("data: {data}\n\n");
        self.say(format!("{:x}\r\n{event}\r\n", event.len())).await;
    }

    /// Ends the stream as it should.
    pub async fn end_events(&mut self) {
        self.say("0\r\n\r\n").await;
    }

    /// Waits until the other side has closed the connection.
    pub async fn closed(mut self) {
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = self.stream.read_to_end(&mut rest).await;
    }
}
