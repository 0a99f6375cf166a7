//! The rows as one Markdown table.

use std::fmt::Write;

use crate::row::{Bound, Goal, Measured, Row, Side};

/// The table. What is met has a check mark, what is not a cross.
pub fn markdown(rows: &[Row]) -> String {
    let mut text =
        String::from("| | what | one | against | ratio | goal |\n|---|---|---|---|---:|---|\n");
    let mut last = None;
    for row in rows {
        // A group is named once.
        let group = if last == Some(row.group) {
            String::new()
        } else {
            format!("{:?}", row.group).to_lowercase()
        };
        last = Some(row.group);
        let side = |side: &Side| format!("{} {} {}", side.name, short(side.value), row.unit);
        let _ = writeln!(
            text,
            "| {group} | {} | {} | {} | {} | {} |",
            row.what,
            side(&row.one),
            side(&row.other),
            short(row.ratio),
            row.goal
                .map_or_else(String::new, |goal| wanted(goal, row.unit)),
        );
    }
    text
}

fn wanted(goal: Goal, unit: &str) -> String {
    let sign = match goal.bound {
        Bound::AtMost => '≤',
        Bound::AtLeast => '≥',
    };
    let mark = if goal.met { '✓' } else { '✗' };
    let value = short(goal.value);
    match goal.of {
        Measured::Ratio => format!("{sign} {value} {mark}"),
        Measured::One | Measured::Other => format!("{sign} {value} {unit} {mark}"),
    }
}

/// Three digits that count, and all of a whole number.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    if value.fract() == 0.0 || magnitude >= 100.0 {
        format!("{value:.0}")
    } else if magnitude >= 10.0 {
        format!("{value:.1}")
    } else if magnitude >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Group;

    #[test]
    fn a_row_says_all_in_a_line() {
        let rows = [
            Row::new(Group::Hooks, "chat", "µs", ("wasm", 7.5), ("native", 5.0)).at_most(1.6),
            Row::new(
                Group::Hooks,
                "long",
                "µs",
                ("wasm", 250.4),
                ("native", 100.0),
            )
            .goal(Measured::One, Bound::AtMost, 20.0),
        ];
        let table = markdown(&rows);
        let lines: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| hooks | chat | wasm 7.50 µs | native 5 µs | 1.50 | ≤ 1.60 ✓ |",
                "|  | long | wasm 250 µs | native 100 µs | 2.50 | ≤ 20 µs ✗ |",
            ]
        );
    }
}
