//! The document for users: every field of every case, and the reasons.

use std::fmt::Write;

use serde_json::Value;

use super::compare::{Compared, Verdict};
use super::reasons::{self, Reason};

/// Where the document is, from the root of the checkout.
pub const PATH: &str = "docs/parity.md";

const HEAD: &str = "\
<!-- Written by `cargo xtask parity`; a test fails where it is not up to date. -->

# Parity with litellm's MLflow logger

How the traces that this logger leaves in MLflow compare with those of litellm's own `MlflowLogger` (litellm 1.81.16,
MLflow 3.17.2). The original was recorded in 48 cases: what it was called with, and what MLflow held afterwards. The
recorded calls are replayed through the plugin into a real MLflow, which is read back with MLflow's own client and compared
field by field. Every field of every case is in the table: it is the *same*, or it is *better*, for one of the reasons below
it. A test measures all of it anew, and fails where a field differs and no reason says why, or a reason explains nothing.

- Cases whose names begin with `g_` are genuine calls of litellm; in the others the logger was called by hand.
- *trace* is what MLflow knows of the trace as a whole (`request` and `response` are its root's inputs and outputs), *span* the
  call's span, *attributes* its attributes; `events` are the names of its events in order, *events* what they hold; `traces` is
  how many traces there are.
- Calls recorded within a caller's span are replayed within one that MLflow's client keeps open; request, response, start and
  duration of such a trace are the caller's, and not compared.
- Not compared: ids, MLflow's own storage locations, sizes and versions, and what MLflow's client tells of the process it runs
  in (script, user, git commit). `0` and `0.0` are the same number.
- An exception's stack trace, which the recordings hold in the trace alone, is handed to the hook, as a Python host does.
- *caller* `optional_params` is what a call leaves of the dictionary that it was handed.
";

/// The document.
pub fn document(compared: &[Compared]) -> String {
    let (same, others) = count(compared);
    let mut text = format!("{HEAD}\n## Every field of every case\n\n");
    let calls = compared.len();
    let _ = writeln!(
        text,
        "Of {calls} calls {same} fields are the same and {others} are not.\n"
    );
    text.push_str("| case | same | better, because … |\n|---|---|---|\n");
    compared.iter().for_each(|case| text.push_str(&row(case)));
    text.push_str("\n## The reasons\n");
    reasons::all().for_each(|reason| text.push_str(&paragraph(reason, compared)));
    text
}

fn count(compared: &[Compared]) -> (usize, usize) {
    let fields = compared.iter().flat_map(|case| &case.fields);
    let (same, others): (Vec<_>, Vec<_>) =
        fields.partition(|(_, verdict)| matches!(verdict, Verdict::Same));
    (same.len(), others.len())
}

fn row(case: &Compared) -> String {
    let same = case
        .fields
        .iter()
        .filter(|(_, verdict)| matches!(verdict, Verdict::Same));
    let same: Vec<_> = same.map(|(field, _)| field.as_str()).collect();
    let mut others = Vec::new();
    for reason in reasons::all() {
        let fields = explained(case, reason);
        if !fields.is_empty() {
            let not_yet = if reason.is_not_yet() {
                "**not yet**: "
            } else {
                ""
            };
            let (because, id) = (reason.because, reason.id);
            others.push(format!("{not_yet}[{because}](#{id}): {}", list(&fields)));
        }
    }
    let description = cell(&case.description);
    let others = others.join("<br>");
    format!(
        "| **{}**<br>{description} | {} | {others} |\n",
        case.name,
        list(&same)
    )
}

fn explained<'c>(case: &'c Compared, wanted: &Reason) -> Vec<&'c str> {
    let fields = case.fields.iter().filter(|(_, verdict)| match verdict {
        Verdict::Other { reason, .. } => reason.id == wanted.id,
        _ => false,
    });
    fields.map(|(field, _)| field.as_str()).collect()
}

/// Fields by what they belong to: "trace `state`, `name`; span `end`".
fn list(fields: &[&str]) -> String {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for field in fields {
        let (group, name) = field.split_once('.').unwrap_or(("", field));
        let name = format!("`{}`", cell(name));
        match groups.last_mut() {
            Some((last, names)) if *last == group => names.push(name),
            _ => groups.push((group, vec![name])),
        }
    }
    let groups = groups.into_iter().map(|(group, names)| match group {
        "" => names.join(", "),
        _ => format!("{group} {}", names.join(", ")),
    });
    let groups: Vec<_> = groups.collect();
    groups.join("; ")
}

/// A text that does not end a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// A reason with the first field that it explains.
fn paragraph(reason: &Reason, compared: &[Compared]) -> String {
    let (id, because, detail) = (reason.id, reason.because, reason.detail);
    let kind = if reason.is_not_yet() {
        "Not yet"
    } else {
        "Better"
    };
    let mut text = format!("\n<a id=\"{id}\"></a>\n**{kind}, because {because}.** {detail}\n");
    let mut fields = compared.iter().flat_map(|case| {
        let fields = case.fields.iter();
        fields.map(move |(field, verdict)| (&case.name, field, verdict))
    });
    let example = fields.find_map(|(case, field, verdict)| match verdict {
        Verdict::Other {
            reason: other,
            values,
        } if other.id == id => Some((case, field, values)),
        _ => None,
    });
    if let Some((case, field, [recorded, held])) = example {
        let (recorded, held) = (short(recorded.as_ref()), short(held.as_ref()));
        let field = list(&[field]);
        let _ = writeln!(text, "In *{case}*, {field}: {recorded} → {held}");
    }
    text
}

/// A value in a few words.
fn short(value: Option<&Value>) -> String {
    const LONGEST: usize = 90;
    let Some(value) = value else {
        return "*none*".to_owned();
    };
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("`` {}… ``", &text[..end]),
        None => format!("`` {text} ``"),
    }
}
