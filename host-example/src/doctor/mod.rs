//! Would a call's log reach MLflow? Each thing that has to be so is tried, with the plugin and the settings that
//! the gateway would use, and told in a line: what was found, and where it is not good, how to mend it.
//!
//! What a check builds on is checked before it, so the first failure is the one to mend. Nothing is left on the
//! server but, where an experiment was not there, that experiment.

mod access;
mod client;
mod clock;
mod disk;
mod experiment;
mod finding;
mod reach;
mod test_trace;
mod upstream;

pub use finding::{Finding, Level, Report};

use logger_core::settings::Protocol;

use crate::config::Config;
use crate::plugin::Plugin;
use crate::settings::Settings;
use client::Client;

/// What is looked at.
pub struct Case<'a> {
    /// The plugin.
    pub plugin: &'a Plugin,
    /// Its settings, which it has found good.
    pub settings: &'a Settings,
    /// The gateway's configuration, where there is one.
    pub config: Option<&'a Config>,
    /// Whether a trace may be written, to be deleted again.
    pub trace: bool,
}

/// Looks at everything, MLflow first.
pub async fn examine(case: &Case<'_>, report: &mut Report) {
    report.hide(case.settings.secrets(&case.plugin.description().settings));
    match logger_core::settings::Settings::parse(&case.settings.to_json()) {
        Ok(settings) => {
            let expected = expected(settings.server.protocol, case.trace);
            mlflow(case, &settings, report).await;
            report.lack(expected);
        }
        Err(error) => report.fail("settings", error.to_string(), "mend it there"),
    }
    let Some(config) = case.config else { return };
    if let Some(spool) = &config.spool {
        report.add(disk::spool(spool));
    }
    for upstream in &config.upstreams {
        report.add(upstream::look(upstream).await);
    }
}

/// The checks that have to come to an end for MLflow to be well.
fn expected(protocol: Protocol, trace: bool) -> &'static [&'static str] {
    match (protocol, trace) {
        (Protocol::Mlflow, true) => &["tcp", "server", "auth", "experiment", "test trace"],
        (Protocol::Mlflow, false) => &["tcp", "server", "auth", "experiment"],
        (Protocol::Otlp, _) => &["tcp", "auth"],
    }
}

/// One check after the other, for as long as they find what the next one needs.
async fn mlflow(
    case: &Case<'_>,
    settings: &logger_core::settings::Settings,
    report: &mut Report,
) -> Option<()> {
    let server = &settings.server;
    let way = reach::mlflow(server, case.settings, report).await?;
    let client = Client::new(way, server, settings.delivery.timeout);
    let access = access::Access {
        client: &client,
        settings: case.settings,
        server,
    };
    if server.protocol == Protocol::Otlp {
        return access.collector(report).await;
    }
    access.server(report).await?;
    access.let_in(report).await?;
    let known = experiment::look(&client, server, report).await?;
    if case.trace {
        test_trace::write(case, &client, &known, report).await;
    }
    Some(())
}
