//! The HTTP client of one instance.
//!
//! It is the instance's own because pooled connections are served by the runtime they were made
//! on, and the blocking interface has a runtime an instance. It is made at the first request.

use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use wasmtime_wasi_http::Error;

use super::failure;
use super::upload::Upload;
use crate::origin::Origin;
use crate::tls::{self, TlsError};

/// Kept connections are dropped before servers do that, 2 s with gunicorn and 5 s with uvicorn: a
/// request sent into a closing connection is lost.
const IDLE: Duration = Duration::from_secs(1);

type Inner = hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Upload>;

#[derive(Default)]
pub(super) struct Client {
    made: Option<(Duration, Inner)>,
    /// Trusted instead of the system's certificates.
    roots: Option<RootCertStore>,
}

impl Client {
    /// Begins an exchange.
    pub fn send(
        &mut self,
        request: Request<Upload>,
        origin: &Origin,
        connect: Duration,
    ) -> Result<impl Future<Output = Result<http::Response<Incoming>, Error>> + Send + use<>, Error>
    {
        let exchange = self.inner(origin, connect)?.request(request);
        Ok(async move {
            exchange.await.map_err(|error| {
                tracing::debug!("a request failed: {error:?}");
                failure::explain(&error)
            })
        })
    }

    fn inner(&mut self, origin: &Origin, connect: Duration) -> Result<&Inner, Error> {
        let made = match self.made.take() {
            Some(made) if made.0 == connect => made,
            _ => (connect, self.make(origin, connect)?),
        };
        Ok(&self.made.insert(made).1)
    }

    fn make(&self, origin: &Origin, connect: Duration) -> Result<Inner, Error> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(connect));
        http.set_nodelay(true);
        // Reading the system's certificates takes some ms and may fail; not where none are needed.
        let tls = if origin.tls {
            self.verified()?
        } else {
            tls::trusting(RootCertStore::empty()).map_err(failed)?
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(
            hyper_util::client::legacy::Client::builder(TokioExecutor::new())
                .pool_idle_timeout(IDLE)
                .pool_timer(TokioTimer::new())
                .build(connector),
        )
    }

    fn verified(&self) -> Result<ClientConfig, Error> {
        let config = match &self.roots {
            Some(roots) => tls::trusting(roots.clone()),
            None => tls::system(),
        };
        config.map_err(failed)
    }

    /// Trusts these certificates instead of the system's.
    #[cfg(test)]
    pub fn trust(&mut self, roots: RootCertStore) {
        self.roots = Some(roots);
    }
}

fn failed(error: TlsError) -> Error {
    Error::InternalError(Some(format!("TLS failed: {error}")))
}
