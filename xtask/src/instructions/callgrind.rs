//! What callgrind wrote: its profile data format, without its compressions.

use std::path::Path;

/// The instructions that a program executed itself, and not a library for it.
pub fn instructions_of(profile: &str, program: &Path) -> u64 {
    let program = program.to_string_lossy();
    let mut own = false;
    let mut called = false;
    let mut sum = 0;
    for line in profile.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            own = object == program;
        } else if line.starts_with("calls=") {
            called = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit()) {
            // A line number and the cost there; after `calls=` that of all below the call.
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse().ok());
            if own && !called {
                sum += cost.unwrap_or(0);
            }
            called = false;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_program_does_itself_counts() {
        let profile = "# callgrind format\npositions: line\nevents: Ir\nsummary: 999\n\n\
             ob=/a/program\nfl=???\nfn=counted\n0 10\ncob=/lib/libc.so.6\ncfn=malloc\ncalls=3 0\n0 300\n\
             cfn=inner\ncalls=1 0\n0 7\n\nfn=inner\n0 7\n\nob=/lib/libc.so.6\nfl=???\nfn=malloc\n0 300\n";
        assert_eq!(instructions_of(profile, Path::new("/a/program")), 17);
        assert_eq!(instructions_of(profile, Path::new("/b/program")), 0);
    }
}
