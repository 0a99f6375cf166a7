"""Genuine calls of litellm, whose answers are mocked, and what MLflow then holds."""

import asyncio
import json

import litellm
import pytest
from conftest import MESSAGES, root, wait_for

from mlflow_wasm_logger import MlflowWasmLogger

ANSWER = "The one at the station is open until ten."


def said(outputs):
    return outputs["choices"][0]["message"]["content"]


def test_a_completion(traces):
    answer = litellm.completion(
        model="gpt-4o-mini",
        messages=MESSAGES,
        temperature=0.3,
        mock_response=ANSWER,
        metadata={"tags": ["shop:station", "plain"], "session_id": "s-1"},
    )
    [trace] = traces(1)
    span = root(trace)
    assert (span.name, span.span_type, span.status.status_code) == ("litellm-completion", "LLM", "OK")
    assert span.inputs["messages"] == MESSAGES
    assert said(span.outputs) == ANSWER
    assert span.outputs["id"] == answer.id
    usage = {"input_tokens": answer.usage.prompt_tokens, "output_tokens": answer.usage.completion_tokens}
    assert trace.info.token_usage | usage == trace.info.token_usage
    assert span.attributes["model"] == "gpt-4o-mini"
    assert trace.info.tags["shop"] == "station" and "plain" in trace.info.tags
    assert trace.info.trace_metadata["mlflow.trace.session"] == "s-1"


def test_an_async_completion(traces):
    async def ask():
        await litellm.acompletion(model="gpt-4o-mini", messages=MESSAGES, mock_response=ANSWER)
        await asyncio.sleep(0.2)

    asyncio.run(ask())
    span = root(traces(1)[0])
    assert (span.name, span.status.status_code, said(span.outputs)) == ("litellm-acompletion", "OK", ANSWER)


def test_a_stream(traces):
    chunks = list(litellm.completion(model="gpt-4o-mini", messages=MESSAGES, mock_response=ANSWER, stream=True))
    span = root(traces(1)[0])
    assert span.status.status_code == "OK"
    assert span.inputs == {"messages": MESSAGES, "stream": True}
    assert said(span.outputs) == ANSWER
    events = [event for event in span.events if event.name == "streaming_chunk"]
    deltas = [json.loads(event.attributes["delta"]).get("content") or "" for event in events]
    assert len(events) >= len(chunks) - 1
    # litellm hands chunks to its loggers from several threads.
    assert sorted("".join(deltas)) == sorted(ANSWER)


def test_an_async_stream(traces):
    async def ask():
        stream = await litellm.acompletion(model="gpt-4o-mini", messages=MESSAGES, mock_response=ANSWER, stream=True)
        async for _ in stream:
            pass
        await asyncio.sleep(0.2)

    asyncio.run(ask())
    span = root(traces(1)[0])
    assert (span.name, span.status.status_code, said(span.outputs)) == ("litellm-acompletion", "OK", ANSWER)
    assert span.inputs == {"messages": MESSAGES, "stream": True}


def test_an_embedding(traces):
    litellm.embedding(model="text-embedding-3-small", input=["one", "two"], mock_response=[0.25, 0.5])
    span = root(traces(1)[0])
    assert (span.name, span.span_type) == ("litellm-embedding", "EMBEDDING")
    assert span.inputs["input"] == ["one", "two"]
    assert span.outputs["data"][0]["embedding"] == [0.25, 0.5]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_failure(traces, asynchronous):
    wanted = {"model": "gpt-4o-mini", "messages": MESSAGES, "mock_response": "litellm.RateLimitError"}
    with pytest.raises(litellm.RateLimitError):
        if asynchronous:
            asyncio.run(litellm.acompletion(**wanted))
        else:
            litellm.completion(**wanted)
    [trace] = traces(1)
    span = root(trace)
    assert (trace.info.state, span.status.status_code) == ("ERROR", "ERROR")
    [exception] = [event for event in span.events if event.name == "exception"]
    assert exception.attributes["exception.type"] == "RateLimitError"
    assert "this is a mock rate limit error" in exception.attributes["exception.message"]
    assert "Traceback" in exception.attributes["exception.stacktrace"]


def test_tools_are_logged_as_mlflow_shows_them(traces):
    tool = {"type": "function", "function": {"name": "opening_hours", "parameters": {"type": "object", "properties": {}}}}
    arguments = {"id": "call_1", "type": "function", "function": {"name": "opening_hours", "arguments": "{}"}}
    litellm.completion(
        model="gpt-4o-mini", messages=MESSAGES, tools=[tool], tool_choice="auto", mock_tool_calls=[arguments], mock_response=""
    )
    span = root(traces(1)[0])
    assert span.attributes["mlflow.chat.tools"] == [tool]
    assert span.outputs["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "opening_hours"


def test_a_conversation_that_goes_on_does_not_change_what_was_logged(traces):
    messages = list(MESSAGES)
    answer = litellm.completion(model="gpt-4o-mini", messages=messages, mock_response=ANSWER)
    wait_for(lambda: litellm.callbacks[0].logger.stats(), lambda stats: stats["waiting"] + stats["delivered"])
    messages.append(answer.choices[0].message)
    messages.append({"role": "user", "content": "And tomorrow?"})
    litellm.completion(model="gpt-4o-mini", messages=messages, mock_response=ANSWER)
    first, second = (root(trace) for trace in traces(2))
    assert first.inputs["messages"] == MESSAGES
    assert [message["role"] for message in second.inputs["messages"]] == ["user", "assistant", "user"]
    assert second.inputs["messages"][1]["content"] == ANSWER


def test_a_call_is_a_child_of_mlflows_active_span(traces, mlflow_client, experiment):
    async def ask():
        await litellm.acompletion(model="gpt-4o-mini", messages=MESSAGES, mock_response=ANSWER)
        await asyncio.sleep(0.2)

    mlflow_client.set_experiment(experiment)
    with mlflow_client.start_span(name="agent") as agent:
        litellm.completion(model="gpt-4o-mini", messages=MESSAGES, mock_response=ANSWER)
        list(litellm.completion(model="gpt-4o-mini", messages=MESSAGES, mock_response=ANSWER, stream=True))
        asyncio.run(ask())
    mlflow_client.flush_trace_async_logging()
    [trace] = wait_for(lambda: traces(1), lambda held: len(held[0].data.spans) == 4)
    children = [span for span in trace.data.spans if span.parent_id == agent.span_id]
    assert sorted(span.name for span in children) == ["litellm-acompletion", "litellm-completion", "litellm-completion"]
    assert root(trace).name == "agent" and trace.info.state == "OK"


def test_a_call_is_a_child_of_opentelemetrys_active_span(uri, traces, experiment, callback):
    from opentelemetry.sdk.trace import TracerProvider

    with TracerProvider().get_tracer("shop").start_as_current_span("agent") as agent:
        litellm.completion(model="gpt-4o-mini", messages=MESSAGES, mock_response=ANSWER)
        [trace] = traces(1)
    context = agent.get_span_context()
    [span] = trace.data.spans
    assert trace.info.trace_id == f"tr-{context.trace_id:032x}"
    assert span.parent_id == f"{context.span_id:016x}"


def test_the_hooks_of_mlflowlogger_are_there():
    from litellm.integrations.mlflow import MlflowLogger

    hooks = [name for name in vars(MlflowLogger) if "log_" in name or name == "_handle_stream_event"]
    assert len(hooks) == 5
    for name in hooks:
        assert name in vars(MlflowWasmLogger)
        assert asyncio.iscoroutinefunction(getattr(MlflowLogger, name)) == asyncio.iscoroutinefunction(
            getattr(MlflowWasmLogger, name)
        )


def test_a_hook_never_raises(callback, caplog):
    class Odd(dict):
        def get(self, *_):
            raise RuntimeError("odd")

    callback.log_success_event(Odd(), object(), "yesterday", None)
    asyncio.run(callback.async_log_failure_event(Odd(), None, None, None))
    assert caplog.text.count("a call is not logged") == 2
