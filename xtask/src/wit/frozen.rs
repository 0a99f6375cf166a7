//! What is out stays as it is: a version of the package never changes, and one that calls itself compatible is.

use std::fs;

use e2e::paths;
use wit_component::{DecodedWasm, OutputToString, WitPrinter};
use wit_parser::{PackageId, Resolve, WorldId};

use super::Package;

/// The frozen packages, by their versions.
fn packages() -> Vec<(String, Package)> {
    let entries = fs::read_dir(paths::root().join("wit/frozen")).unwrap();
    let mut packages: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let version = path.file_name().unwrap().to_str().unwrap().to_owned();
            (version, Package::read(&path).unwrap())
        })
        .collect();
    packages.sort_by(|one, other| one.0.cmp(&other.0));
    packages
}

/// A package as text, without its documentation.
fn bare_text(package: &Package) -> String {
    let mut printer = WitPrinter::new(OutputToString::default());
    printer.emit_docs(false);
    printer.print(&package.resolve, package.id, &[]).unwrap();
    printer.output.to_string()
}

/// Whether plugins built for a package's world still fit the world of a text.
fn still_fits(before: Package, after: &str) -> anyhow::Result<()> {
    let mut resolve = before.resolve;
    let before = world(&resolve, before.id);
    // Two packages of one name differ in their versions, which the comparison then leaves out.
    let (_, text) = after.split_once(';').unwrap();
    let text = format!("package llm-gateway:hooks@999.0.0;{text}");
    let after = resolve.push_source("after.wit", &text)?;
    let after = world(&resolve, after);
    wit_component::semver_check(resolve, before, after)
}

fn world(resolve: &Resolve, package: PackageId) -> WorldId {
    resolve.packages[package].worlds["logger-plugin"]
}

#[test]
fn a_version_that_is_out_never_changes() {
    let current = Package::current().unwrap();
    let version = current.version().unwrap();
    let packages = packages();
    for (directory, package) in &packages {
        assert_eq!(*directory, package.version().unwrap());
    }
    let frozen = packages.iter().find(|(frozen, _)| *frozen == version);
    let (_, frozen) = frozen.unwrap_or_else(|| {
        panic!("version {version} is not frozen yet: copy wit/*.wit and wit/deps to wit/frozen/{version}")
    });
    assert_eq!(
        bare_text(frozen),
        bare_text(&current),
        "the hooks changed, so they need a new version: in wit/*.wit, and frozen under wit/frozen"
    );
}

#[test]
fn the_package_for_registries_is_the_one_that_was_read() {
    let current = Package::current().unwrap();
    let bytes = current.encode().unwrap();
    let DecodedWasm::WitPackage(resolve, id) = wit_component::decode(&bytes).unwrap() else {
        panic!("it is no WIT package");
    };
    let decoded = Package { resolve, id };
    assert_eq!(decoded.version().unwrap(), current.version().unwrap());
    assert_eq!(bare_text(&decoded), bare_text(&current));
}

#[test]
fn plugins_of_a_compatible_version_that_is_out_fit() {
    let current = Package::current().unwrap();
    let track = |version: &str| version.rsplit_once('.').unwrap().0.to_owned();
    let ours = track(&current.version().unwrap());
    let mut fitting = 0;
    for (version, package) in packages() {
        if track(&version) == ours {
            still_fits(package, &bare_text(&current)).unwrap();
            fitting += 1;
        }
    }
    assert!(fitting > 0);
}

#[test]
fn a_world_that_asks_for_more_does_not_fit() {
    let current = bare_text(&Package::current().unwrap());
    let more = current.replace("interface logger {", "interface logger {\n  more: func();");
    assert_ne!(current, more);
    let before = packages().swap_remove(0).1;
    let error = still_fits(before, &more).unwrap_err();
    assert!(format!("{error:#}").contains("more"), "{error:#}");
}
