"""What litellm hands its callbacks, as the JSON text that the hooks take.

It is written on the calling thread, although that costs the caller some of its time: the objects are the caller's, who goes on
to change them. `messages` is a list that the next turn of a conversation is appended to, and litellm reuses `kwargs` from hook to
hook; a copy deep enough to be safe costs more than the text. Of `kwargs` only the members are written that the payload's schema
names, which leaves out the client, the keys and everything else that litellm keeps there.

`pydantic_core` writes what Python and pydantic hold in one pass. What it refuses, such as lone surrogates, cycles and a nesting without
end, is written by a slower walk, in which nothing is refused.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic_core import to_json

SCHEMA = "event-payload.schema.json"
#: The members of an object that are read, and those of theirs; none: the whole value is.
Shape = dict[str, "Shape | None"]

#: Deeper than this the slower walk does not go. MLflow keeps less.
DEPTH = 200
#: Names of header fields that carry credentials have one of these in them.
TELLING = ("auth", "cookie", "credential", "key", "passphrase", "password", "secret", "signature", "token")
#: Both hold the response that ends a stream, which is `response_obj` then.
COMPLETE = ("complete_streaming_response", "async_complete_streaming_response")


def event(kwargs: Mapping[str, Any], response_obj: Any) -> bytes:
    """The payload of a success or failure, or of a stream's first chunk."""
    said = _part(kwargs, _shape())
    for name in COMPLETE:
        if (complete := said.get(name)) is not None:
            said[name] = _dumped(complete)
            if complete is response_obj:
                response_obj = None
    if said.get("input") is said.get("messages"):
        # litellm has a chat's messages under both names.
        said.pop("input", None)
    exception = said.get("exception")
    if isinstance(exception, BaseException):
        said["exception"] = _exception(exception, kwargs.get("traceback_exception"))
    request = said.get("litellm_params", {}).get("proxy_server_request")
    if request and isinstance(request.get("headers"), Mapping):
        fields = request["headers"].items()
        request["headers"] = {name: value for name, value in fields if not _tells(str(name))}
    return write({"kwargs": said, "response_obj": _dumped(response_obj)})


def chunk(call_id: Any, response_obj: Any) -> bytes:
    """The payload of a chunk that is not a stream's first."""
    return write({"kwargs": {"litellm_call_id": call_id, "stream": True}, "response_obj": response_obj})


def nanoseconds(time: Any) -> int | None:
    """A time as litellm has it, in nanoseconds since the epoch."""
    if isinstance(time, datetime):
        # Datetimes count microseconds, which a float of this size still tells apart.
        return _natural(round(time.timestamp() * 1_000_000) * 1_000)
    if isinstance(time, (int, float)) and not isinstance(time, bool):
        return _natural(round(time * 1_000_000) * 1_000)
    return None


def write(value: Any) -> bytes:
    """JSON, whatever the value holds."""
    try:
        return to_json(value, fallback=_other, serialize_as_any=True)
    except (ValueError, TypeError, RecursionError, UnicodeError):
        return json.dumps(_plain(value, (), DEPTH)).encode()


@cache
def _shape() -> Shape:
    schema = json.loads(files(__package__).joinpath(SCHEMA).read_text("utf-8"))
    shape = _shape_of(schema["properties"]["kwargs"], schema["$defs"])
    assert shape is not None
    return shape


def _shape_of(schema: dict[str, Any], definitions: dict[str, Any]) -> Shape | None:
    reference = schema.get("$ref", "").removeprefix("#/$defs/")
    if reference == "response":
        # It is logged as it came, and not only what the schema knows of it.
        return None
    schema = definitions.get(reference, schema)
    if "items" in schema:
        return _shape_of(schema["items"], definitions)
    members = schema.get("properties")
    return members and {name: _shape_of(member, definitions) for name, member in members.items()}


def _part(value: Any, shape: Shape) -> Any:
    """The members of an object, or of the objects of a list, that are read."""
    if isinstance(value, Mapping):
        return {
            name: member if inner is None else _part(member, inner)
            for name, inner in shape.items()
            if (member := value.get(name)) is not None
        }
    if isinstance(value, (list, tuple)):
        return [_part(item, shape) for item in value]
    return value


def _dumped(response: Any) -> Any:
    """A response as its own class has it: litellm's leave out what was never set, which `to_json` does not know of."""
    if not hasattr(response, "__pydantic_serializer__") or isinstance(response, type):
        return response
    try:
        return response.model_dump(warnings=False)
    except Exception:
        return response


def _exception(exception: BaseException, trace: Any) -> dict[str, str]:
    if not isinstance(trace, str) or not trace:
        trace = "".join(traceback.format_exception(exception))
    return {"type": type(exception).__name__, "message": _words(exception), "stacktrace": trace}


def _tells(name: str) -> bool:
    name = name.lower()
    return any(word in name for word in TELLING)


def _natural(number: int) -> int | None:
    return number if 0 < number < 1 << 63 else None


def _other(value: Any) -> Any:
    """What JSON has no form for: models of other libraries as what they hold, and the rest in words, as MLflow has it."""
    for name in ("model_dump", "dict", "to_dict"):
        method = getattr(value, name, None)
        if callable(method) and not isinstance(value, type):
            try:
                return method()
            except Exception:
                continue
    return _words(value)


def _words(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__qualname__}>"


def _plain(value: Any, within: tuple[int, ...], depth: int) -> Any:
    """The same in dicts, lists, texts and numbers, without cycles."""
    if value is None or isinstance(value, (str, bool, float)):
        return value
    if isinstance(value, int):
        return int(value)
    if id(value) in within:
        return "(the object that this is a part of)"
    if depth == 0:
        return _words(type(value))
    within = (*within, id(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(member, within, depth - 1) for name, member in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item, within, depth - 1) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, datetime):
        return value.isoformat()
    return _plain(_other(value), within, depth - 1)
