//! Where the traces go.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{Setting, SettingError, read};
use crate::redact::Detectors;

/// Stands for a secret of the settings.
const HIDDEN: &str = "(hidden)";
/// What is shorter keeps nothing secret, and would take words apart.
const SHORTEST_SECRET: usize = 3;

/// The server, the experiment, and how to get in.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// The URL without a slash at the end.
    pub tracking_uri: String,
    /// What the server speaks.
    pub protocol: Protocol,
    /// The experiment of traces that name none.
    pub experiment: Experiment,
    /// The run that traces are linked to.
    pub run_id: Option<String>,
    /// The MLflow workspace.
    pub workspace: Option<String>,
    /// How to get in.
    pub credentials: Credentials,
    /// Further header fields.
    pub headers: Headers,
    experiment_name: Option<String>,
    experiment_id: Option<String>,
    token: Secret,
    username: Option<String>,
    password: Secret,
}

impl Server {
    /// Whether what goes to either ends up in the same place.
    pub(crate) fn is_place_of(&self, other: &Self) -> bool {
        self.tracking_uri == other.tracking_uri
            && self.protocol == other.protocol
            && self.run_id == other.run_id
            && self.workspace == other.workspace
            && self.headers.0 == other.headers.0
    }

    /// The header fields that let a request in: credentials and workspace. Not for logs.
    pub fn entry_fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let credentials = self.credentials.0.as_deref();
        let workspace = self.workspace.as_deref();
        let fields = [
            ("authorization", credentials),
            ("x-mlflow-workspace", workspace),
        ];
        fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
    }
}

impl Server {
    /// What somebody says, without what lets a request in: servers repeat what they were sent, and what they say is
    /// logged.
    pub fn without_secrets(&self, said: &str) -> String {
        let mut said = said.to_owned();
        for secret in self.secrets() {
            said = said.replace(&secret, HIDDEN);
        }
        Detectors::secrets().redact(&said).unwrap_or(said)
    }

    /// Longer ones come before those that may be parts of them.
    fn secrets(&self) -> Vec<String> {
        let field = self.credentials.0.as_deref().unwrap_or_default();
        let sent = field.split_once(' ').map_or(field, |(_, sent)| sent);
        let headers = self.headers.0.iter().map(|(_, value)| value.clone());
        let mut secrets: Vec<_> = std::iter::once(sent.to_owned()).chain(headers).collect();
        let decoded = BASE64_STANDARD.decode(sent).ok();
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let password = decoded.as_deref().and_then(|pair| pair.split_once(':'));
        secrets.extend(password.map(|(_, password)| password.to_owned()));
        secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
        secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
    }
}

/// What the server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// MLflow: experiments are looked up and created by name.
    #[default]
    Mlflow,
    /// OTLP/HTTP, any collector: the URL is the base that `/v1/traces` is added to.
    Otlp,
}

/// An MLflow experiment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Experiment {
    /// Looked up by name, and created if absent.
    Name(String),
    /// Given by its id.
    Id(String),
}

impl Default for Experiment {
    /// MLflow's own default experiment.
    fn default() -> Self {
        Self::Id("0".to_owned())
    }
}

impl fmt::Display for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "experiment \"{name}\""),
            Self::Id(id) => write!(f, "experiment {id}"),
        }
    }
}

/// How to get in, as the value of the `authorization` header field.
#[derive(Clone, Default)]
pub struct Credentials(pub Option<String>);

/// Header fields of the settings.
#[derive(Clone, Default)]
pub struct Headers(pub Vec<(String, String)>);

#[derive(Clone, Default)]
struct Secret(Option<String>);

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hidden(self.0.is_some(), f)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hidden(self.0.is_some(), f)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

fn hidden(present: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(if present { "(hidden)" } else { "(none)" })
}

pub(super) const TABLE: &[Setting] = &[
    Setting::new(
        "tracking_uri",
        "The MLflow server's URL, `http://` or `https://`, with a path if it is served below one. \
         Required. With `protocol = \"otlp\"`: the URL that `/v1/traces` is added to.",
        |settings, value| {
            settings.server.tracking_uri = tracking_uri(&read::text(value)?)?;
            Ok(())
        },
    )
    .env("MLFLOW_TRACKING_URI"),
    Setting::new(
        "experiment_name",
        "The experiment's name. Looked up on the server, and created if absent. Excludes \
         `experiment_id`; with neither, MLflow's default experiment `0` is used.",
        |settings, value| {
            settings.server.experiment_name = Some(read::text(value)?);
            Ok(())
        },
    )
    .env("MLFLOW_EXPERIMENT_NAME"),
    Setting::new(
        "experiment_id",
        "The experiment's id, instead of its name.",
        |settings, value| {
            let id = match value.as_i64().filter(|id| *id >= 0) {
                Some(id) => id.to_string(),
                None => read::header_value(value)?,
            };
            settings.server.experiment_id = Some(id);
            Ok(())
        },
    )
    .env("MLFLOW_EXPERIMENT_ID"),
    Setting::new(
        "run_id",
        "The MLflow run that all traces are linked to.",
        |settings, value| {
            settings.server.run_id = Some(read::header_value(value)?);
            Ok(())
        },
    ),
    Setting::new(
        "token",
        "A bearer token for the server. Excludes `username` and `password`.",
        |settings, value| {
            settings.server.token = Secret(Some(read::header_value(value)?));
            Ok(())
        },
    )
    .env("MLFLOW_TRACKING_TOKEN")
    .secret(),
    Setting::new(
        "username",
        "The name for HTTP basic authentication; needs `password` too.",
        |settings, value| {
            let name = read::header_value(value)?;
            if name.contains(':') {
                return Err("a name for basic authentication cannot hold a colon".to_owned());
            }
            settings.server.username = Some(name);
            Ok(())
        },
    )
    .env("MLFLOW_TRACKING_USERNAME"),
    Setting::new(
        "password",
        "The password for HTTP basic authentication; needs `username` too.",
        |settings, value| {
            settings.server.password = Secret(Some(read::header_value(value)?));
            Ok(())
        },
    )
    .env("MLFLOW_TRACKING_PASSWORD")
    .secret(),
    Setting::new(
        "workspace",
        "The MLflow workspace, sent as `X-MLFLOW-WORKSPACE`.",
        |settings, value| {
            settings.server.workspace = Some(read::header_value(value)?);
            Ok(())
        },
    )
    .env("MLFLOW_WORKSPACE"),
    Setting::new(
        "headers",
        "Further HTTP header fields for every request to the server: an object of names and values.",
        |settings, value| {
            settings.server.headers = headers(read::members(value, "an object of strings")?)?;
            Ok(())
        },
    )
    .secret(),
    Setting::new(
        "protocol",
        "`\"mlflow\"`, or `\"otlp\"` for any OpenTelemetry collector that takes OTLP/HTTP; the latter \
         knows no experiments by name.",
        |settings, value| {
            settings.server.protocol = match read::text(value)?.as_str() {
                "mlflow" => Protocol::Mlflow,
                "otlp" => Protocol::Otlp,
                other => return Err(format!("\"mlflow\" or \"otlp\" expected, found \"{other}\"")),
            };
            Ok(())
        },
    )
    .default("\"mlflow\""),
];

impl Server {
    /// Settles what several settings say together.
    pub(super) fn validate(&mut self) -> Result<(), SettingError> {
        if self.tracking_uri.is_empty() {
            let reason = "required: the MLflow server's URL, such as \"http://127.0.0.1:5000\"";
            return Err(SettingError::new("tracking_uri", reason));
        }
        self.experiment = match (self.experiment_name.take(), self.experiment_id.take()) {
            (Some(_), Some(_)) => {
                let reason = "excludes `experiment_name`: leave one of them out";
                return Err(SettingError::new("experiment_id", reason));
            }
            (Some(name), None) => Experiment::Name(name),
            (None, Some(id)) => Experiment::Id(id),
            (None, None) => Experiment::default(),
        };
        let login = (self.username.take(), self.password.0.take());
        self.credentials = Credentials(match (self.token.0.take(), login) {
            (Some(_), (Some(_), _)) => {
                let reason = "excludes `token`: leave one of them out";
                return Err(SettingError::new("username", reason));
            }
            (_, (Some(_), None)) => {
                return Err(SettingError::new("username", "needs `password` too"));
            }
            (_, (None, Some(_))) => {
                return Err(SettingError::new("password", "needs `username` too"));
            }
            (Some(token), (None, None)) => Some(format!("Bearer {token}")),
            (None, (Some(name), Some(password))) => Some(basic(&name, &password)),
            (None, (None, None)) => None,
        });
        Ok(())
    }
}

/// RFC 7617.
fn basic(name: &str, password: &str) -> String {
    let pair = format!("{name}:{password}");
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

fn tracking_uri(uri: &str) -> Result<String, String> {
    let rest = uri
        .strip_prefix("http://")
        .or_else(|| uri.strip_prefix("https://"));
    let Some(rest) = rest else {
        return Err(
            "a URL that begins with http:// or https:// expected; other stores cannot be reached \
             over the network"
                .to_owned(),
        );
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err(
            "credentials do not belong into the URL: use `username` and `password`".to_owned(),
        );
    }
    let host = authority.strip_suffix(|c: char| c.is_ascii_digit());
    if authority.is_empty() || host.is_some_and(|host| host == ":") {
        return Err("the URL names no host".to_owned());
    }
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    if let Some(port) = port.filter(|port| !port.ends_with(']'))
        && port.parse::<u16>().is_err()
    {
        return Err(format!(
            "\"{port}\" is no port: a number from 1 to 65535 expected"
        ));
    }
    if rest.contains(['?', '#']) {
        return Err("the URL cannot hold a query or a fragment".to_owned());
    }
    let plain = |byte: u8| (0x21..0x7f).contains(&byte) && !b"\"<>\\^`{|}".contains(&byte);
    if !rest.bytes().all(plain) {
        return Err("the URL holds characters that have to be percent-encoded".to_owned());
    }
    Ok(uri.trim_end_matches('/').to_owned())
}

fn headers(members: Vec<(String, crate::json::Raw<'_>)>) -> Result<Headers, String> {
    /// What the logger itself sets, or HTTP's framing.
    const OWN: [&str; 7] = [
        "content-type",
        "content-encoding",
        "content-length",
        "transfer-encoding",
        "host",
        "connection",
        "x-mlflow-experiment-id",
    ];
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let mut fields = Vec::new();
    for (name, value) in members {
        if name.is_empty() || !name.bytes().all(token) {
            return Err(format!("\"{}\" is no header name", name.escape_default()));
        }
        let name = name.to_ascii_lowercase();
        if OWN.contains(&name.as_str()) {
            return Err(format!("`{name}` is set by the logger itself"));
        }
        let value = read::header_value(value).map_err(|reason| format!("`{name}`: {reason}"))?;
        fields.push((name, value));
    }
    Ok(Headers(fields))
}
