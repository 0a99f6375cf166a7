//! The table `[logger]`: the plugin's settings, and the file that its token may stand in.

use std::path::PathBuf;

use serde_json::Value;

use super::read::Reader;
use crate::settings::{Layer, Source};

/// Names the file; the plugin, which reads none, is told what stands there.
const TOKEN_FILE: &str = "token_file";

pub(super) fn logger(root: &mut Reader<'_>, source: impl Fn(&str) -> Source) -> Layer {
    let mut layer = root.layer("logger", source);
    if let Some((file, _)) = layer.remove(TOKEN_FILE) {
        match token(&layer, &file) {
            Ok((token, path)) => {
                let source = Source::File(path, None);
                layer.insert("token".to_owned(), (Value::String(token), source));
            }
            Err(reason) => root.fault(&format!("logger.{TOKEN_FILE}"), reason),
        }
    }
    layer
}

/// What stands in the file, and its path.
fn token(layer: &Layer, file: &Value) -> Result<(String, PathBuf), String> {
    let path = file.as_str().ok_or("expected the path of a file")?;
    if layer.contains_key("token") {
        return Err("excludes `token`: leave one of them out".to_owned());
    }
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
    match text.trim() {
        "" => Err(format!("{path} is empty: it has to hold the token alone")),
        token => Ok((token.to_owned(), path.into())),
    }
}
