//! Is it MLflow, and does it let this caller in?

use logger_core::settings::Server;

use super::client::{Answer, Client, NoAnswer};
use super::{Report, clock};
use crate::origin::Origin;
use crate::settings::Settings;

/// A server, and what the settings say of the way in.
pub(super) struct Access<'a> {
    pub client: &'a Client,
    pub settings: &'a Settings,
    pub server: &'a Server,
}

/// What each user of MLflow may do.
const HARMLESS: &str = "/api/2.0/mlflow/experiments/search?max_results=1";

impl Access<'_> {
    /// Is it MLflow? What is told without credentials is not yet a way in.
    pub async fn server(&self, report: &mut Report) -> Option<()> {
        let version = heard("server", self.client.get("/version").await, report)?;
        clock::compare(&version, report);
        let number = version.body.trim();
        if version.status == 200 && is_version(number) {
            report.ok(
                "server",
                format!("MLflow {number} at {}", self.server.tracking_uri),
            );
            return Some(());
        }
        let health = heard("server", self.client.get("/health").await, report)?;
        if health.status == 200 && health.body.trim() == "OK" {
            let uri = &self.server.tracking_uri;
            report.ok(
                "server",
                format!("MLflow at {uri}; it does not tell its version"),
            );
            return Some(());
        }
        // A proxy before MLflow may keep the door for it all.
        if matches!(health.status, 401 | 403 | 407) {
            report.ok(
                "server",
                "something that wants credentials even for /health",
            );
            return Some(());
        }
        self.no_mlflow("server", &health, report);
        None
    }

    /// Are the credentials good?
    pub async fn let_in(&self, report: &mut Report) -> Option<()> {
        let answer = heard("auth", self.client.get(HARMLESS).await, report)?;
        match answer.status {
            200 if answer.json().is_some() => {
                let open = self.credentials().is_some() && self.lets_anybody_in().await;
                self.welcome(open, report);
                return Some(());
            }
            200 => report.fail(
                "auth",
                "a page came where MLflow answers JSON: a login stands before it",
                "set `token`, or `headers`, to what lets programs pass there, or `tracking_uri` to MLflow itself",
            ),
            401 | 407 => report.fail("auth", answer.words(), self.mend_credentials()),
            403 if answer.body.contains("Invalid Host header") => {
                let host = Origin::parse(&self.server.tracking_uri);
                let host = host.map(|origin| format!("{}:{}", origin.host, origin.port));
                report.fail(
                    "auth",
                    answer.words(),
                    format!(
                        "start MLflow with --allowed-hosts {}, or name a host in `tracking_uri` that it trusts",
                        host.unwrap_or_default()
                    ),
                );
            }
            403 => report.fail("auth", answer.words(), self.mend_permissions()),
            _ => self.no_mlflow("auth", &answer, report),
        }
        None
    }

    /// A collector has one door alone.
    pub async fn collector(&self, report: &mut Report) -> Option<()> {
        let answer = heard("auth", self.client.export_nothing().await, report)?;
        clock::compare(&answer, report);
        match answer.status {
            200..=299 => {
                self.welcome(false, report);
                return Some(());
            }
            401 | 407 => report.fail("auth", answer.words(), self.mend_credentials()),
            403 => report.fail("auth", answer.words(), self.mend_permissions()),
            _ => report.fail(
                "auth",
                answer.words(),
                "set `tracking_uri` to what stands before /v1/traces in the collector's OTLP/HTTP address",
            ),
        }
        None
    }

    /// Whether credentials are set that the server does not ask for.
    async fn lets_anybody_in(&self) -> bool {
        let answer = self.client.nobody().get(HARMLESS).await;
        answer.is_ok_and(|answer| answer.status == 200 && answer.json().is_some())
    }

    fn welcome(&self, open: bool, report: &mut Report) {
        let Some(credentials) = self.credentials() else {
            return report.ok("auth", "the server lets in without credentials");
        };
        let taken = if open {
            format!("the server asks for no credentials, and is sent {credentials}")
        } else {
            format!("the server takes {credentials}")
        };
        match Origin::parse(&self.server.tracking_uri) {
            Some(origin) if !origin.tls && !is_this_machine(&origin.host) => report.warn(
                "auth",
                format!("{taken}, which everybody on the way can read"),
                "begin `tracking_uri` with https://",
            ),
            _ => report.ok("auth", taken),
        }
    }

    /// The settings that let in, with where they come from.
    fn credentials(&self) -> Option<String> {
        let keys = ["token", "username", "headers"];
        let set = keys.iter().filter(|key| {
            **key != "headers"
                || self
                    .server
                    .headers
                    .0
                    .iter()
                    .any(|(name, _)| name == "authorization")
        });
        let named = set.filter_map(|key| {
            let source = self.settings.source(key)?;
            let key = if *key == "username" {
                "`username` and `password`"
            } else {
                &format!("`{key}`")
            };
            Some(format!("{key} ({source})"))
        });
        let named: Vec<_> = named.collect();
        (!named.is_empty()).then(|| named.join(" and "))
    }

    fn mend_credentials(&self) -> String {
        match self.credentials() {
            Some(credentials) => format!("correct {credentials}: the server does not know them"),
            None => "set `token` (MLFLOW_TRACKING_TOKEN), or `username` and `password` \
                     (MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD)"
                .to_owned(),
        }
    }

    fn mend_permissions(&self) -> String {
        match self.credentials() {
            Some(credentials) => format!("give permission to who {credentials} stands for, or set other credentials"),
            None => "set `token`, or `username` and `password`; if they are not asked for, see what stands before MLflow"
                .to_owned(),
        }
    }

    fn no_mlflow(&self, check: &str, answer: &Answer, report: &mut Report) {
        let source = self.settings.source("tracking_uri");
        let source = source
            .map(|source| format!(" ({source})"))
            .unwrap_or_default();
        let mend = match answer.status {
            300..=399 => format!(
                "set `tracking_uri`{source} to where MLflow really is; where that leads to a login, set `token` or `headers`"
            ),
            500.. => "see the server's log, and that of what stands before it".to_owned(),
            _ => format!(
                "set `tracking_uri`{source} to MLflow's address, with the path it is served below"
            ),
        };
        report.fail(check, answer.words(), mend);
    }
}

/// The answer, if one came.
pub(super) fn heard(
    check: &str,
    answer: Result<Answer, NoAnswer>,
    report: &mut Report,
) -> Option<Answer> {
    answer
        .map_err(|error| {
            let mend = match &error {
                NoAnswer::Late(_) => {
                    "see what the server is busy with; `timeout_ms` says how long is waited"
                }
                _ => {
                    "see the server's log; a port that speaks TLS wants https:// in `tracking_uri`"
                }
            };
            report.fail(check, error.to_string(), mend);
        })
        .ok()
}

/// Such as `3.17.2` or `3.18.0rc1`.
fn is_version(text: &str) -> bool {
    let mut parts = text.splitn(3, '.');
    let mut number = || parts.next().is_some_and(|part| part.parse::<u32>().is_ok());
    number() && number() && text.len() < 40
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
