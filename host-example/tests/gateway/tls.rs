//! Upstreams that speak TLS, and HTTP/2 where they offer it.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig, pki_types::PrivateKeyDer};

use crate::play::{Answer, Gateway, Mlflow, post};

/// An upstream that says which version of HTTP it was asked in, and its certificate.
pub async fn serve(protocols: &[&[u8]]) -> (String, TempDir, PathBuf) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, certified.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let builder = Builder::new(TokioExecutor::new());
                    let connection =
                        builder.serve_connection(TokioIo::new(stream), service_fn(version));
                    // The gateway may go before the connection does.
                    let _ = connection.await;
                }
            });
        }
    });
    (url, directory, path)
}

async fn version(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let host = request
        .uri()
        .authority()
        .map(ToString::to_string)
        .unwrap_or_default();
    let said = serde_json::json!({"version": format!("{:?}", request.version()), "host": host});
    Ok(Response::new(Full::from(said.to_string())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_file_is_trusted_and_http_2_is_spoken_where_it_is_offered() {
    for (protocols, version) in [
        (&[b"h2" as &[u8], b"http/1.1"][..], "HTTP/2.0"),
        (&[b"http/1.1"], "HTTP/1.1"),
    ] {
        let (url, _directory, ca) = serve(protocols).await;
        let mlflow = Mlflow::start().await;
        let ca = format!("ca_file = {:?}", ca.to_str().unwrap());
        let gateway = Gateway::start(&Gateway::config(&url, &mlflow, &ca, "")).await;
        for _ in 0..2 {
            let answer = Answer::of(post(&gateway.address, "/up/v1/x", "{}").await).await;
            assert_eq!(
                (answer.status(), answer.json()["version"].as_str()),
                (200, Some(version)),
                "{}",
                answer.text()
            );
        }
        mlflow.spans(2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_vouches_for_is_502() {
    let (url, _directory, _) = serve(&[b"h2"]).await;
    let mlflow = Mlflow::start().await;
    let gateway = Gateway::start(&Gateway::config(&url, &mlflow, "", "")).await;
    let answer = Answer::of(post(&gateway.address, "/up/v1/x", "{}").await).await;
    assert_eq!(
        (answer.status(), answer.json()["error"]["type"].as_str()),
        (502, Some("tls-error")),
        "{}",
        answer.text()
    );
    assert_eq!(mlflow.span().await.exception().0, "tls-error");
}
