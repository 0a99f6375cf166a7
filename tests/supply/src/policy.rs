//! `deny.toml`, as far as it needs no network: which licences, sources and crates there may be.

use anyhow::{Context, Result};
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use super::Package;

/// Where packages may come from, as cargo names it.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What `deny.toml` says.
#[derive(Debug)]
pub struct Policy {
    allowed: Vec<Licensee>,
    forbidden: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
}

impl Policy {
    /// Reads the file.
    pub fn read() -> Result<Self> {
        let text = std::fs::read_to_string(crate::root().join("deny.toml"))?;
        Self::parse(&text).context("deny.toml")
    }

    fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text)?;
        let licensee = |name: &String| {
            Licensee::parse(name).with_context(|| format!("licenses.allow: {name}"))
        };
        Ok(Self {
            allowed: file
                .licenses
                .allow
                .iter()
                .map(licensee)
                .collect::<Result<_>>()?,
            forbidden: file.bans.deny.into_iter().map(|ban| ban.name).collect(),
        })
    }

    /// What is wrong with these packages, a line each.
    pub fn faults(&self, packages: &[Package]) -> Vec<String> {
        let fault = |package: &Package| {
            let fault = self.fault(package)?;
            Some(format!("{} {}: {fault}", package.name, package.version))
        };
        packages.iter().filter_map(fault).collect()
    }

    fn fault(&self, package: &Package) -> Option<String> {
        if self.forbidden.contains(&package.name) {
            return Some("deny.toml forbids it (bans.deny)".to_owned());
        }
        // Ours have no source.
        if let Some(source) = package
            .source
            .as_deref()
            .filter(|source| *source != REGISTRY)
        {
            return Some(format!("comes from {source}"));
        }
        let Some(license) = &package.license else {
            return Some("names no licence".to_owned());
        };
        // Some write `MIT/Apache-2.0`, which is no SPDX expression.
        match Expression::parse_mode(license, ParseMode::LAX) {
            Err(error) => Some(format!("licence {license:?} does not read: {error}")),
            Ok(expression) => {
                let allowed = expression
                    .evaluate(|needed| self.allowed.iter().any(|one| one.satisfies(needed)));
                (!allowed).then(|| format!("licence {license:?} is not among licenses.allow"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(name: &str, license: Option<&str>, source: Option<&str>) -> Vec<String> {
        let text = r#"
            [licenses]
            allow = ["MIT", "Apache-2.0 WITH LLVM-exception"]
            [bans]
            deny = [{ crate = "openssl-sys", reason = "no" }]
        "#;
        let package = Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
        };
        Policy::parse(text).unwrap().faults(&[package])
    }

    #[test]
    fn what_is_allowed_passes() {
        for license in [
            "MIT",
            "GPL-3.0 OR MIT",
            "Zlib/MIT",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert_eq!(
                faults("a", Some(license), Some(REGISTRY)),
                [""; 0],
                "{license}"
            );
        }
    }

    #[test]
    fn what_is_not_is_named_with_the_reason() {
        for (name, license, source, part) in [
            ("a", Some("GPL-3.0"), Some(REGISTRY), "GPL-3.0"),
            ("a", Some("MIT AND GPL-3.0"), Some(REGISTRY), "not among"),
            ("a", Some("Apache-2.0"), Some(REGISTRY), "not among"),
            ("a", None, Some(REGISTRY), "names no licence"),
            ("a", Some("mine"), Some(REGISTRY), "does not read"),
            (
                "a",
                Some("MIT"),
                Some("git+ssh://host/a"),
                "comes from git+ssh",
            ),
            ("openssl-sys", Some("MIT"), Some(REGISTRY), "bans.deny"),
        ] {
            let faults = faults(name, license, source);
            assert!(faults.len() == 1 && faults[0].contains(part), "{faults:?}");
        }
    }
}
