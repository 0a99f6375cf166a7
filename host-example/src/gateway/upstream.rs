//! Where requests are forwarded: which upstream a path belongs to, and the connections to it.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;

use super::body;
use super::headers::{MOST_BYTES, MOST_FIELDS};
use crate::config::{Config, Fault, Upstream as Settings};
use crate::origin::Origin;
use crate::tls::{self, TlsError};

/// How long a connection is kept that nobody uses. Servers that close sooner are seen to.
const KEEP: Duration = Duration::from_secs(30);

pub(super) type Client = legacy::Client<HttpsConnector<HttpConnector>, body::Request>;

/// An upstream with its connections.
pub(super) struct Upstream {
    /// What the configuration says of it.
    pub settings: Settings,
    /// Where it is.
    pub origin: Origin,
    /// Its connections.
    pub client: Client,
    scheme: Scheme,
    authority: Authority,
    base_path: String,
}

/// All upstreams, the longest prefix first.
#[derive(Default)]
pub(super) struct Routes(Vec<Arc<Upstream>>);

impl Routes {
    /// Those of a configuration. Upstreams that have not changed keep their connections.
    pub fn new(config: &Config, before: &Self) -> Result<Self, Vec<Fault>> {
        let mut routes = Vec::new();
        let mut faults = Vec::new();
        for (index, settings) in config.upstreams.iter().enumerate() {
            let known = before.0.iter().find(|known| {
                // A file of certificates may have changed though its name has not.
                known.settings == *settings && settings.ca_file.is_none()
            });
            match known.map_or_else(|| Upstream::new(settings).map(Arc::new), |k| Ok(k.clone())) {
                Ok(upstream) => routes.push(upstream),
                Err((key, reason)) => faults.push(Fault {
                    line: None,
                    key: format!("upstream.{index}.{key}"),
                    reason,
                }),
            }
        }
        routes.sort_by_key(|upstream| std::cmp::Reverse(upstream.settings.prefix.len()));
        if faults.is_empty() {
            Ok(Self(routes))
        } else {
            Err(faults)
        }
    }

    /// The upstream a path belongs to.
    pub fn find(&self, path: &str) -> Option<&Arc<Upstream>> {
        self.0.iter().find(|upstream| {
            let rest = path.strip_prefix(upstream.settings.prefix.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// The prefixes, for messages.
    pub fn prefixes(&self) -> String {
        let prefixes = self.0.iter().map(|upstream| {
            let prefix = upstream.settings.prefix.as_str();
            if prefix.is_empty() { "/" } else { prefix }
        });
        prefixes.collect::<Vec<_>>().join(", ")
    }
}

impl Upstream {
    /// The error is the key at fault and what is wrong.
    fn new(settings: &Settings) -> Result<Self, (&'static str, String)> {
        let bad = |reason: String| ("base_url", reason);
        let url: Uri = settings
            .base_url
            .parse()
            .map_err(|error| bad(format!("is no URL: {error}")))?;
        let origin = Origin::of(&url).ok_or_else(|| bad("is no http or https URL".to_owned()))?;
        let parts = url.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(bad("names no host".to_owned()));
        };
        let path = parts.path_and_query.map(|path| path.path().to_owned());
        let key = if settings.ca_file.is_some() {
            "ca_file"
        } else {
            "base_url"
        };
        let client = client(settings, &origin).map_err(|error| (key, error.to_string()))?;
        Ok(Self {
            settings: settings.clone(),
            origin,
            client,
            scheme,
            authority,
            base_path: path.unwrap_or_default().trim_end_matches('/').to_owned(),
        })
    }

    /// A request's path and query, the prefix replaced by the base URL's path.
    pub fn path(&self, path_and_query: &str) -> String {
        let rest = path_and_query.strip_prefix(self.settings.prefix.as_str());
        let rest = rest.unwrap_or(path_and_query);
        let slash = if rest.starts_with('/') || !self.base_path.is_empty() {
            ""
        } else {
            "/"
        };
        format!("{}{slash}{rest}", self.base_path)
    }

    /// The URL of a path at this upstream.
    pub fn url(&self, path: &str) -> Option<Uri> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path.parse::<PathAndQuery>().ok()?)
            .build()
            .ok()
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// What its metrics are told apart by.
    pub fn label(&self) -> &str {
        if self.settings.prefix.is_empty() {
            "/"
        } else {
            &self.settings.prefix
        }
    }
}

fn client(settings: &Settings, origin: &Origin) -> Result<Client, TlsError> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(settings.connect_timeout));
    http.set_nodelay(true);
    http.set_keepalive(Some(Duration::from_secs(60)));
    let tls = match &settings.ca_file {
        Some(file) => tls::trusting(tls::roots(file)?)?,
        None if origin.tls => tls::system()?,
        None => tls::trusting(RootCertStore::empty())?,
    };
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .wrap_connector(http);
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_idle_timeout(KEEP)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .http1_preserve_header_case(true)
        .http1_max_headers(MOST_FIELDS)
        .http2_max_header_list_size(MOST_BYTES)
        .http2_adaptive_window(true)
        .build(connector))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(upstreams: &[(&str, &str)]) -> Routes {
        let tables = upstreams.iter().map(|(prefix, base_url)| {
            format!("[[upstream]]\nprefix = \"{prefix}\"\nbase_url = \"{base_url}\"\n")
        });
        let text = tables.collect::<String>();
        let config = Config::parse(&text, "test.toml".as_ref()).unwrap();
        Routes::new(&config, &Routes::default()).unwrap_or_else(|_| panic!("faults"))
    }

    fn lead(routes: &Routes, path: &str) -> Option<String> {
        let upstream = routes.find(path.split('?').next().unwrap())?;
        Some(upstream.url(&upstream.path(path)).unwrap().to_string())
    }

    #[test]
    fn the_longest_prefix_wins_and_ends_at_a_slash() {
        let routes = routes(&[("/a", "http://one"), ("/a/b/", "http://two:8080/v1/")]);
        let to = |path| lead(&routes, path);
        assert_eq!(to("/a/x?q=1").as_deref(), Some("http://one/x?q=1"));
        assert_eq!(to("/a/b/x").as_deref(), Some("http://two:8080/v1/x"));
        assert_eq!(to("/a/b").as_deref(), Some("http://two:8080/v1"));
        assert_eq!(to("/a").as_deref(), Some("http://one/"));
        assert_eq!(to("/a?q").as_deref(), Some("http://one/?q"));
        assert_eq!(to("/ab"), None);
        assert_eq!(routes.prefixes(), "/a/b, /a");
    }

    #[test]
    fn a_slash_takes_all() {
        let routes = routes(&[("/", "http://one/base")]);
        let to = lead(&routes, "/v1/%7Bx%7D//y?a=%20");
        assert_eq!(to.as_deref(), Some("http://one/base/v1/%7Bx%7D//y?a=%20"));
    }

    #[test]
    fn connections_outlive_a_reload_where_nothing_changed() {
        let before = routes(&[("/a", "http://one")]);
        let text = "[[upstream]]\nprefix = \"/a\"\nbase_url = \"http://one\"\n";
        let config = Config::parse(text, "test.toml".as_ref()).unwrap();
        let after = Routes::new(&config, &before).unwrap_or_else(|_| panic!("faults"));
        assert!(Arc::ptr_eq(
            before.find("/a").unwrap(),
            after.find("/a").unwrap()
        ));
    }

    #[test]
    fn a_file_without_certificates_is_told() {
        let text =
            "[[upstream]]\nprefix = \"/a\"\nbase_url = \"https://one\"\nca_file = \"/no/ca.pem\"\n";
        let config = Config::parse(text, "test.toml".as_ref()).unwrap();
        let faults = Routes::new(&config, &Routes::default()).err().unwrap();
        assert_eq!(faults[0].key, "upstream.0.ca_file");
        assert!(faults[0].reason.contains("/no/ca.pem"), "{:?}", faults[0]);
    }
}
