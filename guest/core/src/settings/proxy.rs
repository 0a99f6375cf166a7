//! What a proxy that loads the logger as a filter is told beside: Envoy and those built on it.
//!
//! A proxy reaches servers through what it calls clusters, hands the filter whole bodies as they pass, and
//! has nobody to give undelivered events back to.

use super::{Setting, read};
use crate::json::{Kind, Raw};

/// The settings that only a proxy has.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    /// The proxy's name for what reaches the server.
    pub cluster: String,
    /// Which requests are logged, and whose they are; none: all are.
    pub upstreams: Vec<Upstream>,
    /// How much of each body is logged.
    pub log_body_bytes: usize,
    /// The share of a worker's time that logging may take.
    pub worker_share: f64,
}

/// Requests below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// What the path begins with, without a slash at the end.
    pub prefix: String,
    /// Who answers them.
    pub provider: Option<String>,
}

/// Settings whose default is another one here than in other hosts: what is done is done on the threads that
/// serve requests, so batches are smaller and not compressed; and none is given up while there is room.
pub(super) const DEFAULTS: [(&str, &str); 3] = [
    ("batch_max_bytes", "1048576"),
    ("compression", "\"none\""),
    ("retry_max_elapsed_ms", "86400000"),
];

pub(super) const TABLE: &[Setting] = &[
    Setting::new(
        "cluster",
        "The proxy's cluster that reaches `tracking_uri`.",
        |settings, value| {
            settings.proxy.cluster = read::text(value)?;
            Ok(())
        },
    )
    .default("\"mlflow\""),
    Setting::new(
        "upstreams",
        "Which requests are logged: a list of objects with `prefix`, what the path begins with as the client \
         sends it, and `provider`, such as `openai`. Requests below no prefix are not logged. Left \
         out: all are, and the provider is told from path, host and body.",
        |settings, value| {
            settings.proxy.upstreams = upstreams(value)?;
            Ok(())
        },
    ),
    Setting::new(
        "log_body_bytes",
        "How many bytes of each body are logged; a longer one passes whole and is logged cut, the trace \
         being tagged `truncated`.",
        |settings, value| {
            settings.proxy.log_body_bytes = read::count(value, 0)?;
            Ok(())
        },
    )
    .default("4194304"),
    Setting::new(
        "worker_share",
        "The share of each worker thread's time that logging may take, above 0 and up to 1. Past that \
         calls pass unlogged, evenly spread and counted.",
        |settings, value| {
            let share = value.as_f64().filter(|share| *share > 0.0 && *share <= 1.0);
            settings.proxy.worker_share =
                share.ok_or_else(|| read::expected("a number above 0 and up to 1", value))?;
            Ok(())
        },
    )
    .default("0.08"),
];

impl Proxy {
    /// The upstream that a path is below: the longest prefix counts, and ends at a slash.
    pub fn upstream(&self, path: &str) -> Option<&Upstream> {
        let path = path.split('?').next().unwrap_or_default();
        let fits = |upstream: &&Upstream| {
            let rest = path.strip_prefix(upstream.prefix.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let fitting = self.upstreams.iter().filter(fits);
        fitting.max_by_key(|upstream| upstream.prefix.len())
    }
}

fn upstreams(value: Raw<'_>) -> Result<Vec<Upstream>, String> {
    if value.kind() != Kind::Array {
        return Err(read::expected("a list of upstreams", value));
    }
    let numbered = value.items().enumerate();
    numbered
        .map(|(at, item)| upstream(item).map_err(|reason| format!("upstream {}: {reason}", at + 1)))
        .collect()
}

fn upstream(value: Raw<'_>) -> Result<Upstream, String> {
    let (mut prefix, mut provider) = (None, None);
    for (key, value) in read::members(value, "an object with `prefix` and `provider`")? {
        let read = read::text(value).map_err(|reason| format!("`{key}`: {reason}"))?;
        match key.as_str() {
            "prefix" if read.starts_with('/') => {
                prefix = Some(read.trim_end_matches('/').to_owned());
            }
            "prefix" => return Err("`prefix`: a path that begins with / expected".to_owned()),
            "provider" => provider = Some(read),
            other => {
                let other = other.escape_default();
                return Err(format!(
                    "unknown member `{other}`; an upstream has prefix and provider"
                ));
            }
        }
    }
    Ok(Upstream {
        prefix: prefix
            .ok_or("`prefix` is missing: what the path begins with, such as \"/openai\"")?,
        provider,
    })
}

#[cfg(test)]
mod tests {
    use crate::settings::Settings;

    fn parse(rest: &str) -> Result<Settings, String> {
        let text = format!(r#"{{"tracking_uri":"http://m:1"{rest}}}"#);
        Settings::parse_for_proxy(&text, |_| None).map_err(|error| error.to_string())
    }

    #[test]
    fn the_longest_prefix_counts_and_ends_at_a_slash() {
        let upstreams = r#","upstreams":[{"prefix":"/a"},{"prefix":"/a/b/","provider":"openai"}]"#;
        let proxy = parse(upstreams).unwrap().proxy;
        let found = |path| {
            proxy
                .upstream(path)
                .map(|upstream| upstream.prefix.as_str())
        };
        assert_eq!(found("/a/b/c"), Some("/a/b"));
        assert_eq!(found("/a/b?x=/"), Some("/a/b"));
        assert_eq!(found("/a/bc"), Some("/a"));
        assert_eq!(found("/ab"), None);
        assert_eq!(parse("").unwrap().proxy.upstream("/a"), None);
    }

    #[test]
    fn a_slash_takes_all() {
        let proxy = parse(r#","upstreams":[{"prefix":"/"}]"#).unwrap().proxy;
        assert!(proxy.upstream("/v1/x").is_some() && proxy.upstream("/").is_some());
    }

    #[test]
    fn wrong_values_are_named() {
        for (rest, told) in [
            (r#","cluster":"""#, "`cluster`: "),
            (r#","upstreams":{}"#, "`upstreams`: a list of upstreams"),
            (
                r#","upstreams":[{"provider":"x"}]"#,
                "upstream 1: `prefix` is missing",
            ),
            (r#","upstreams":[{"prefix":"x"}]"#, "`prefix`: a path"),
            (
                r#","upstreams":[{"prefix":"/x","to":"y"}]"#,
                "unknown member `to`",
            ),
            (r#","worker_share":0"#, "`worker_share`: a number above 0"),
            (r#","klaster":"x""#, "`klaster`: unknown setting"),
        ] {
            let error = parse(rest).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn other_hosts_do_not_know_them() {
        let error = Settings::parse(r#"{"tracking_uri":"http://m:1","cluster":"c"}"#);
        assert_eq!(error.unwrap_err().key, "cluster");
    }

    #[test]
    fn the_environment_sets_what_is_left_out() {
        let text = r#"{"experiment_name":"x"}"#;
        let variable = |name: &str| match name {
            "MLFLOW_TRACKING_URI" => Some("http://m:1".to_owned()),
            "MLFLOW_EXPERIMENT_ID" => Some("7".to_owned()),
            "MLFLOW_TRACKING_TOKEN" => Some("secret".to_owned()),
            _ => None,
        };
        let settings = Settings::parse_for_proxy(text, variable).unwrap();
        assert_eq!(settings.server.tracking_uri, "http://m:1");
        assert_eq!(settings.server.experiment.to_string(), "experiment \"x\"");
        assert_eq!(
            settings.server.credentials.0.as_deref(),
            Some("Bearer secret")
        );
    }

    #[test]
    fn some_defaults_are_its_own_unless_given() {
        assert_eq!(parse("").unwrap().delivery.batch_max_bytes, 1_048_576);
        let given = parse(r#","batch_max_bytes":4096"#).unwrap();
        assert_eq!(given.delivery.batch_max_bytes, 4096);
    }
}
