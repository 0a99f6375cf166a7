//! Where the plugin's file is.

use std::path::{Path, PathBuf};

/// The file's name, as `cargo xtask dist` writes it.
pub const FILE: &str = "mlflow_logger.wasm";
/// The environment variable that names the file.
pub const VARIABLE: &str = "MLFLOW_GATEWAY_PLUGIN";

/// There is no plugin in any of the places.
#[derive(Debug, thiserror::Error)]
#[error("no plugin found; looked for{}; build it with `cargo xtask dist`, or name it with --plugin or {VARIABLE}", places(.0))]
pub struct NotFound(pub Vec<PathBuf>);

/// The file that is named, by option or else by variable; else the one beside the executable, else
/// the one in `../dist` from there, where a build has it.
pub fn find(
    option: Option<&Path>,
    variable: Option<&Path>,
    executable: Option<&Path>,
) -> Result<PathBuf, NotFound> {
    let named = option.or(variable.filter(|path| !path.as_os_str().is_empty()));
    let places = match named {
        // A file that was asked for is not silently replaced by another.
        Some(path) => vec![path.to_owned()],
        None => executable
            .and_then(Path::parent)
            .map(|beside| vec![beside.join(FILE), beside.join("..").join("dist").join(FILE)])
            .unwrap_or_default(),
    };
    match places.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(NotFound(places)),
    }
}

fn places(places: &[PathBuf]) -> String {
    let place = |path: &PathBuf| format!(" {}", path.display());
    let places: Vec<_> = places.iter().map(place).collect();
    places.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_wins_and_named_files_have_to_be_there() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        std::fs::create_dir_all(at("bin")).unwrap();
        std::fs::create_dir_all(at("dist")).unwrap();
        for file in ["a", "b", "dist/mlflow_logger.wasm"] {
            std::fs::write(at(file), "").unwrap();
        }
        let exe = at("bin/mlflow-gateway");
        let found = |option: Option<&str>, variable: Option<&str>| {
            let (option, variable) = (option.map(at), variable.map(at));
            find(option.as_deref(), variable.as_deref(), Some(&exe))
        };
        assert_eq!(found(Some("a"), Some("b")).unwrap(), at("a"));
        assert_eq!(found(None, Some("b")).unwrap(), at("b"));
        assert!(
            found(None, None)
                .unwrap()
                .ends_with("dist/mlflow_logger.wasm")
        );
        std::fs::write(at("bin/mlflow_logger.wasm"), "").unwrap();
        assert_eq!(found(None, None).unwrap(), at("bin/mlflow_logger.wasm"));
        let missing = found(Some("none"), Some("b")).unwrap_err().to_string();
        assert!(
            missing.contains("none") && missing.contains("cargo xtask dist"),
            "{missing}"
        );
    }
}
