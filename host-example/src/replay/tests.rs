use super::double::{Doubles, line};
use super::*;

fn replay(input: &[u8], threads: usize, doubles: &Doubles) -> (Report, Result<(), Stop>) {
    let replay = Replay {
        input,
        ends: true,
        threads: NonZero::new(threads).unwrap(),
        progress: ProgressBar::hidden(),
    };
    replay.run_with(|| doubles.clone())
}

#[test]
fn an_empty_recording_is_an_empty_report() {
    for input in ["", "\n", "\r\n  \n", "\u{feff}"] {
        let (report, result) = replay(input.as_bytes(), 1, &Doubles::default());
        result.unwrap();
        assert_eq!(
            (report.events, report.delivered, report.rejected.len()),
            (0, 0, 0),
            "{input:?}"
        );
    }
}

#[test]
fn bad_lines_have_their_numbers_and_do_no_harm() {
    let good = line("a");
    let input = format!("\u{feff}{good}\r\n\n{{\n{good}\n[]\n\n\n{good}");
    let (report, result) = replay(input.as_bytes(), 1, &Doubles::default());
    result.unwrap();
    assert_eq!((report.events, report.delivered), (5, 3));
    let lines: Vec<_> = report.rejected.iter().map(|r| r.line).collect();
    assert_eq!(lines, [3, 5]);
    assert_eq!(report.trace_ids, ["tr-1", "tr-4", "tr-8"]);
}

#[test]
fn many_lines_through_several_instances() {
    let mut input = String::new();
    for number in 0..5000 {
        let what = if number % 500 == 7 { "trap-log" } else { "a" };
        input += &format!("{}\n", line(what));
    }
    let doubles = Doubles::default();
    let (report, result) = replay(input.as_bytes(), 4, &doubles);
    result.unwrap();
    assert_eq!(
        (report.events, report.delivered, report.rejected.len()),
        (5000, 4990, 10)
    );
    assert_eq!(doubles.0.lock().unwrap().stored.len(), 4990);
}

#[test]
fn the_events_of_a_call_go_to_one_instance() {
    let mut input = String::new();
    for number in 0..400 {
        input += &format!(
            "{{\"hook\":\"stream\",\"kwargs\":{{\"litellm_call_id\":\"call-{}\"}}}}\n",
            number % 20
        );
    }
    let doubles = Doubles::default();
    let (report, _) = replay(input.as_bytes(), 3, &doubles);
    assert_eq!(report.delivered, 400);
    let world = doubles.0.lock().unwrap();
    for (line, instance) in &world.instance_of {
        let first = (line - 1) % 20 + 1;
        assert_eq!(world.instance_of[&first], *instance, "line {line}");
    }
    let used: std::collections::BTreeSet<_> = world.instance_of.values().collect();
    assert_eq!(used.len(), 3);
}

/// A source that ends with an error.
struct Breaking<'a>(&'a [u8]);

impl Read for Breaking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is gone")),
            count => Ok(count),
        }
    }
}

#[test]
fn what_was_read_before_an_error_is_delivered() {
    let input = format!("{}\n{}\n", line("a"), line("b"));
    let replay = Replay {
        input: Breaking(input.as_bytes()),
        ends: true,
        threads: NonZero::<usize>::MIN,
        progress: ProgressBar::hidden(),
    };
    let (report, result) = replay.run_with(Doubles::default);
    assert_eq!(report.delivered, 2);
    let error = result.unwrap_err().to_string();
    assert!(error.contains("the disk is gone"), "{error}");
}
