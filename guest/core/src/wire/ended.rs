//! A call that has ended: its bodies are read, and its span is queued.

use std::borrow::Cow;
use std::time::Duration;

use super::call::{self, Read};
use super::facts::Facts;
use super::formats::Asked;
use super::response::Expected;
use super::stream::Show;
use super::{Ending, WireCall};
use crate::event::{Context, EventError, Timestamp};
use crate::id::{self, Ids};
use crate::json::Raw;
use crate::logger::{Ended, Logger};
use crate::settings::ParentMode;
use crate::settings::routes::By;

impl Logger {
    pub(super) fn end_call(
        &mut self,
        now: Duration,
        mut wire: WireCall,
        at: Timestamp,
        ending: &Ending<'_>,
    ) -> Result<(), EventError> {
        let context = wire.context.with(None);
        let asked = context.experiment;
        let experiment = self.experiment(asked, |by| routed_by(&wire, &context, by))?;
        let destination = experiment.to_string();
        let ids = self.call_ids(&wire, &destination);
        let room = self.room()?;
        let settings = self.settings.as_ref().ok_or(EventError::NotConfigured)?;
        let capture = settings.content.capture;
        let response = std::mem::take(&mut wire.response);
        wire.response.status = response.status;
        let mut show = Show {
            chunks: &mut wire.chunks,
            capture,
            at,
            first: None,
        };
        let expected = Expected {
            format: wire.format,
            path: &wire.path,
            stream: wire.streams,
        };
        let finished = matches!(ending, Ending::Finished);
        let came = response.end(room, finished, expected, &mut show);
        // Both were written as JSON.
        let inputs = Raw::parse(&wire.inputs).unwrap_or(Raw::NULL);
        let outputs = Raw::parse(&came.outputs).unwrap_or(Raw::NULL);
        let hidden = wire.format.reasoning.filter(|_| !capture.reasoning);
        let hidden = hidden.map(|marked| marked.hide(outputs));
        let shown = hidden.as_deref().and_then(|hidden| Raw::parse(hidden).ok());
        let mut facts = Facts::default();
        let asked = Asked {
            path: &wire.path,
            body: inputs,
        };
        (wire.format.request)(&asked, &mut facts);
        (wire.format.response)(outputs, &mut facts);
        let tools = facts.tools.take();
        let cut = "bodies were cut to keep within bounds, or could not be decoded";
        let read = Read {
            ids,
            at,
            context: &context,
            inputs,
            outputs: Some(shown.unwrap_or(outputs)).filter(|outputs| !outputs.is_null()),
            tools: tools.as_deref().and_then(|tools| Raw::parse(tools).ok()),
            facts,
            ending,
            fault: came.fault,
            stream: came.stream,
            repairs: Vec::from_iter((wire.is_cut || came.is_cut).then_some(cut)),
        };
        let call = call::call(&wire, read);
        let keys = vec![wire.key];
        let chunks = &wire.chunks;
        let trace = self.emit(now, &call, keys, chunks, &experiment, ParentMode::Link)?;
        if let Some(id) = &wire.id {
            let ended = Ended {
                trace,
                start: call.start,
                whole_stream: false,
            };
            self.ended.remember(id, &destination, ended);
        }
        Ok(())
    }

    /// From the call's id and the start, or else made up from the seed.
    fn call_ids(&mut self, wire: &WireCall, destination: &str) -> Ids {
        let start = wire.start.to_be_bytes();
        match &wire.id {
            Some(id) => id::derive(&[destination.as_bytes(), id.as_bytes(), &start, b"call"]),
            None => {
                self.next_call += 1;
                let (seed, number) = (self.seed.to_be_bytes(), self.next_call.to_be_bytes());
                id::derive(&[destination.as_bytes(), &seed, &number, &start])
            }
        }
    }
}

/// What a routing rule looks at.
fn routed_by<'w>(wire: &'w WireCall, context: &Context<'w>, by: &By) -> Option<Cow<'w, str>> {
    match by {
        By::Tag(name) => {
            let trusted = context.tags.iter().skip(wire.untrusted_tags);
            let tag = trusted.rev().find(|(key, _)| key == name);
            tag.map(|(_, value)| Cow::Borrowed(*value))
        }
        By::Header(name) => Raw::parse(&wire.headers).ok()?.get(name)?.as_str(),
        By::Team | By::KeyAlias | By::Organization => None,
    }
}
