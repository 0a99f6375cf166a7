//! `kwargs` and the objects within it, each read in one pass.

use crate::json::Raw;

/// The members of `kwargs` that the logger reads. Null counts as absent.
pub(crate) struct Kwargs<'a> {
    pub call_id: Option<Raw<'a>>,
    pub call_type: Option<Raw<'a>>,
    pub model: Option<Raw<'a>>,
    pub messages: Option<Raw<'a>>,
    pub input: Option<Raw<'a>>,
    pub tools: Option<Raw<'a>>,
    pub user: Option<Raw<'a>>,
    pub prediction: Option<Raw<'a>>,
    pub stream: Option<Raw<'a>>,
    pub provider: Option<Raw<'a>>,
    pub cache_hit: Option<Raw<'a>>,
    pub response_cost: Option<Raw<'a>>,
    pub exception: Option<Raw<'a>>,
    pub traceback: Option<Raw<'a>>,
    pub complete_streaming_response: Option<Raw<'a>>,
    pub async_complete_streaming_response: Option<Raw<'a>>,
    pub prompt_id: Option<Raw<'a>>,
    pub prompt_version: Option<Raw<'a>>,
    pub optional_params: OptionalParams<'a>,
    pub litellm_params: LitellmParams<'a>,
    pub standard: Option<Standard<'a>>,
}

impl<'a> Kwargs<'a> {
    pub fn new(kwargs: Raw<'a>) -> Self {
        let [
            call_id,
            call_type,
            model,
            messages,
            input,
            tools,
            user,
            prediction,
            stream,
            provider,
            cache_hit,
            response_cost,
            exception,
            traceback,
            complete_streaming_response,
            async_complete_streaming_response,
            prompt_id,
            prompt_version,
            optional_params,
            litellm_params,
            standard,
        ] = present(kwargs.fields([
            "litellm_call_id",
            "call_type",
            "model",
            "messages",
            "input",
            "tools",
            "user",
            "prediction",
            "stream",
            "custom_llm_provider",
            "cache_hit",
            "response_cost",
            "exception",
            "traceback_exception",
            "complete_streaming_response",
            "async_complete_streaming_response",
            "prompt_id",
            "prompt_version",
            "optional_params",
            "litellm_params",
            "standard_logging_object",
        ]));
        Self {
            call_id,
            call_type,
            model,
            messages,
            input,
            tools,
            user,
            prediction,
            stream,
            provider,
            cache_hit,
            response_cost,
            exception,
            traceback,
            complete_streaming_response,
            async_complete_streaming_response,
            prompt_id,
            prompt_version,
            optional_params: OptionalParams::new(optional_params),
            litellm_params: LitellmParams::new(litellm_params),
            standard: standard
                .filter(|object| object.is_truthy())
                .map(Standard::new),
        }
    }
}

/// `kwargs.optional_params`: what the caller passed beside model and messages.
#[derive(Default)]
pub(crate) struct OptionalParams<'a> {
    all: Option<Raw<'a>>,
}

impl<'a> OptionalParams<'a> {
    fn new(all: Option<Raw<'a>>) -> Self {
        Self { all }
    }

    /// The parameters of these names. Null counts as absent.
    pub fn named<const N: usize>(&self, names: [&str; N]) -> [Option<Raw<'a>>; N] {
        self.all.map_or([None; N], |all| present(all.fields(names)))
    }
}

/// `kwargs.litellm_params`: litellm's own parameters.
#[derive(Default)]
pub(crate) struct LitellmParams<'a> {
    pub call_id: Option<Raw<'a>>,
    pub api_base: Option<Raw<'a>>,
    pub session_id: Option<Raw<'a>>,
    pub metadata: Option<Raw<'a>>,
    pub prompt_id: Option<Raw<'a>>,
    pub prompt_version: Option<Raw<'a>>,
    pub proxy_server_request: Option<Raw<'a>>,
}

impl<'a> LitellmParams<'a> {
    fn new(params: Option<Raw<'a>>) -> Self {
        let Some(params) = params else {
            return Self::default();
        };
        let [
            call_id,
            api_base,
            session_id,
            metadata,
            prompt_id,
            prompt_version,
            proxy_server_request,
        ] = present(params.fields([
            "litellm_call_id",
            "api_base",
            "litellm_session_id",
            "metadata",
            "prompt_id",
            "prompt_version",
            "proxy_server_request",
        ]));
        Self {
            call_id,
            api_base,
            session_id,
            metadata,
            prompt_id,
            prompt_version,
            proxy_server_request,
        }
    }
}

/// `kwargs.standard_logging_object`: litellm's `StandardLoggingPayload`.
pub(crate) struct Standard<'a> {
    pub api_base: Option<Raw<'a>>,
    pub cache_hit: Option<Raw<'a>>,
    pub provider: Option<Raw<'a>>,
    pub response: Option<Raw<'a>>,
    pub response_cost: Option<Raw<'a>>,
    pub saved_cache_cost: Option<Raw<'a>>,
    pub cost_breakdown: Option<Raw<'a>>,
    pub request_tags: Option<Raw<'a>>,
    pub prompt_tokens: Option<Raw<'a>>,
    pub completion_tokens: Option<Raw<'a>>,
    pub total_tokens: Option<Raw<'a>>,
    pub start_time: Option<Raw<'a>>,
    pub end_time: Option<Raw<'a>>,
    pub end_user: Option<Raw<'a>>,
    pub error_str: Option<Raw<'a>>,
    pub error_information: Option<Raw<'a>>,
    pub metadata: Option<Raw<'a>>,
    pub model_group: Option<Raw<'a>>,
    pub model_id: Option<Raw<'a>>,
    pub completion_start_time: Option<Raw<'a>>,
    pub guardrails: Option<Raw<'a>>,
}

impl<'a> Standard<'a> {
    fn new(object: Raw<'a>) -> Self {
        let [
            api_base,
            cache_hit,
            provider,
            response,
            response_cost,
            saved_cache_cost,
            cost_breakdown,
            request_tags,
            prompt_tokens,
            completion_tokens,
            total_tokens,
            start_time,
            end_time,
            end_user,
            error_str,
            error_information,
            metadata,
            model_group,
            model_id,
            completion_start_time,
            guardrails,
        ] = present(object.fields([
            "api_base",
            "cache_hit",
            "custom_llm_provider",
            "response",
            "response_cost",
            "saved_cache_cost",
            "cost_breakdown",
            "request_tags",
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "startTime",
            "endTime",
            "end_user",
            "error_str",
            "error_information",
            "metadata",
            "model_group",
            "model_id",
            "completionStartTime",
            "guardrail_information",
        ]));
        Self {
            api_base,
            cache_hit,
            provider,
            response,
            response_cost,
            saved_cache_cost,
            cost_breakdown,
            request_tags,
            prompt_tokens,
            completion_tokens,
            total_tokens,
            start_time,
            end_time,
            end_user,
            error_str,
            error_information,
            metadata,
            model_group,
            model_id,
            completion_start_time,
            guardrails,
        }
    }
}

/// Null counts as absent.
pub(super) fn present<const N: usize>(fields: [Option<Raw<'_>>; N]) -> [Option<Raw<'_>>; N] {
    fields.map(|field| field.filter(|value| !value.is_null()))
}
