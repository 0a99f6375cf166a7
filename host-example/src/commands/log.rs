//! What the program says of itself, on stderr.

use std::io::IsTerminal;

use clap::{ArgAction, Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// How much is said, and how.
#[derive(Args)]
pub struct LogOptions {
    /// Say less: errors only, no progress bar
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more; twice: still more. RUST_LOG, where set, has the last word
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// The form of log lines
    #[arg(long, global = true, value_name = "FORM", default_value = "text")]
    log_format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl LogOptions {
    /// Sends all log lines to stderr from here on. A server says more by itself than a command that
    /// somebody waits for.
    pub fn install(&self, serving: bool) {
        let level = match (self.quiet, self.verbose + u8::from(serving)) {
            (true, _) => "error",
            (_, 0) => "warn",
            (_, 1) => "info",
            _ => "debug",
        };
        // What lies beneath is heard from on request only.
        let beneath = if self.verbose > 2 { "debug" } else { "error" };
        let default = format!("{beneath},host_example={level},mlflow_gateway={level}");
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
        let lines = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal());
        match self.log_format {
            Format::Text => lines.with_target(false).init(),
            Format::Json => lines.json().init(),
        }
    }
}
