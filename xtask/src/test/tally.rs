//! Counts what passed and what failed.

use std::fs;
use std::process::{Command, ExitCode};

use anyhow::Result;
use e2e::Step;

/// How many passed and how many failed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    /// Counts a check as one.
    pub fn check(&mut self, what: &str, result: Result<()>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(error) => {
                self.failed += 1;
                println!("FAILED: {what}\n{error:#}\n");
            }
        }
    }

    /// Runs a `cargo test`, counts its tests, and returns what they put out.
    pub fn tests(&mut self, title: &str, command: &mut Command) -> String {
        let mut run = || {
            let finished = Step::new(title).tail(60).attempt(command)?;
            let output = String::from_utf8_lossy(&fs::read(&finished.log)?).into_owned();
            anyhow::Ok((finished, output))
        };
        let (finished, output) = match run() {
            Ok(done) => done,
            Err(error) => {
                self.check(title, Err(error));
                return String::new();
            }
        };
        let Self { passed, failed } = count(&output);
        self.passed += passed;
        self.failed += failed;
        if finished.status.success() {
            return output;
        }
        let mut shown = failures(&output);
        if failed == 0 {
            // It did not build, or a test took its whole binary down.
            self.failed += 1;
            shown = finished.tail.join("\n");
        }
        let log = finished.log.display();
        println!("FAILED: {title}\n{shown}\nAll of the output: {log}\n");
        output
    }

    /// Prints the last line and tells what to exit with.
    pub fn close(self) -> ExitCode {
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Adds up the lines `test result: ok. 3 passed; 0 failed; …` of each test binary.
fn count(output: &str) -> Tally {
    let mut tally = Tally::default();
    for line in output.lines() {
        let Some(result) = line.strip_prefix("test result: ") else {
            continue;
        };
        let words: Vec<_> = result.split([' ', ';']).collect();
        for pair in words.windows(2) {
            match (pair[0].parse::<u64>(), pair[1]) {
                (Ok(number), "passed") => tally.passed += number,
                (Ok(number), "failed") => tally.failed += number,
                _ => {}
            }
        }
    }
    tally
}

/// What the failed tests of each binary printed: from the first `failures:` to the result.
fn failures(output: &str) -> String {
    let mut shown = Vec::new();
    let mut within = false;
    for line in output.lines() {
        within |= line == "failures:";
        if within {
            shown.push(line);
        }
        within &= !line.starts_with("test result: ");
    }
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 2 tests
test a ... ok
test b ... FAILED

failures:

---- b stdout ----
it broke

failures:
    b

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.0s
     Running x
test result: ok. 40 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 1.0s
";

    #[test]
    fn results_of_all_binaries_are_added_up() {
        let expected = Tally {
            passed: 41,
            failed: 1,
        };
        assert_eq!(count(OUTPUT), expected);
    }

    #[test]
    fn what_failed_tests_print_is_shown_and_nothing_else() {
        let shown = failures(OUTPUT);
        assert!(shown.contains("it broke"));
        assert!(!shown.contains("Running x"));
    }

    #[test]
    fn a_check_counts_as_one() {
        let mut tally = Tally::default();
        tally.check("good", Ok(()));
        tally.check("bad", Err(anyhow::anyhow!("no")));
        let expected = Tally {
            passed: 1,
            failed: 1,
        };
        assert_eq!(tally, expected);
    }
}
