//! One LLM call, normalised: what every decoder produces and the only thing the span encoder reads.
//!
//! A `Call` borrows from the payload it was decoded from and holds JSON as [`Raw`] text, so that
//! decoding copies next to nothing. What it says is not yet cleaned, redacted or cut.

use std::borrow::Cow;

use crate::event::Timestamp;
use crate::id::{Ids, Parent};
use crate::json::Raw;

/// One LLM call.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Derived from what identifies the call. Of a child, only the span's id is used.
    pub ids: Ids,
    /// The span that the call joins as a child, in the parent's trace.
    pub parent: Option<Parent>,
    /// The span's name; a root's is the trace's name as well.
    pub name: Cow<'a, str>,
    /// What kind of call it is.
    pub operation: Operation,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// How it ended.
    pub outcome: Outcome<'a>,
    /// What was asked.
    pub inputs: Inputs<'a>,
    /// What was answered.
    pub outputs: Option<Raw<'a>>,
    /// The tools the model could call, as OpenAI's API describes them.
    pub tools: Option<Raw<'a>>,
    /// The format of inputs and outputs, in MLflow's word: its UI then shows a conversation.
    pub message_format: Option<&'static str>,
    /// The model that was asked for.
    pub request_model: Option<Cow<'a, str>>,
    /// The model that answered.
    pub response_model: Option<Cow<'a, str>>,
    /// The provider's own id of the response.
    pub response_id: Option<Cow<'a, str>>,
    /// The provider, such as `openai`.
    pub provider: Option<Cow<'a, str>>,
    /// Why the model stopped, a reason a choice.
    pub finish_reasons: Vec<Cow<'a, str>>,
    /// Tokens used.
    pub usage: Option<Usage>,
    /// What the call cost, as far as it was said.
    pub cost: Option<Cost>,
    /// Sampling parameters and other plain attributes, under their final names.
    pub attributes: Vec<(&'static str, Attribute<'a>)>,
    /// What belongs to the trace rather than to the span.
    pub trace: TraceData<'a>,
    /// What happened within it.
    pub children: Vec<Child<'a>>,
    /// What was put right on the way in, for the marker attribute.
    pub repairs: Vec<&'static str>,
}

impl Call<'_> {
    /// The users that it names, apart from those within its inputs.
    pub fn users(&self) -> Vec<Cow<'_, str>> {
        let mut users: Vec<_> = self
            .trace
            .user
            .iter()
            .map(|user| Cow::Borrowed(user.as_ref()))
            .collect();
        for (name, value) in &self.attributes {
            if let ("litellm.user" | "litellm.end_user", Attribute::Text(user)) = (*name, value) {
                users.push(Cow::Borrowed(user.as_ref()));
            }
        }
        for inputs in self.inputs.documents() {
            let [user, identifier, metadata] =
                inputs.fields(["user", "safety_identifier", "metadata"]);
            let in_metadata = metadata.and_then(|metadata| metadata.get("user_id"));
            let named = [user, identifier, in_metadata].into_iter().flatten();
            users.extend(named.filter_map(Raw::as_str));
        }
        if let Inputs::Members(members) = &self.inputs {
            let users_of = members.iter().filter(|(name, _)| *name == "user");
            users.extend(users_of.filter_map(|(_, user)| user.as_str()));
        }
        users
    }

    /// Whether the provider answered that it does not do as asked.
    pub fn is_refused(&self) -> bool {
        let mut attributes = self.attributes.iter();
        attributes.any(|(name, value)| {
            *name == "http.response.status_code" && matches!(value, Attribute::Int(400..))
        })
    }
}

impl<'a> Inputs<'a> {
    /// What was asked, document by document.
    pub fn documents(&self) -> Vec<Raw<'a>> {
        match self {
            Self::Whole(inputs) => vec![*inputs],
            Self::Members(members) => members.iter().map(|(_, value)| *value).collect(),
        }
    }
}

/// Something within a call that has a span of its own.
#[derive(Clone, Debug)]
pub struct Child<'a> {
    /// The span's name.
    pub name: Cow<'a, str>,
    /// MLflow's span type.
    pub span_type: &'static str,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// How it ended.
    pub outcome: Outcome<'a>,
    /// What went in.
    pub inputs: Option<Raw<'a>>,
    /// What came out.
    pub outputs: Option<Raw<'a>>,
    /// Its attributes.
    pub attributes: Vec<(&'static str, Attribute<'a>)>,
}

/// What was asked.
#[derive(Clone, Debug)]
pub enum Inputs<'a> {
    /// The members of the span's inputs, keys unique.
    Members(Vec<(&'static str, Raw<'a>)>),
    /// The span's inputs as they are.
    Whole(Raw<'a>),
}

/// What kind of call it is: decides the span's type and `gen_ai.operation.name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Chat completions, the Responses API and their like.
    Chat,
    /// Gemini's generateContent, which OpenTelemetry names apart.
    GenerateContent,
    /// Legacy text completions.
    TextCompletion,
    /// Embeddings.
    Embeddings,
    /// Reranking.
    Rerank,
    /// Anything else: images, speech, moderation.
    Other,
}

impl Operation {
    /// MLflow's span type.
    pub fn span_type(self) -> &'static str {
        match self {
            Self::Chat | Self::GenerateContent | Self::TextCompletion | Self::Other => "LLM",
            Self::Embeddings => "EMBEDDING",
            Self::Rerank => "RERANKER",
        }
    }

    /// The value of `gen_ai.operation.name`, where OpenTelemetry's GenAI conventions have one.
    pub fn gen_ai_name(self) -> Option<&'static str> {
        match self {
            Self::Chat => Some("chat"),
            Self::GenerateContent => Some("generate_content"),
            Self::TextCompletion => Some("text_completion"),
            Self::Embeddings => Some("embeddings"),
            Self::Rerank | Self::Other => None,
        }
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome<'a> {
    /// With a response.
    Success,
    /// With an error, told as an OpenTelemetry exception event where something is known of it.
    Failure(Option<Exception<'a>>),
}

/// What went wrong: the attributes of an OpenTelemetry exception event.
#[derive(Clone, Debug, PartialEq)]
pub struct Exception<'a> {
    /// The exception's class, without its module.
    pub kind: Cow<'a, str>,
    /// In words.
    pub message: Cow<'a, str>,
    /// Where it happened.
    pub stacktrace: Option<Cow<'a, str>>,
}

/// Tokens used, as MLflow counts them: cached ones are part of the input, reasoning is part of the
/// output, and audio and images are part of either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All tokens of the prompt.
    pub input: i64,
    /// All tokens of the answer.
    pub output: i64,
    /// Both.
    pub total: i64,
    /// Input tokens read from a cache.
    pub cache_read: Option<i64>,
    /// Input tokens written to a cache.
    pub cache_creation: Option<i64>,
    /// Output tokens spent on reasoning.
    pub reasoning: Option<i64>,
    /// Input tokens of audio.
    pub input_audio: Option<i64>,
    /// Output tokens of audio.
    pub output_audio: Option<i64>,
    /// Input tokens of images.
    pub input_image: Option<i64>,
    /// Output tokens of images.
    pub output_image: Option<i64>,
}

/// What a call cost, in US dollars: finite and not negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// For the input, if that share is known.
    pub input: Option<f64>,
    /// For the output, if that share is known.
    pub output: Option<f64>,
    /// In total.
    pub total: f64,
}

impl Cost {
    /// Nothing, which is not the same as unknown.
    pub const FREE: Self = Self::parts(0.0, 0.0);

    /// A cost whose shares are all there is to it.
    pub const fn parts(input: f64, output: f64) -> Self {
        Self {
            input: Some(input),
            output: Some(output),
            total: input + output,
        }
    }

    /// A cost of which only the total is known.
    pub const fn of_total(total: f64) -> Self {
        Self {
            input: None,
            output: None,
            total,
        }
    }
}

/// The value of a plain attribute.
#[derive(Clone, Debug)]
pub enum Attribute<'a> {
    /// Text, shown as it is.
    Text(Cow<'a, str>),
    /// JSON, shown as the value it is.
    Json(Raw<'a>),
    /// JSON that repeats what was answered: captured where outputs are.
    Output(Raw<'a>),
    /// Header fields: captured where headers are.
    Headers(Raw<'a>),
    /// An integer.
    Int(i64),
    /// A finite number.
    Double(f64),
    /// Known to be nothing.
    Null,
}

/// What belongs to the trace.
#[derive(Clone, Debug, Default)]
pub struct TraceData<'a> {
    /// The session.
    pub session: Option<Cow<'a, str>>,
    /// The user.
    pub user: Option<Cow<'a, str>>,
    /// Tags; the last of a key counts.
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The prompt of a registry that the inputs came from: its name, and its version if known.
    pub prompt: Option<(Cow<'a, str>, Option<Cow<'a, str>>)>,
}
