"""What Python holds, as JSON."""

import asyncio
import datetime
import json
import threading

import litellm
from conftest import MESSAGES
from litellm.types.utils import ModelResponse
from pydantic import BaseModel

from mlflow_wasm_logger import _payload


def written(kwargs, response_obj=None):
    return json.loads(_payload.event(kwargs, response_obj))


class Point(BaseModel):
    x: int


def test_only_what_the_schema_names_leaves_the_program():
    kwargs = {
        "model": "m",
        "api_key": "canary",
        "additional_args": {"headers": {"Authorization": "canary"}},
        "litellm_params": {
            "api_base": "http://b",
            "api_key": "canary",
            "metadata": {"session_id": "s", "user_api_key": "canary", "previous_models": [{"model": "n", "api_key": "canary"}]},
            "proxy_server_request": {"body": "canary", "headers": {"X-Team": "t", "Authorization": "canary", "x-api-key": "canary"}},
        },
        "standard_logging_object": {"response_cost": 0.5, "hidden_params": {"api_key": "canary"}},
    }
    payload = written(kwargs)
    assert "canary" not in json.dumps(payload)
    assert payload["kwargs"] == {
        "model": "m",
        "litellm_params": {
            "api_base": "http://b",
            "metadata": {"session_id": "s", "previous_models": [{"model": "n"}]},
            "proxy_server_request": {"headers": {"X-Team": "t"}},
        },
        "standard_logging_object": {"response_cost": 0.5},
    }


def test_what_is_no_json_is_told_as_what_it_holds_or_in_words():
    async def coroutine():
        pass

    pending = coroutine()
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    parameters = {"p": Point(x=1), "t": moment, "e": ValueError("bad"), "c": pending, "l": threading.Lock(), "s": {1}, "b": b"\xff"}
    held = written({"optional_params": parameters})["kwargs"]["optional_params"]
    pending.close()
    assert held["p"] == {"x": 1}
    assert held["t"].startswith("2026-01-02T03:04:05")
    assert held["e"] == "bad"
    assert "coroutine" in held["c"] and "lock" in held["l"]
    assert held["s"] == [1] and isinstance(held["b"], str)


def test_nothing_is_refused():
    class Rude:
        def __str__(self):
            raise RuntimeError

    cycle = {"name": "cycle"}
    cycle["self"] = cycle
    deep = leaf = []
    for _ in range(5000):
        leaf.append([])
        leaf = leaf[0]
    for odd in ("\ud800", cycle, deep, float("nan"), 1 << 70, {1: 2, None: 3}, Rude(), object):
        payload = written({"model": "m", "messages": [odd]})
        assert payload["kwargs"]["model"] == "m" and "messages" in payload["kwargs"]


def test_a_response_is_written_whole_and_once():
    response = ModelResponse(choices=[{"message": {"role": "assistant", "content": "Yes."}, "index": 0}], vendor_extra=[1])
    payload = written({"model": "m"}, response)["response_obj"]
    assert payload["choices"][0]["message"]["content"] == "Yes."
    assert payload["vendor_extra"] == [1]
    ended = written({"async_complete_streaming_response": response, "messages": MESSAGES, "input": MESSAGES}, response)
    assert ended["response_obj"] is None and "input" not in ended["kwargs"]
    assert ended["kwargs"]["async_complete_streaming_response"]["vendor_extra"] == [1]


def test_an_exception_has_its_type_its_words_and_where_it_was():
    try:
        raise litellm.BadRequestError("no such model", model="m", llm_provider="openai")
    except litellm.BadRequestError as error:
        held = written({"exception": error})["kwargs"]["exception"]
    assert held["type"] == "BadRequestError" and "no such model" in held["message"]
    assert "test_an_exception_has_its_type" in held["stacktrace"]


def test_times_are_exact():
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 123457, tzinfo=datetime.timezone.utc)
    assert _payload.nanoseconds(moment) == 1767323045123457000
    assert _payload.nanoseconds(1767323045.123457) == 1767323045123457000
    assert _payload.nanoseconds(None) is _payload.nanoseconds("soon") is _payload.nanoseconds(-1) is None
    assert _payload.nanoseconds(float("1e300")) is None


def test_litellms_own_callbacks_still_find_their_kwargs(callback):
    seen = []

    class Other(litellm.integrations.custom_logger.CustomLogger):
        def log_success_event(self, kwargs, response_obj, start_time, end_time):
            seen.append(kwargs["optional_params"])

    litellm.callbacks = [callback, Other()]
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    litellm.completion(model="gpt-4o-mini", messages=MESSAGES, tools=[tool], mock_response="Yes.")
    asyncio.run(asyncio.sleep(0.3))
    assert seen and seen[0]["tools"] == [tool]
