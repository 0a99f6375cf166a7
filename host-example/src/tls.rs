//! Whom to trust when TLS is spoken.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

/// No TLS can be spoken as things are, and how to mend that.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TlsError(String);

/// Trusts the system's certificates. Reading them takes some ms.
pub(crate) fn system() -> Result<ClientConfig, TlsError> {
    let with_roots = builder()?.with_native_roots().map_err(|error| {
        TlsError(format!(
            "the system's certificates could not be read ({error}); install the package \
             ca-certificates or point SSL_CERT_FILE to a file of them"
        ))
    })?;
    Ok(with_roots.with_no_client_auth())
}

/// Trusts these certificates and no others.
pub(crate) fn trusting(roots: RootCertStore) -> Result<ClientConfig, TlsError> {
    Ok(builder()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// The certificates of a PEM file.
pub(crate) fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let unreadable = |error: &dyn std::fmt::Display| {
        TlsError(format!(
            "the certificates in {} cannot be read: {error}",
            path.display()
        ))
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        roots.add(certificate).map_err(|error| unreadable(&error))?;
    }
    if roots.is_empty() {
        return Err(unreadable(&"the file holds none; it has to be in PEM form"));
    }
    Ok(roots)
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError(error.to_string()))
}
