//! What the logger sends, read by `opentelemetry-proto` and prost.

mod support;

use logger_core::otlp::response::{PartialSuccess, partial_success};
use logger_core::otlp::{SpanHead, SpanWriter, Status, request};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;

#[derive(Clone, Debug)]
enum Attribute {
    Text(String),
    Int(i64),
    Double(f64),
    Bool(bool),
    Null,
}

fn attribute() -> impl Strategy<Value = Attribute> {
    prop_oneof![
        any::<String>().prop_map(Attribute::Text),
        any::<i64>().prop_map(Attribute::Int),
        any::<f64>().prop_map(Attribute::Double),
        any::<bool>().prop_map(Attribute::Bool),
        Just(Attribute::Null),
    ]
}

fn attributes() -> impl Strategy<Value = Vec<(String, Attribute)>> {
    prop::collection::btree_map(".{1,200}", attribute(), 0..8)
        .prop_map(|attributes| attributes.into_iter().collect())
}

fn write(writer: &mut logger_core::otlp::Attributes<'_>, attributes: &[(String, Attribute)]) {
    for (key, value) in attributes {
        match value {
            Attribute::Text(text) => writer.string(key, text.as_bytes()),
            Attribute::Int(value) => writer.int(key, *value),
            Attribute::Double(value) => writer.double(key, *value),
            Attribute::Bool(value) => writer.bool(key, *value),
            Attribute::Null => writer.null(key),
        }
    }
}

fn read(
    attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue],
) -> Vec<(String, Option<Value>)> {
    attributes
        .iter()
        .map(|pair| {
            let value = pair.value.clone().expect("every attribute has a value");
            (pair.key.clone(), value.value)
        })
        .collect()
}

fn expected(attributes: &[(String, Attribute)]) -> Vec<(String, Option<Value>)> {
    let value = |attribute: &Attribute| match attribute {
        Attribute::Text(text) => Some(Value::StringValue(text.clone())),
        Attribute::Int(value) => Some(Value::IntValue(*value)),
        Attribute::Double(value) => Some(Value::DoubleValue(*value)),
        Attribute::Bool(value) => Some(Value::BoolValue(*value)),
        Attribute::Null => None,
    };
    attributes
        .iter()
        .map(|(key, attribute)| (key.clone(), value(attribute)))
        .collect()
}

proptest! {
    #[test]
    fn a_span_reads_back(
        trace in any::<[u8; 16]>(),
        span in any::<[u8; 8]>(),
        parent in any::<Option<[u8; 8]>>(),
        name in any::<String>(),
        (start, end) in any::<(u64, u64)>(),
        attributes in attributes(),
        event in attributes(),
        link in any::<Option<([u8; 16], [u8; 8], u8)>>(),
        failed in any::<bool>(),
        flags in any::<u8>(),
    ) {
        let mut writer = SpanWriter::new(&SpanHead { trace, span, parent, name: &name, start, end });
        write(&mut writer.attributes(), &attributes);
        let mut events = Vec::new();
        SpanWriter::write_event(&mut events, &mut Vec::new(), start, "happened", |to| write(to, &event));
        writer.events(&events);
        if let Some((trace, span, flags)) = &link {
            writer.link(trace, span, *flags);
        }
        let bytes = writer.finish(if failed { Status::Error } else { Status::Ok }, flags);

        let read_back = Span::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(read_back.trace_id, trace.to_vec());
        prop_assert_eq!(read_back.span_id, span.to_vec());
        prop_assert_eq!(read_back.parent_span_id, parent.map(Vec::from).unwrap_or_default());
        prop_assert_eq!(read_back.name, name);
        prop_assert_eq!((read_back.start_time_unix_nano, read_back.end_time_unix_nano), (start, end));
        prop_assert_eq!(read(&read_back.attributes), expected(&attributes));
        prop_assert_eq!(read_back.events.len(), 1);
        prop_assert_eq!(read_back.events[0].time_unix_nano, start);
        prop_assert_eq!(&read_back.events[0].name, "happened");
        prop_assert_eq!(read(&read_back.events[0].attributes), expected(&event));
        prop_assert_eq!(read_back.status.unwrap().code, if failed { 2 } else { 1 });
        prop_assert_eq!(read_back.flags, u32::from(flags));
        prop_assert_eq!(read_back.links.len(), usize::from(link.is_some()));
        if let Some((trace, span, flags)) = link {
            prop_assert_eq!(&read_back.links[0].trace_id, &trace.to_vec());
            prop_assert_eq!(&read_back.links[0].span_id, &span.to_vec());
            prop_assert_eq!(read_back.links[0].flags, u32::from(flags));
        }
    }

    #[test]
    fn a_request_holds_its_spans(service in any::<Option<String>>(), names in prop::collection::vec(".{0,300}", 0..20)) {
        let spans: Vec<Vec<u8>> = names
            .iter()
            .map(|name| {
                let head = SpanHead { trace: [1; 16], span: [2; 8], parent: None, name, start: 1, end: 2 };
                SpanWriter::new(&head).finish(Status::Ok, 1)
            })
            .collect();
        let spans: Vec<&[u8]> = spans.iter().map(Vec::as_slice).collect();
        let body = request::body(service.as_deref(), &spans);
        prop_assert_eq!(&support::gunzip(&request::gzipped(service.as_deref(), &spans)), &body);

        let read_back = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        prop_assert_eq!(read_back.resource_spans.len(), 1);
        let resource_spans = &read_back.resource_spans[0];
        let attributes = read(&resource_spans.resource.as_ref().unwrap().attributes);
        let name = service.map(|name| ("service.name".to_owned(), Some(Value::StringValue(name))));
        prop_assert_eq!(attributes, Vec::from_iter(name));
        prop_assert_eq!(resource_spans.scope_spans.len(), 1);
        let scope_spans = &resource_spans.scope_spans[0];
        prop_assert_eq!(&scope_spans.scope.as_ref().unwrap().name, "logger-core");
        let read_names: Vec<_> = scope_spans.spans.iter().map(|span| span.name.clone()).collect();
        prop_assert_eq!(read_names, names);
    }

    #[test]
    fn what_a_receiver_refused_is_read(refused in any::<Option<(i64, String)>>(), cut in any::<prop::sample::Index>()) {
        let partial_success_sent = refused.clone().map(|(rejected_spans, error_message)| ExportTracePartialSuccess {
            rejected_spans,
            error_message,
        });
        let answer = ExportTraceServiceResponse { partial_success: partial_success_sent }.encode_to_vec();
        let expected = refused.map(|(rejected, error_message)| PartialSuccess {
            rejected_spans: rejected.cast_unsigned(),
            error_message,
        });
        prop_assert_eq!(partial_success(&answer), expected);
        partial_success(&answer[..cut.index(answer.len() + 1)]);
    }

    #[test]
    fn any_answer_can_be_read(answer in prop::collection::vec(any::<u8>(), 0..200)) {
        let refused = partial_success(&answer).is_some_and(|partial| partial.rejected_spans > 0);
        prop_assert!(!refused || answer.len() > 3);
    }
}
