//! The provider as a program: it prints its address and serves until it is ended.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use mock_provider::Provider;

/// Answers as OpenAI, Anthropic and Gemini do, without a model behind it.
#[derive(Parser)]
struct Arguments {
    /// Where to listen; port 0 for one that the system chooses
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Milliseconds between the parts of a streamed response
    #[arg(long, value_name = "MS", default_value = "20")]
    pause: u64,
    /// A directory, made where it is missing, to keep each response's body in, in a file named by the header `x-request-id`
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let pause = Duration::from_millis(arguments.pause);
    if let Some(directory) = &arguments.record {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    }
    let provider = Provider::start_recording(arguments.listen, pause, arguments.record)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    println!("{}", provider.url());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
