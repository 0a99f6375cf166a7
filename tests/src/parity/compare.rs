//! Field by field: the same, better for a reason, or in need of one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cases::Case;
use super::fields::{self, Fields, equal};
use super::reasons::{self, Reason};

/// A recorded trace and the one held in its place, compared.
#[derive(Debug)]
pub struct Compared {
    /// The case's name; of several traces of a case, with a number.
    pub name: String,
    /// What the case is about.
    pub description: String,
    /// Every field that either has, with what became of it.
    pub fields: Vec<(String, Verdict)>,
}

/// What became of a field.
#[derive(Debug)]
pub enum Verdict {
    /// It holds what it held.
    Same,
    /// It holds something else, for a reason.
    Other {
        /// Why.
        reason: &'static Reason,
        /// What the original left, and what is held now; none where there is no such field.
        values: [Option<Value>; 2],
    },
    /// It holds something else, and no reason explains it.
    Unexplained([Option<Value>; 2]),
}

/// A field that differs, with what may explain it.
pub struct Difference<'a> {
    /// The field.
    pub field: &'a str,
    /// What the original left there.
    pub recorded: Option<&'a Value>,
    /// What is there instead.
    pub held: Option<&'a Value>,
    /// The hook calls of this one call.
    pub lines: &'a [&'a Value],
    /// All that the original left; none where it left no trace.
    pub all_recorded: Option<&'a Fields>,
    /// All that is held.
    pub all_held: &'a Fields,
}

impl Difference<'_> {
    /// The attribute, if the field is one.
    pub fn attribute(&self) -> Option<&str> {
        self.field.strip_prefix("attributes.")
    }

    /// A member of the last hook call's `kwargs`, by JSON pointer.
    pub fn kwarg(&self, pointer: &str) -> &Value {
        kwarg(self.lines.last(), pointer)
    }

    /// A member of the first hook call's `kwargs`, by JSON pointer.
    pub fn first_kwarg(&self, pointer: &str) -> &Value {
        kwarg(self.lines.first(), pointer)
    }

    /// Another field as it is held.
    pub fn held(&self, field: &str) -> &Value {
        self.all_held.get(field).unwrap_or(&Value::Null)
    }

    /// Whether the original left nothing, or null.
    pub fn was_nothing(&self) -> bool {
        self.recorded.is_none_or(Value::is_null)
    }

    /// Whether this is held.
    pub fn holds(&self, value: &Value) -> bool {
        self.held.is_some_and(|held| equal(held, value))
    }
}

fn kwarg<'a>(line: Option<&&'a Value>, pointer: &str) -> &'a Value {
    line.and_then(|line| line["kwargs"].pointer(pointer))
        .unwrap_or(&Value::Null)
}

/// Compares what a case left, then and now; each is the traces as the cases hold them. The pairs
/// are told by the calls' ids.
pub fn compare(case: &Case, held: &[Value]) -> Vec<Compared> {
    let ids: BTreeSet<_> = case
        .lines
        .iter()
        .map(line_id)
        .map(Value::to_string)
        .collect();
    let numbered = ids.len() > 1;
    let mut calls: Vec<&Value> = Vec::new();
    for id in case.lines.iter().map(line_id) {
        if !calls.contains(&id) {
            calls.push(id);
        }
    }
    let compared = calls.iter().enumerate().map(|(position, id)| Compared {
        name: match numbered {
            true => format!("{}, call {}", case.name, position + 1),
            false => case.name.clone(),
        },
        description: case.description.clone(),
        fields: compare_call(case, id, held),
    });
    compared.collect()
}

fn line_id(line: &Value) -> &Value {
    &line["kwargs"]["litellm_call_id"]
}

fn compare_call(case: &Case, id: &Value, held: &[Value]) -> Vec<(String, Verdict)> {
    let of_call = |traces: &[Value]| -> Vec<Fields> {
        let traces = traces.iter().filter(|trace| fields::call_id(trace) == *id);
        traces.map(fields::fields).collect()
    };
    let (mut recorded, mut held) = (of_call(&case.traces), of_call(held));
    // One trace a call, in any case.
    let count = |traces: &[Fields]| json!(traces.len());
    let counts = [count(&recorded), count(&held)];
    let (mut recorded, mut held) = (recorded.pop(), held.pop().unwrap_or_default());
    let lines = case.lines.iter().zip(&case.params_after);
    let lines: Vec<_> = lines.filter(|(line, _)| line_id(line) == id).collect();
    let before = lines
        .iter()
        .map(|(line, _)| line["kwargs"]["optional_params"].clone());
    held.insert("traces".to_owned(), counts[1].clone());
    held.insert("caller.optional_params".to_owned(), before.collect());
    if let Some(recorded) = &mut recorded {
        let after = lines.iter().map(|(_, after)| (*after).clone());
        recorded.insert("traces".to_owned(), counts[0].clone());
        recorded.insert("caller.optional_params".to_owned(), after.collect());
    }
    let lines: Vec<_> = lines.into_iter().map(|(line, _)| line).collect();
    verdicts(recorded.as_ref(), &held, &lines)
}

fn verdicts(recorded: Option<&Fields>, held: &Fields, lines: &[&Value]) -> Vec<(String, Verdict)> {
    let names = recorded
        .into_iter()
        .flatten()
        .chain(held)
        .map(|(name, _)| name);
    let mut names: Vec<_> = names.collect::<BTreeSet<_>>().into_iter().collect();
    names.sort_by_key(|name| (rank(name), *name));
    let verdict = |field: &String| {
        let difference = Difference {
            field,
            recorded: recorded.and_then(|recorded| recorded.get(field)),
            held: held.get(field),
            lines,
            all_recorded: recorded,
            all_held: held,
        };
        verdict(&difference)
    };
    names
        .iter()
        .map(|name| ((*name).clone(), verdict(name)))
        .collect()
}

fn verdict(difference: &Difference<'_>) -> Verdict {
    if let (Some(recorded), Some(held)) = (difference.recorded, difference.held)
        && equal(recorded, held)
    {
        return Verdict::Same;
    }
    let values = [difference.recorded.cloned(), difference.held.cloned()];
    match reasons::all().find(|reason| (reason.explains)(difference)) {
        Some(reason) => Verdict::Other { reason, values },
        None => Verdict::Unexplained(values),
    }
}

/// Traces first, then spans, events, attributes.
fn rank(field: &str) -> usize {
    let parts = ["traces", "trace.", "span.", "events", "attributes."];
    let position = parts.iter().position(|part| field.starts_with(part));
    position.unwrap_or(parts.len())
}

/// The reasons that explain nothing.
pub fn unused_reasons(compared: &[Compared]) -> Vec<&'static str> {
    let fields = compared.iter().flat_map(|compared| &compared.fields);
    let used: BTreeSet<_> = fields
        .filter_map(|(_, verdict)| match verdict {
            Verdict::Other { reason, .. } => Some(reason.id),
            _ => None,
        })
        .collect();
    let reasons = reasons::all().map(|reason| reason.id);
    reasons.filter(|id| !used.contains(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity::cases;

    fn unexplained(case: &Case, held: &[Value]) -> Vec<String> {
        let compared = compare(case, held);
        let fields = compared.into_iter().flat_map(|compared| compared.fields);
        let unexplained = fields.filter(|(_, verdict)| matches!(verdict, Verdict::Unexplained(_)));
        unexplained.map(|(field, _)| field).collect()
    }

    #[test]
    fn a_trace_is_the_same_as_itself() {
        for case in cases()
            .unwrap()
            .iter()
            .filter(|case| !case.traces.is_empty())
        {
            let fields = unexplained(case, &case.traces);
            assert!(fields.is_empty(), "{}: {fields:?}", case.name);
        }
    }

    #[test]
    fn a_change_that_no_reason_wants_is_unexplained() {
        let cases = cases().unwrap();
        let case = cases.iter().find(|case| case.name == "tools").unwrap();
        for (pointer, field) in [
            ("/info/state", "trace.state"),
            ("/spans/0/inputs/messages", "span.inputs"),
            ("/spans/0/end_time_ns", "span.end"),
            ("/spans/0/span_type", "span.type"),
            ("/spans/0/attributes/model", "attributes.model"),
            (
                "/spans/0/attributes/mlflow.llm.cost",
                "attributes.mlflow.llm.cost",
            ),
        ] {
            let mut held = case.traces.clone();
            *held[0].pointer_mut(pointer).unwrap() = json!("another");
            let fields = unexplained(case, &held);
            assert!(
                fields.iter().any(|name| name == field),
                "{field}: {fields:?}"
            );
        }
    }

    #[test]
    fn a_second_trace_of_a_call_is_unexplained() {
        let cases = cases().unwrap();
        let case = cases.iter().find(|case| case.name == "tools").unwrap();
        let held = [case.traces[0].clone(), case.traces[0].clone()];
        assert_eq!(unexplained(case, &held), ["traces"]);
        assert!(!unexplained(case, &[]).is_empty(), "no trace at all");
    }
}
