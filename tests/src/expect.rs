//! What MLflow has to hold of a call, and how what it holds differs.

use serde_json::Value;

use crate::traces::{Span, Trace};

/// What has to be read back of one call.
#[derive(Clone, Debug)]
pub struct Expected {
    /// `litellm_call_id`: how the call's span is found.
    pub call_id: String,
    /// The span's name.
    pub name: &'static str,
    /// The span's type.
    pub kind: &'static str,
    /// The span's status, and of a root the trace's state.
    pub status: &'static str,
    /// When it began.
    pub start_ns: i64,
    /// When it ended.
    pub end_ns: i64,
    /// The span's inputs.
    pub inputs: Value,
    /// The span's outputs.
    pub outputs: Value,
    /// Tokens in, out and in total.
    pub tokens: Option<[i64; 3]>,
    /// Cost in US dollars, where the call said it.
    pub total_cost: Option<f64>,
    /// Type and message of the exception.
    pub exception: Option<(&'static str, &'static str)>,
    /// When each chunk of a stream came.
    pub chunk_times: Vec<i64>,
    /// Trace and span id of the parent.
    pub parent: Option<(String, String)>,
    /// Tags of the trace.
    pub tags: Vec<(&'static str, &'static str)>,
    /// Session of the trace.
    pub session: Option<&'static str>,
    /// User of the trace.
    pub user: Option<&'static str>,
}

impl Expected {
    /// A call that succeeded and of which nothing else is known.
    pub fn success(
        call_id: &str,
        name: &'static str,
        kind: &'static str,
        start_ns: i64,
        end_ns: i64,
    ) -> Self {
        Self {
            call_id: call_id.to_owned(),
            name,
            kind,
            status: "OK",
            start_ns,
            end_ns,
            inputs: Value::Null,
            outputs: Value::Null,
            tokens: None,
            total_cost: None,
            exception: None,
            chunk_times: Vec::new(),
            parent: None,
            tags: Vec::new(),
            session: None,
            user: None,
        }
    }

    /// Where what was read differs, a line each; nothing if it is as it should be.
    pub fn differences(&self, traces: &[Trace]) -> Vec<String> {
        let mut found = self.find(traces);
        let (Some((trace, span)), None) = (found.next(), found.next()) else {
            let count = self.find(traces).count();
            return vec![format!("{}: 1 span expected, {count} found", self.call_id)];
        };
        let mut differences = Differences {
            call_id: &self.call_id,
            lines: Vec::new(),
        };
        self.compare_span(span, &mut differences);
        match &self.parent {
            None => self.compare_trace(trace, &mut differences),
            Some((trace_id, span_id)) => {
                let trace_id = format!("tr-{trace_id}");
                differences.check("trace id", &trace_id, &trace.info.trace_id);
                differences.check("parent", &Some(span_id), &span.parent_id.as_ref());
            }
        }
        differences.lines
    }

    /// The spans of this call.
    pub fn find<'t>(&self, traces: &'t [Trace]) -> impl Iterator<Item = (&'t Trace, &'t Span)> {
        let spans = traces
            .iter()
            .flat_map(|trace| trace.spans.iter().map(move |span| (trace, span)));
        spans.filter(|(_, span)| span.text("litellm_call_id") == Some(&self.call_id))
    }

    fn compare_span(&self, span: &Span, differences: &mut Differences<'_>) {
        differences.check("name", &self.name, &span.name.as_str());
        differences.check("type", &Some(self.kind), &span.kind.as_deref());
        differences.check("status", &self.status, &span.status.as_str());
        differences.check("start", &self.start_ns, &span.start_ns);
        differences.check("end", &Some(self.end_ns), &span.end_ns);
        differences.check("inputs", &self.inputs, &span.inputs);
        differences.check("outputs", &self.outputs, &span.outputs);
        let exceptions = span.events.iter().filter(|event| event.name == "exception");
        let exceptions: Vec<_> = exceptions
            .map(|event| {
                let text = |key| event.attributes.get(key).and_then(Value::as_str);
                (text("exception.type"), text("exception.message"))
            })
            .collect();
        let expected = self
            .exception
            .map(|(kind, message)| (Some(kind), Some(message)));
        differences.check("exceptions", &Vec::from_iter(expected), &exceptions);
        let chunks = span
            .events
            .iter()
            .filter(|event| event.name == "streaming_chunk");
        let chunk_times = chunks.map(|event| event.time_ns).collect();
        differences.check("times of chunks", &self.chunk_times, &chunk_times);
    }

    fn compare_trace(&self, trace: &Trace, differences: &mut Differences<'_>) {
        let info = &trace.info;
        differences.check("state", &self.status, &info.state.as_str());
        let tokens = ["input_tokens", "output_tokens", "total_tokens"];
        let tokens = info
            .token_usage
            .as_ref()
            .map(|usage| tokens.map(|name| usage.get(name).copied().unwrap_or_default()));
        differences.check("tokens", &self.tokens, &tokens);
        if let Some(expected) = self.total_cost {
            let cost = info.cost.as_ref().and_then(|cost| cost.get("total_cost"));
            let near = cost.is_some_and(|cost| (cost - expected).abs() < 1e-12);
            differences.check_that("cost", near, &expected, &cost);
        }
        for (key, value) in &self.tags {
            let tag = info.tags.get(*key).map(String::as_str);
            differences.check("tag", &Some(*value), &tag);
        }
        let metadata = |key| info.metadata.get(key).map(String::as_str);
        differences.check("session", &self.session, &metadata("mlflow.trace.session"));
        differences.check("user", &self.user, &metadata("mlflow.trace.user"));
    }
}

struct Differences<'c> {
    call_id: &'c str,
    lines: Vec<String>,
}

impl Differences<'_> {
    fn check<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, expected: &T, found: &T) {
        self.check_that(what, expected == found, expected, found);
    }

    fn check_that(
        &mut self,
        what: &str,
        same: bool,
        expected: &dyn std::fmt::Debug,
        found: &dyn std::fmt::Debug,
    ) {
        if !same {
            let call_id = self.call_id;
            self.lines.push(format!(
                "{call_id}: {what}: expected {expected:?}, found {found:?}"
            ));
        }
    }
}
