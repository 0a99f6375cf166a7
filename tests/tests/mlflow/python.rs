//! The Python package in a genuine litellm: its own tests, a file a test.

use e2e::Mlflow;
use e2e::package::{Package, files};

/// The test files that the tests below run.
const FILES: [&str; 7] = [
    "test_beside_original.py",
    "test_callback.py",
    "test_cost.py",
    "test_delivery.py",
    "test_page.py",
    "test_payload.py",
    "test_settings.py",
];

fn run(file: &str) {
    let package = Package::installed().unwrap();
    package.tests(Mlflow::shared().unwrap(), file).unwrap();
}

#[test]
fn every_file_of_the_packages_tests_is_run() {
    assert_eq!(files().unwrap(), FILES);
}

#[test]
fn the_package_is_typed() {
    Package::installed().unwrap().types().unwrap();
}

#[test]
fn litellms_calls_become_traces() {
    run("test_callback.py");
}

#[test]
fn its_traces_are_those_of_litellms_own_logger() {
    run("test_beside_original.py");
}

#[test]
fn it_costs_ten_times_less_than_litellms_own_logger() {
    run("test_cost.py");
}

#[test]
fn traps_outages_and_the_programs_end_lose_nothing() {
    run("test_delivery.py");
}

#[test]
fn whatever_litellm_holds_becomes_a_payload() {
    run("test_payload.py");
}

#[test]
fn what_its_page_shows_works() {
    run("test_page.py");
}

#[test]
fn settings_come_from_arguments_and_the_environment() {
    run("test_settings.py");
}
