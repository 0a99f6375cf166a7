//! A client with one connection a request.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A response that has been read to its end.
pub struct Answer {
    pub head: http::response::Parts,
    pub body: Bytes,
}

impl Answer {
    pub async fn of(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { head, body }
    }

    pub fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Sends a request and waits for the head of the response. Dropping the response ends the connection.
pub async fn send(
    address: &str,
    request: Request<Full<Bytes>>,
) -> hyper::Result<Response<Incoming>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .preserve_header_case(true)
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}

/// A request with JSON.
pub async fn post(address: &str, path: &str, body: impl Into<Bytes>) -> Response<Incoming> {
    let request = Request::post(path)
        .header("host", address)
        .header("content-type", "application/json")
        .body(Full::new(body.into()))
        .unwrap();
    send(address, request).await.unwrap()
}

/// A request for a page.
pub async fn get(address: &str, path: &str) -> Answer {
    let request = Request::get(path)
        .header("host", address)
        .body(Full::default())
        .unwrap();
    Answer::of(send(address, request).await.unwrap()).await
}
