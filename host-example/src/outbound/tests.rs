use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn request(url: &str) -> Request<WasiBody> {
    let body = Full::new(Bytes::from_static(b"{}"));
    let body = body.map_err(|never| match never {}).boxed_unsync();
    Request::post(url).body(body).unwrap()
}

fn timeouts() -> Timeouts {
    Timeouts {
        connect: SECOND,
        first_byte: 5 * SECOND,
        between_bytes: 5 * SECOND,
    }
}

fn allowing(url: &str, timeouts: Timeouts) -> Outbound {
    let mut outbound = Outbound::default();
    outbound.allow(Origin::parse(url).unwrap(), timeouts);
    outbound
}

/// Sends and reads the whole answer.
async fn exchange(outbound: &mut Outbound, url: &str) -> Result<Bytes, Error> {
    let processed = Box::new(async { Ok(()) });
    let sent = outbound.send_request(request(url), None, processed);
    let (response, _) = Box::into_pin(sent).await?;
    Ok(response.into_body().collect().await?.to_bytes())
}

/// A server that answers its first request with these parts, `pause` before each.
async fn serve(parts: &'static [&'static str], pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        for part in parts {
            tokio::time::sleep(pause).await;
            stream.write_all(part.as_bytes()).await.unwrap();
        }
        // Stays open: the client may not wait for the end.
        std::future::pending::<()>().await;
    });
    format!("http://{address}")
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";

#[tokio::test]
async fn the_configured_origin_is_reached() {
    let url = serve(&[HEAD, "ok"], Duration::ZERO).await;
    let answer = exchange(
        &mut allowing(&url, timeouts()),
        &format!("{url}/v1/traces?a=b"),
    )
    .await;
    assert_eq!(answer.unwrap(), "ok");
}

#[tokio::test]
async fn any_other_origin_is_denied_before_anything_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let mut outbound = allowing("http://127.0.0.1:9", timeouts());
    let secure = "https://127.0.0.1:9/";
    for url in [
        other.as_str(),
        secure,
        "http://localhost:9/",
        "http://example.com/",
    ] {
        let error = exchange(&mut outbound, url).await.unwrap_err();
        assert!(matches!(error, Error::HttpRequestDenied), "{url}: {error}");
    }
    let unconfigured = exchange(&mut Outbound::default(), "http://127.0.0.1:9").await;
    assert!(matches!(unconfigured, Err(Error::HttpRequestDenied)));
    let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(nobody.is_err(), "somebody connected");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    const MOVED: &str =
        "HTTP/1.1 307 Moved\r\nlocation: http://example.com/\r\ncontent-length: 2\r\n\r\nno";
    let url = serve(&[MOVED], Duration::ZERO).await;
    let mut outbound = allowing(&url, timeouts());
    let sent = outbound.send_request(request(&url), None, Box::new(async { Ok(()) }));
    let (response, _) = Box::into_pin(sent).await.unwrap();
    assert_eq!(response.status(), 307);
}

#[tokio::test]
async fn a_refused_connection_and_an_unknown_name_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = exchange(&mut allowing(&closed, timeouts()), &closed)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ConnectionRefused), "{error:?}");
    let unknown = "http://no-such-host.invalid";
    let error = exchange(&mut allowing(unknown, timeouts()), unknown)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::DnsError { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_not_waited_for() {
    let slow = Timeouts {
        first_byte: Duration::from_millis(1),
        ..timeouts()
    };
    let slow = Timeouts {
        connect: Duration::from_millis(200),
        ..slow
    };
    let url = serve(&[], Duration::ZERO).await;
    let error = exchange(&mut allowing(&url, slow), &url).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error:?}");

    let stalling = Timeouts {
        between_bytes: Duration::from_millis(50),
        ..timeouts()
    };
    let url = serve(&[HEAD, "o"], Duration::ZERO).await;
    let error = exchange(&mut allowing(&url, stalling), &url)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error:?}");
}

#[test]
fn the_guest_may_shorten_timeouts_and_not_lengthen_them() {
    let asked = |seconds| RequestOptions {
        connect_timeout: Some(Duration::from_secs(seconds)),
        first_byte_timeout: Some(Duration::from_secs(seconds)),
        between_bytes_timeout: None,
    };
    assert_eq!(timeouts().shortened(Some(asked(100))), timeouts());
    assert_eq!(timeouts().shortened(None), timeouts());
    assert_eq!(
        timeouts().shortened(Some(asked(0))).first_byte,
        Duration::ZERO
    );
}

/// A TLS server with a certificate of its own, which answers once, and that certificate.
async fn serve_tls() -> (String, rustls::RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
                stream.write_all(HEAD.as_bytes()).await.unwrap();
                stream.write_all(b"ok").await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    });
    (format!("https://localhost:{port}"), roots)
}

#[tokio::test]
async fn tls_is_spoken_and_certificates_are_verified() {
    let (url, roots) = serve_tls().await;
    let mut trusting = allowing(&url, timeouts());
    trusting.client.trust(roots.clone());
    assert_eq!(exchange(&mut trusting, &url).await.unwrap(), "ok");

    let (other, _) = serve_tls().await;
    let mut distrusting = allowing(&other, timeouts());
    distrusting.client.trust(roots);
    let error = exchange(&mut distrusting, &other).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("TLS failed: invalid peer certificate"),
        "{error}"
    );

    let (url, roots) = serve_tls().await;
    let by_address = url.replace("localhost", "127.0.0.1");
    let mut misnamed = allowing(&by_address, timeouts());
    misnamed.client.trust(roots);
    let error = exchange(&mut misnamed, &by_address).await.unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
}
