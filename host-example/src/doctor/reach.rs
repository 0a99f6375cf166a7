//! The way to a server, step by step: its name, its port, its certificate.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use logger_core::settings::Server;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Report;
use crate::origin::Origin;
use crate::settings::Settings;
use crate::tls::{self, TlsError};

/// How long each step may take; the gateway waits no longer for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// A way that was gone once, and can be gone again.
#[derive(Clone)]
pub(super) struct Way {
    addresses: Vec<SocketAddr>,
    host: String,
    tls: Option<Arc<ClientConfig>>,
}

/// A connection, with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A step that could not be gone.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoWay {
    #[error("the name {host} was not found: {reason}")]
    Name { host: String, reason: io::Error },
    #[error("{tried} cannot be connected to: {reason}")]
    Port { tried: String, reason: io::Error },
    #[error("no TLS can be spoken with {host}: {reason}")]
    Tls { host: String, reason: io::Error },
    #[error(transparent)]
    Certificates(#[from] TlsError),
}

impl NoWay {
    /// The check that has failed.
    pub fn check(&self) -> &'static str {
        match self {
            Self::Name { .. } => "dns",
            Self::Port { .. } => "tcp",
            Self::Tls { .. } | Self::Certificates(_) => "tls",
        }
    }

    /// How to mend it, where `url` is the setting that has led there.
    pub fn mend(&self, url: &str) -> String {
        match self {
            Self::Name { .. } => {
                format!("correct the host in {url}, or this machine's name service")
            }
            Self::Port { reason, .. } if reason.kind() == io::ErrorKind::TimedOut => {
                format!("correct {url}, or have the firewalls in between let this machine through")
            }
            Self::Port { .. } => {
                format!("start the server there, or correct host and port in {url}")
            }
            Self::Tls { reason, .. } => mend_tls(&reason.to_string(), url),
            Self::Certificates(_) => "install the package ca-certificates".to_owned(),
        }
    }
}

/// rustls has the reason as words only once it has passed through an I/O error.
fn mend_tls(reason: &str, url: &str) -> String {
    if reason.contains("UnknownIssuer") {
        "add the certificate of the authority that signed the server's to this machine's, or point \
         SSL_CERT_FILE to a file that holds it"
            .to_owned()
    } else if reason.contains("not valid for name") || reason.contains("NotValidForName") {
        format!("set {url} to a name that the server's certificate is for")
    } else if reason.contains("xpired") {
        "renew the server's certificate, and see that both clocks are right".to_owned()
    } else {
        format!("if the server speaks plain HTTP, begin {url} with http://; if not, see its log")
    }
}

impl Way {
    /// Looks the host up.
    pub async fn find(origin: &Origin, tls: Option<Arc<ClientConfig>>) -> Result<Self, NoWay> {
        let host = origin.host.trim_matches(['[', ']']).to_owned();
        let found = tokio::time::timeout(
            PATIENCE,
            tokio::net::lookup_host((host.as_str(), origin.port)),
        );
        let found = found
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let addresses = found.map(Vec::from_iter).and_then(|addresses| {
            if addresses.is_empty() {
                Err(io::Error::other("it has no address"))
            } else {
                Ok(addresses)
            }
        });
        match addresses {
            Ok(addresses) => Ok(Self {
                addresses,
                host,
                tls,
            }),
            Err(reason) => Err(NoWay::Name { host, reason }),
        }
    }

    /// The addresses, in words.
    pub fn addresses(&self) -> String {
        let addresses: Vec<_> = self.addresses.iter().map(|a| a.ip().to_string()).collect();
        addresses.join(", ")
    }

    /// Connects to the first address that lets it.
    pub async fn connect(&self) -> Result<TcpStream, NoWay> {
        let mut last = io::Error::other("it has no address");
        for address in &self.addresses {
            let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await;
            match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(stream) => return Ok(stream),
                Err(reason) => last = reason,
            }
        }
        let tried: Vec<_> = self.addresses.iter().map(SocketAddr::to_string).collect();
        Err(NoWay::Port {
            tried: tried.join(", "),
            reason: last,
        })
    }

    /// Has the connection speak TLS, where it has to.
    pub async fn secure(&self, stream: TcpStream) -> Result<Box<dyn Stream>, NoWay> {
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let failed = |reason| NoWay::Tls {
            host: self.host.clone(),
            reason,
        };
        let name = ServerName::try_from(self.host.clone());
        let name = name.map_err(|error| failed(io::Error::other(error)))?;
        let shaken = TlsConnector::from(tls.clone()).connect(name, stream);
        let shaken = tokio::time::timeout(PATIENCE, shaken).await;
        let secured = shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        Ok(Box::new(secured.map_err(failed)?))
    }
}

/// Goes the way to MLflow, and tells of each step.
pub(super) async fn mlflow(
    server: &Server,
    settings: &Settings,
    report: &mut Report,
) -> Option<Way> {
    let way = steps(&server.tracking_uri, report).await;
    way.map_err(|failed| {
        let source = settings.source("tracking_uri");
        let from = source
            .map(|source| format!(" ({source})"))
            .unwrap_or_default();
        let mend = failed.mend(&format!("`tracking_uri`{from}"));
        report.fail(failed.check(), failed.to_string(), mend);
    })
    .ok()
}

async fn steps(url: &str, report: &mut Report) -> Result<Way, NoWay> {
    let unclear = || NoWay::Name {
        host: url.to_owned(),
        reason: io::Error::other("it is no http or https URL"),
    };
    let origin = Origin::parse(url).ok_or_else(unclear)?;
    let tls = match origin.tls {
        true => Some(Arc::new(tls::system()?)),
        false => None,
    };
    let way = Way::find(&origin, tls).await?;
    if way.addresses() != way.host {
        report.ok("dns", format!("{} is {}", way.host, way.addresses()));
    }
    let stream = way.connect().await?;
    let peer = stream.peer_addr().map(|peer| peer.to_string());
    report.ok(
        "tcp",
        format!("{} takes connections", peer.unwrap_or_default()),
    );
    way.secure(stream).await?;
    if origin.tls {
        report.ok(
            "tls",
            format!("the certificate for {} is trusted", way.host),
        );
    }
    Ok(way)
}
