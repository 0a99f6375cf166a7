//! The reference of the settings, from the table that reads them.

use std::fmt::Write;

use anyhow::Result;
use logger_core::settings::{self, Setting};

const HEAD: &str = "\
# Settings

The same keys in every host: members of the JSON object that `configure` takes, of `configuration` in Envoy, and of the table
`[logger]` in the gateway's TOML. Unknown keys and bad values are refused by name. An environment variable counts where the
key is left out, in hosts that have an environment. Values of secret settings are never shown.

The gateway takes `token` from MLFLOW_TRACKING_TOKEN, from `[logger]`, or from the file that `token_file` under `[logger]` names: it holds the token
alone, and is read again at a reload. No setting of this list reads a file.

Made from the code by `cargo xtask generate`.
";

const PROXY: &str = "
## In proxies only

What Envoy and its kin are told besides; some other defaults differ there, see
[host-example/envoy](../host-example/envoy/README.md).
";

/// The whole document.
pub fn document() -> Result<String> {
    let mut text = HEAD.to_owned();
    let all: Vec<_> = settings::all().collect();
    for setting in &all {
        section(&mut text, setting)?;
    }
    text.push_str(PROXY);
    let common = |setting: &&Setting| all.iter().any(|known| known.key == setting.key);
    for setting in settings::of_proxy().filter(|setting| !common(setting)) {
        section(&mut text, setting)?;
    }
    Ok(text)
}

fn section(text: &mut String, setting: &Setting) -> Result<()> {
    write!(text, "\n### `{}`\n\n{}\n", setting.key, setting.doc)?;
    let facts = [
        setting.default.map(|json| format!("default `{json}`")),
        setting.env.map(|name| format!("environment `{name}`")),
        setting.secret.then(|| "secret".to_owned()),
    ];
    let facts: Vec<_> = facts.into_iter().flatten().collect();
    if !facts.is_empty() {
        writeln!(text, "\n*{}*", facts.join(", "))?;
    }
    Ok(())
}
