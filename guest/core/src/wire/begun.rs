//! A call that begins: what its request says.

use super::headers::{self, Content, Told};
use super::response::Response;
use super::{WireCall, body, formats, provider};
use crate::event::CallStart;
use crate::json::Raw;
use crate::litellm::streams::OwnedContext;
use crate::settings::routes::Clients;
use crate::span::ChunkLog;

/// What an open call takes beside its bodies.
const OVERHEAD: usize = 1024;

/// Whether a stream is asked for: by the body, where a form has its values as text, or else the path.
fn asks_for_stream(request: Raw<'_>, path: &str) -> bool {
    match request.get("stream") {
        Some(told) => !matches!(told.text(), "false" | "null" | "\"false\"" | "\"False\""),
        None => path.contains("stream"),
    }
}

impl WireCall {
    /// A call as its request tells it; `room` bounds what the body may decode to.
    pub(super) fn new(start: &CallStart<'_>, room: usize, clients: &Clients) -> Self {
        let mut told = Told::by(&start.headers);
        told.experiment = told.experiment.filter(|name| clients.may_ask_for(name));
        let tags = told.tags.len();
        let path = start.path.split('?').next().unwrap_or_default();
        let content = Content::of(&start.headers);
        let (inputs, is_cut) = body::request(&content, start.body, room);
        let request = Raw::parse(&inputs).unwrap_or(Raw::NULL);
        let host = start
            .authority
            .map(|authority| authority.rsplit('@').next().unwrap_or_default());
        let given = start
            .provider
            .map(str::trim)
            .filter(|given| !given.is_empty());
        let provider = given
            .map(str::to_lowercase)
            .or_else(|| provider::of_host(host?).map(str::to_owned))
            .or_else(|| provider::of_path(path).map(str::to_owned));
        let format = formats::tell(start.method, path, provider.as_deref(), request);
        let call_id = start.call_id.or(told.call_id.as_deref());
        Self {
            key: start.key,
            id: call_id.map(str::to_owned),
            start: start.at,
            last: start.at,
            method: start.method.to_owned(),
            path: path.to_owned(),
            host: host.filter(|host| !host.is_empty()).map(str::to_owned),
            provider: provider.or_else(|| format.home.map(str::to_owned)),
            format,
            headers: headers::json(&start.headers),
            context: OwnedContext::from(&told.beneath(start)),
            untrusted_tags: if *clients == Clients::Open { 0 } else { tags },
            streams: asks_for_stream(request, path),
            inputs,
            is_cut,
            response: Response::default(),
            chunks: ChunkLog::default(),
        }
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        OVERHEAD
            + self.inputs.len()
            + self.headers.len()
            + self.chunks.held()
            + self.response.held()
    }
}
