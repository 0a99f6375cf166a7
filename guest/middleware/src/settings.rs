//! Where requests go and how they are logged: one environment variable, which all hosts of `wasi:http` components can
//! set. It holds JSON of the same shape as the gateway's TOML.

use logger_core::settings;
use serde_json::{Map, Value};

/// The variable.
pub const VARIABLE: &str = "MLFLOW_LOGGER_CONFIG";

/// What is read from it.
pub struct Settings {
    /// The longest prefix first.
    pub upstreams: Vec<Upstream>,
    /// What the core is configured with.
    pub logger: settings::Settings,
}

/// A provider, and the paths that lead to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Upstream {
    /// What paths begin with, without a slash at the end.
    pub prefix: String,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Host, and port where it is not the scheme's.
    pub authority: String,
    /// What stands in the prefix's place, without a slash at the end.
    pub base_path: String,
    /// Such as `openai`; none: told from the request.
    pub provider: Option<String>,
}

impl Settings {
    /// Reads them; the error says what to mend. What the logger is not told it takes from MLflow's own variables.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let text = variable(VARIABLE).unwrap_or_default();
        let bad = |reason: String| format!("the environment variable {VARIABLE} {reason}");
        if text.is_empty() {
            return Err(bad(
                "is not set: it says where requests go, such as {\"upstream\":[{\"prefix\":\"/openai\",\
                 \"base_url\":\"https://api.openai.com\"}],\"logger\":{\"tracking_uri\":\"http://127.0.0.1:5000\"}}"
                    .to_owned(),
            ));
        }
        let read = serde_json::from_str(&text);
        let mut given: Map<String, Value> =
            read.map_err(|error| bad(format!("is no JSON object: {error}")))?;
        let upstreams = match given.remove("upstream") {
            Some(Value::Array(upstreams)) if !upstreams.is_empty() => upstreams,
            _ => {
                return Err(bad(
                    "has no `upstream`: a list of prefixes with a base_url each".to_owned(),
                ));
            }
        };
        let read = |(index, upstream)| {
            Upstream::read(upstream).map_err(|reason| bad(format!("at upstream.{index}: {reason}")))
        };
        let upstreams = upstreams.iter().enumerate().map(read);
        let mut upstreams = upstreams.collect::<Result<Vec<_>, _>>()?;
        upstreams.sort_by_key(|upstream| std::cmp::Reverse(upstream.prefix.len()));
        let logger = match given.remove("logger") {
            Some(logger @ Value::Object(_)) => logger.to_string(),
            None => "{}".to_owned(),
            Some(_) => return Err(bad("has a `logger` that is no object".to_owned())),
        };
        let logger = settings::Settings::parse_with(&logger, &variable);
        if let Some(key) = given.keys().next() {
            return Err(bad(format!(
                "has a key `{key}`: known are `upstream` and `logger`"
            )));
        }
        Ok(Self {
            upstreams,
            logger: logger.map_err(|error| bad(format!("at logger: {error}")))?,
        })
    }
}

impl Upstream {
    fn read(given: &Value) -> Result<Self, String> {
        let given = given.as_object().ok_or("an object expected")?;
        let known = ["prefix", "base_url", "provider"];
        if let Some(key) = given.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(format!(
                "`{key}` is unknown; known are {}",
                known.join(", ")
            ));
        }
        let text = |key: &str| match given.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(format!("`{key}` has to be text")),
        };
        let prefix = text("prefix")?.unwrap_or("/");
        if !prefix.starts_with('/') || prefix.contains(['?', '#']) {
            return Err("`prefix` has to be a path such as /openai".to_owned());
        }
        let url = text("base_url")?.ok_or("`base_url` is missing")?;
        let bad_url = || format!("`base_url` has to be a http(s) URL without query, not {url}");
        let (scheme, rest) = url.split_once("://").ok_or_else(bad_url)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(bad_url()),
        };
        if authority.is_empty() || rest.contains(['?', '#', '@']) {
            return Err(bad_url());
        }
        Ok(Self {
            prefix: prefix.trim_end_matches('/').to_owned(),
            tls,
            authority: authority.to_owned(),
            base_path: path.trim_end_matches('/').to_owned(),
            provider: text("provider")?.map(str::to_owned),
        })
    }

    /// The upstream that a path leads to.
    pub fn of<'u>(upstreams: &'u [Self], path: &str) -> Option<&'u Self> {
        upstreams.iter().find(|upstream| {
            let rest = path.strip_prefix(upstream.prefix.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        })
    }

    /// A request's path and query as the upstream gets them.
    pub fn path(&self, path_and_query: &str) -> String {
        let rest = path_and_query.strip_prefix(self.prefix.as_str());
        let rest = rest.unwrap_or(path_and_query);
        let needs_slash = self.base_path.is_empty() && !rest.starts_with('/');
        format!(
            "{}{}{rest}",
            self.base_path,
            if needs_slash { "/" } else { "" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MLFLOW: [(&str, &str); 1] = [("MLFLOW_TRACKING_URI", "http://mlflow")];

    fn read(config: &str, others: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::read(|name| match name {
            VARIABLE => Some(config.to_owned()),
            _ => {
                let mut others = others.iter();
                others
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).to_owned())
            }
        })
    }

    #[test]
    fn the_longest_prefix_wins_and_the_base_url_takes_its_place() {
        let config = r#"{"upstream":[
            {"prefix":"/a","base_url":"http://one:8080"},
            {"prefix":"/a/b/","base_url":"https://two/v1/","provider":"openai"}]}"#;
        let settings = read(config, &MLFLOW).ok().unwrap();
        let lead = |path: &str| {
            let upstream = Upstream::of(&settings.upstreams, path)?;
            Some(format!(
                "{} {} {}",
                upstream.tls,
                upstream.authority,
                upstream.path(path)
            ))
        };
        assert_eq!(lead("/a/x?q=1").as_deref(), Some("false one:8080 /x?q=1"));
        assert_eq!(lead("/a/b/x").as_deref(), Some("true two /v1/x"));
        assert_eq!(lead("/a?q").as_deref(), Some("false one:8080 /?q"));
        assert_eq!(lead("/ab"), None);
    }

    #[test]
    fn what_the_logger_is_not_told_is_in_the_environment() {
        let config = r#"{"upstream":[{"base_url":"http://one"}],"logger":{"experiment_id":"7"}}"#;
        assert!(read(config, &MLFLOW).is_ok());
        let error = read(config, &[]).err().unwrap();
        assert!(error.contains("tracking_uri"), "{error}");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (config, words) in [
            ("", "is not set"),
            ("[]", "no JSON object"),
            ("{}", "`upstream`"),
            (r#"{"upstream":[]}"#, "`upstream`"),
            (r#"{"upstream":[{}]}"#, "upstream.0: `base_url` is missing"),
            (
                r#"{"upstream":[{"base_url":"one"}]}"#,
                "upstream.0: `base_url`",
            ),
            (
                r#"{"upstream":[{"base_url":"http://u:p@one"}]}"#,
                "`base_url`",
            ),
            (
                r#"{"upstream":[{"base_url":"http://one","prefix":"x"}]}"#,
                "`prefix`",
            ),
            (
                r#"{"upstream":[{"base_url":"http://one","timeout":1}]}"#,
                "`timeout`",
            ),
            (
                r#"{"upstream":[{"base_url":"http://one"}],"loger":{}}"#,
                "`loger`",
            ),
        ] {
            let error = read(config, &MLFLOW).err().unwrap();
            assert!(error.contains(words) && error.contains(VARIABLE), "{error}");
        }
    }
}
