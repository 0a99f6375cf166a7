//! What stands around the gateway: a server that takes whatever it is sent, and a reverse proxy that does nothing else.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// A server that takes whatever it is sent.
pub async fn taker() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: Request<Incoming>| async {
                // What it was sent does not matter, nor that it broke off.
                let _ = request.into_body().collect().await;
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            });
            let server = hyper::server::conn::http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

/// A reverse proxy of hyper's own parts: passes requests on as they are, bodies as they come.
pub async fn proxy(to: &str) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let to: Uri = to.parse()?;
    let authority = to.authority().context("a URL has an authority")?.clone();
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
    let shared = Arc::new((client, authority));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // What cannot be sped up is served all the same.
            let _ = stream.set_nodelay(true);
            let shared = shared.clone();
            let service = service_fn(move |mut request: Request<Incoming>| {
                let shared = shared.clone();
                async move {
                    let (client, authority) = &*shared;
                    let path = request.uri().path_and_query();
                    let path = path.map_or("/", |path| path.as_str());
                    let uri = Uri::builder().scheme("http").authority(authority.clone());
                    *request.uri_mut() = uri.path_and_query(path).build()?;
                    let response = client.request(request).await?;
                    anyhow::Ok(response)
                }
            });
            let server = hyper::server::conn::http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}
