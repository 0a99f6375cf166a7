//! Where a URL leads: scheme, host and port.

use std::fmt;

use http::Uri;

/// The part of a URL that decides whom one talks to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The host's name or address, in lower case; IPv6 in brackets.
    pub host: String,
    /// The port, given or implied.
    pub port: u16,
}

impl Origin {
    /// The origin of an absolute `http` or `https` URL; of anything else, none.
    pub fn of(uri: &Uri) -> Option<Self> {
        let tls = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let host = uri.host().filter(|host| !host.is_empty())?;
        Some(Self {
            tls,
            host: host.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
        })
    }

    /// The origin of a URL as text.
    pub fn parse(url: &str) -> Option<Self> {
        Self::of(&url.parse().ok()?)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        Origin::parse(one).unwrap() == Origin::parse(other).unwrap()
    }

    #[test]
    fn scheme_host_and_port_count_and_nothing_else() {
        assert!(same("http://mlflow/a?b", "http://MLflow:80"));
        assert!(same("https://mlflow", "https://mlflow:443/x"));
        assert!(same("http://[::1]:5000", "http://[::1]:5000/v1/traces"));
        assert!(!same("http://mlflow", "https://mlflow"));
        assert!(!same("http://mlflow", "http://mlflow:5000"));
        assert!(!same("http://mlflow", "http://mlflow.example"));
        assert!(!same("http://127.0.0.1", "http://localhost"));
    }

    #[test]
    fn what_is_no_web_address_has_no_origin() {
        for url in [
            "",
            "mlflow:5000",
            "/v1/traces",
            "ftp://mlflow",
            "sqlite:///x",
            "http://",
        ] {
            assert_eq!(Origin::parse(url), None, "{url}");
        }
    }
}
