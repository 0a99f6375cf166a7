"""Values of the component model, laid out for wasmtime's C API and read back from it.

wasmtime-py can do this by itself, but asks the library for the shape of every type at every value: of an event that is a
hundred foreign calls and 230 microseconds, of which the plugin takes a few. The shapes of our hooks do not change, so an event's
is laid out once, and for each event only the numbers and texts are filled in. What comes back says itself what it is.
"""

from __future__ import annotations

import ctypes
from typing import Any

from wasmtime import _ffi as ffi

Value = ffi.wasmtime_component_val_t
_Values = ctypes.POINTER(Value)
_Entry = ffi.wasmtime_component_valrecord_entry_t

_BOOL = ffi.WASMTIME_COMPONENT_BOOL.value
_U64 = ffi.WASMTIME_COMPONENT_U64.value
_STRING = ffi.WASMTIME_COMPONENT_STRING.value
_LIST = ffi.WASMTIME_COMPONENT_LIST.value
_RECORD = ffi.WASMTIME_COMPONENT_RECORD.value
_VARIANT = ffi.WASMTIME_COMPONENT_VARIANT.value
_ENUM = ffi.WASMTIME_COMPONENT_ENUM.value
_OPTION = ffi.WASMTIME_COMPONENT_OPTION.value
_RESULT = ffi.WASMTIME_COMPONENT_RESULT.value


class _Text(ctypes.Structure):
    """`wasm_name_t` with the pointer as Python sets it fastest. It keeps the bytes alive."""

    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_char_p)]

    def set(self, text: bytes) -> None:
        self.size = len(text)
        self.data = text


class Refused(Exception):
    """The error that a hook answered: a case of the WIT variant `error`, and what goes with it."""

    def __init__(self, case: str, detail: Any) -> None:
        super().__init__(f"{case}: {detail}" if detail else case)
        self.case = case
        self.detail = detail


class Arena:
    """Values for one call. They point to each other and to these texts, and live as long as this does."""

    def __init__(self, count: int) -> None:
        self.values = (Value * count)()
        self._kept: list[Any] = []

    def keep(self, thing: Any) -> Any:
        self._kept.append(thing)
        return thing

    def text(self, name: Any) -> _Text:
        """A text of a value, to be set."""
        text: _Text = self.keep(_Text.from_address(ctypes.addressof(name)))
        return text

    def string(self, value: Any, text: bytes, kind: int = _STRING) -> None:
        value.kind = kind
        self.text(value.of.string).set(text)

    def enum(self, value: Any, case: bytes) -> None:
        self.string(value, case, _ENUM)

    def record(self, value: Any, names: tuple[bytes, ...]) -> list[Any]:
        """Makes a value a record, and returns its fields' values to be filled in."""
        entries = self.keep((_Entry * len(names))())
        for entry, name in zip(entries, names):
            self.text(entry.name).set(name)
        value.kind = _RECORD
        value.of.record.size = len(names)
        value.of.record.data = ctypes.cast(entries, ctypes.POINTER(_Entry))
        return [entry.val for entry in entries]


class _Slot:
    """One `hooked-event`: laid out once, filled in for each event."""

    def __init__(self, arena: Arena, value: Any) -> None:
        hook, event = arena.record(value, (b"hook", b"event"))
        hook.kind = _ENUM
        fields = (b"key", b"payload", b"start-time", b"end-time", b"time", b"context")
        key, payload, start, end, time, context = arena.record(event, fields)
        key.kind, payload.kind = _U64, _STRING
        known = (b"traceparent", b"session", b"user", b"tags", b"experiment")
        traceparent, session, user, tags, experiment = arena.record(context, known)
        tags.kind = _LIST
        for option in (start, end, time, traceparent, session, user, experiment):
            option.kind = _OPTION
        self._hook, self._payload = arena.text(hook.of.enumeration), arena.text(payload.of.string)
        self._key, self._start, self._end, self._traceparent = key.of, start.of, end.of, traceparent.of
        begun, ended, caller = arena.keep((Value * 3)())
        begun.kind = ended.kind = _U64
        caller.kind = _STRING
        self._begun, self._ended, self._caller = begun.of, ended.of, arena.text(caller.of.string)
        self._some_begun, self._some_ended, self._some_caller = map(ctypes.pointer, (begun, ended, caller))

    def fill(self, key: int, hook: bytes, payload: bytes, start: int | None, end: int | None, parent: bytes | None) -> None:
        self._key.u64 = key
        self._hook.set(hook)
        self._payload.set(payload)
        self._begun.u64, self._start.option = start or 0, start and self._some_begun
        self._ended.u64, self._end.option = end or 0, end and self._some_ended
        self._caller.set(parent or b"")
        self._traceparent.option = parent and self._some_caller


class Events:
    """The argument of `log-events`, for up to so many events, filled in anew for each call."""

    def __init__(self, most: int) -> None:
        self.most = most
        items = Arena(most)
        self._slots = [_Slot(items, value) for value in items.values]
        self.argument = Arena(1)
        self._list = self.argument.values[0]
        self._list.kind = _LIST
        self._list.of.list.data = ctypes.cast(self.argument.keep(items).values, _Values)

    def fill(self, events: list[tuple[int, bytes, bytes, int | None, int | None, bytes | None]]) -> Arena:
        for slot, event in zip(self._slots, events, strict=False):
            slot.fill(*event)
        self._list.of.list.size = len(events)
        return self.argument


def text(value: str) -> Arena:
    """The arguments of a function that takes one string."""
    arena = Arena(1)
    arena.string(arena.values[0], value.encode("utf-8", "replace"))
    return arena


def case(name: str) -> Arena:
    """The arguments of a function that takes one case of an enum."""
    arena = Arena(1)
    arena.enum(arena.values[0], name.encode())
    return arena


def read(value: Any) -> Any:
    """A value as Python has it: records as dicts, a variant as its case and what goes with it, an error as `Refused`."""
    kind, of = value.kind, value.of
    if kind == _STRING or kind == _ENUM:
        return _read_text(of.string)
    if kind == _U64:
        return of.u64
    if kind == _BOOL:
        return of.boolean
    if kind == _LIST:
        items = of.list.data
        return [read(items[index]) for index in range(of.list.size)]
    if kind == _RECORD:
        entries = [of.record.data[index] for index in range(of.record.size)]
        return {_read_text(entry.name): read(entry.val) for entry in entries}
    if kind == _OPTION:
        return read(of.option.contents) if of.option else None
    if kind == _VARIANT:
        return _read_text(of.variant.discriminant), _read_payload(of.variant)
    if kind == _RESULT:
        inner = _read_payload(of.result)
        return inner if of.result.is_ok else Refused(*inner)
    raise TypeError(f"a value of kind {kind}, which the hooks do not have")


def _read_payload(holder: Any) -> Any:
    return read(holder.val.contents) if holder.val else None


def _read_text(name: Any) -> str:
    return ctypes.string_at(name.data, name.size).decode()
