//! The bill of materials of what is built: CycloneDX, as tools that look for vulnerable or unlicensed parts read it.
//!
//! It names each file, the crates that are compiled into it, and those that only took part in compiling; without the
//! time and with a serial number made of the content, so that the same build gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use e2e::paths;
use serde::Deserialize;
use serde_json::{Value, json};

use super::artifact::Artifact;
use super::files;
use crate::cargo;
use crate::toolchain::TARGET;

/// The file's name.
pub const FILE: &str = "mlflow_logger.cdx.json";

/// The document about artifacts and where they lie.
pub fn document(built: &[(&Artifact, PathBuf)]) -> Result<Value> {
    let graph = Graph::read()?;
    let (mut components, mut dependencies) = (Vec::new(), Vec::new());
    let mut crates = BTreeMap::new();
    for (artifact, path) in built {
        let root = graph.root(artifact.package)?;
        graph.reach(root, false, &mut crates);
        let reference = format!("file:{}", artifact.file);
        components.push(json!({
            "type": "file", "bom-ref": reference, "name": artifact.file,
            "version": env!("CARGO_PKG_VERSION"),
            "hashes": [{"alg": "SHA-256", "content": files::sha256(&fs::read(path)?)}],
        }));
        dependencies.push(json!({"ref": reference, "dependsOn": [graph.package(root)?.purl()]}));
    }
    for (id, is_compiled_in) in &crates {
        let package = graph.package(id)?;
        components.push(package.component(*is_compiled_in, graph.checksum(package)));
        let on = graph
            .needs(id)
            .iter()
            .map(|id| Ok(graph.package(id)?.purl()));
        let on = on.collect::<Result<BTreeSet<_>>>()?;
        dependencies.push(json!({"ref": package.purl(), "dependsOn": on}));
    }
    let mut document = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": {
            "type": "application", "bom-ref": "mlflow-llm-logger", "name": "mlflow-llm-logger",
            "version": env!("CARGO_PKG_VERSION"), "licenses": [{"expression": env!("CARGO_PKG_LICENSE")}],
        }},
        "components": components, "dependencies": dependencies,
    });
    document["serialNumber"] = json!(serial(&document.to_string()));
    Ok(document)
}

/// A UUID of version 8: RFC 9562, section 5.8.
fn serial(content: &str) -> String {
    let hash = files::sha256(content.as_bytes());
    format!(
        "urn:uuid:{}-{}-8{}-8{}-{}",
        &hash[..8],
        &hash[8..12],
        &hash[12..15],
        &hash[15..18],
        &hash[18..30]
    )
}

/// The crates of this workspace and what they need, as cargo resolves them for the guests' target.
struct Graph {
    packages: BTreeMap<String, Package>,
    needs: BTreeMap<String, Vec<String>>,
    checksums: BTreeMap<(String, String), String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    source: Option<String>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Need>,
}

#[derive(Deserialize)]
struct Need {
    pkg: String,
    dep_kinds: Vec<NeedKind>,
}

#[derive(Deserialize)]
struct NeedKind {
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

impl Graph {
    fn read() -> Result<Self> {
        let mut command = cargo::command(["metadata", "--locked", "--format-version=1"]);
        let metadata = output(command.args(["--filter-platform", TARGET]))?;
        let metadata: Metadata = serde_json::from_slice(&metadata)?;
        let lock = fs::read_to_string(paths::root().join("Cargo.lock"))?;
        let lock: Lock = toml::from_str(&lock)?;
        let needed = |need: &Need| need.dep_kinds.iter().any(|kind| kind.kind.is_none());
        let needs = metadata.resolve.nodes.into_iter().map(|node| {
            let needs = node.deps.into_iter().filter(needed).map(|need| need.pkg);
            (node.id, needs.collect())
        });
        let checksums = lock
            .package
            .into_iter()
            .filter_map(|locked| Some(((locked.name, locked.version), locked.checksum?)));
        let packages = metadata.packages.into_iter();
        Ok(Self {
            packages: packages
                .map(|package| (package.id.clone(), package))
                .collect(),
            needs: needs.collect(),
            checksums: checksums.collect(),
        })
    }

    fn root(&self, name: &str) -> Result<&str> {
        let mut packages = self.packages.values();
        let found = packages.find(|package| package.name == name && package.source.is_none());
        Ok(&found.with_context(|| format!("no package {name}"))?.id)
    }

    fn package(&self, id: &str) -> Result<&Package> {
        self.packages
            .get(id)
            .with_context(|| format!("cargo does not know {id}"))
    }

    fn needs(&self, id: &str) -> &[String] {
        self.needs.get(id).map_or(&[], Vec::as_slice)
    }

    fn checksum(&self, package: &Package) -> Option<&str> {
        let key = (package.name.clone(), package.version.clone());
        self.checksums.get(&key).map(String::as_str)
    }

    /// Notes all that a package needs, each with whether it is compiled in. What a macro needs is not.
    fn reach(&self, id: &str, within_macro: bool, reached: &mut BTreeMap<String, bool>) {
        let is_macro = self.packages.get(id).is_some_and(Package::is_macro);
        let is_compiled_in = !within_macro && !is_macro;
        match reached.get(id) {
            Some(known) if *known || !is_compiled_in => return,
            _ => reached.insert(id.to_owned(), is_compiled_in),
        };
        for need in self.needs(id) {
            self.reach(need, !is_compiled_in, reached);
        }
    }
}

impl Package {
    fn is_macro(&self) -> bool {
        let mut kinds = self.targets.iter().flat_map(|target| &target.kind);
        kinds.any(|kind| kind == "proc-macro")
    }

    fn purl(&self) -> String {
        format!(
            "pkg:cargo/{}@{}",
            self.name,
            self.version.replace('+', "%2B")
        )
    }

    fn component(&self, is_compiled_in: bool, checksum: Option<&str>) -> Value {
        let mut component = json!({
            "type": "library", "bom-ref": self.purl(), "name": self.name, "version": self.version,
            "purl": self.purl(), "scope": if is_compiled_in { "required" } else { "excluded" },
        });
        if let Some(license) = &self.license {
            // An older way to write it, which SPDX does not know.
            let license = license.replace('/', " OR ");
            component["licenses"] = json!([{"expression": license}]);
        }
        if let Some(checksum) = checksum {
            component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
        }
        if let Some(repository) = &self.repository {
            component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
        }
        component
    }
}

fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().context("cargo does not start")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use cyclonedx_bom::prelude::{Bom, SpecVersion, Validate};

    use super::*;
    use crate::dist::artifact::ALL;

    /// Of files that stand for the built ones.
    fn bill() -> Value {
        let directory = tempfile::tempdir().unwrap();
        let built = ALL.map(|artifact| {
            let path = directory.path().join(artifact.file);
            fs::write(&path, artifact.file).unwrap();
            (artifact, path)
        });
        document(&built).unwrap()
    }

    #[test]
    fn it_is_cyclonedx_and_the_same_each_time() {
        let document = bill();
        let text = document.to_string();
        let bom = Bom::parse_from_json(text.as_bytes()).unwrap();
        let faults = bom.validate_version(SpecVersion::V1_5);
        assert!(faults.passed(), "{faults:?}");
        assert_eq!(document, bill());
    }

    #[test]
    fn every_file_leads_to_what_is_compiled_into_it() {
        let document = bill();
        let list = |of: &Value| of.as_array().unwrap().clone();
        let components = list(&document["components"]);
        let scope = |name: &str| {
            let found = components
                .iter()
                .find(|component| component["name"] == name);
            found.map(|component| component["scope"].as_str().unwrap_or_default().to_owned())
        };
        for artifact in ALL {
            assert_eq!(
                scope(artifact.file).as_deref(),
                Some(""),
                "{}",
                artifact.file
            );
        }
        assert_eq!(scope("logger-core").as_deref(), Some("required"));
        assert_eq!(scope("waki").as_deref(), Some("required"));
        assert_eq!(scope("syn").as_deref(), Some("excluded"));
        assert_eq!(scope("wasmtime"), None);

        let known: BTreeSet<_> = components
            .iter()
            .map(|component| component["bom-ref"].clone().to_string())
            .collect();
        assert_eq!(known.len(), components.len(), "two of one reference");
        for dependency in list(&document["dependencies"]) {
            assert!(known.contains(&dependency["ref"].to_string()));
            for on in list(&dependency["dependsOn"]) {
                assert!(known.contains(&on.to_string()), "{on}");
            }
        }
    }
}
