//! TLS before a server, with a certificate that can be changed.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};

use anyhow::{Context, Result};
use rcgen::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// The front; it ends when this is dropped.
pub struct Front {
    address: SocketAddr,
    trusted: String,
    shows_trusted: Arc<AtomicBool>,
    _end: tokio::sync::oneshot::Sender<()>,
}

impl Front {
    /// Listens as `localhost`.
    pub fn start(server: SocketAddr) -> Result<Self> {
        let (trusted, accepts_trusted) = certificate()?;
        let (_, accepts_another) = certificate()?;
        let shows_trusted = Arc::new(AtomicBool::new(true));
        let shown = shows_trusted.clone();
        let choose = move || match shown.load(SeqCst) {
            true => accepts_trusted.clone(),
            false => accepts_another.clone(),
        };
        let (started, has_started) = mpsc::channel();
        let (end, ended) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                listener.set_nonblocking(true)?;
                // Whoever started it waits for it.
                let _ = started.send(listener.local_addr()?);
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::select! {
                    served = serve(&listener, server, choose) => served,
                    _ = ended => Ok(()),
                }
            })
        });
        Ok(Self {
            address: has_started.recv().context("it does not start")?,
            trusted,
            shows_trusted,
            _end: end,
        })
    }

    /// Its address as a base URL.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// The certificate to trust, in PEM form.
    pub fn trusted(&self) -> &str {
        &self.trusted
    }

    /// From here on it shows a certificate that nobody trusts.
    pub fn show_another(&self) {
        self.shows_trusted.store(false, SeqCst);
    }

    /// From here on it shows the one that is trusted.
    pub fn show_trusted(&self) {
        self.shows_trusted.store(true, SeqCst);
    }
}

async fn serve(
    listener: &tokio::net::TcpListener,
    server: SocketAddr,
    choose: impl Fn() -> TlsAcceptor,
) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let acceptor = choose();
        tokio::spawn(async move {
            // Who does not trust it leaves; whatever else goes wrong, both sides see it end.
            let mut client = acceptor.accept(stream).await?;
            let mut server = TcpStream::connect(server).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await
        });
    }
}

/// A certificate of its own, in PEM form, and who shows it.
fn certificate() -> Result<(String, TlsAcceptor)> {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    Ok((cert.pem(), TlsAcceptor::from(Arc::new(config))))
}
