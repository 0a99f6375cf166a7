"""The plugin: loaded and compiled once a process, and instances of it."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from wasmtime import Config, Engine, Store, WasiConfig, WasmtimeError
from wasmtime import _ffi as ffi
from wasmtime.component import Component, Func, Instance, Linker

from . import _values
from ._values import Arena, Events, Refused, Value

LOGGER = "llm-gateway:hooks/logger@0.1.0"
FILE = "mlflow_logger.wasm"
#: How many events are handed over in one call.
MOST_EVENTS = 64
#: Linear memory of an instance. Growing past that traps, and a fresh instance takes over.
MEMORY_BYTES = 512 << 20
#: How long a hook may take, and a flush with all its requests. Past that it traps, too.
HOOK_SECONDS = 10
FLUSH_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as the plugin describes it."""

    key: str
    doc: str
    default: str | None
    env: str | None
    secret: bool


class Plugin:
    """A compiled component."""

    #: The process that an instance asked for the network in, which wasmtime serves with threads that a fork does not copy; 0: none yet.
    sender = 0

    _loaded: dict[str, Plugin] = {}
    _loading = threading.Lock()

    def __init__(self, path: Path) -> None:
        config = Config()
        try:
            # Compiled code is kept in the user's cache directory. Compiling takes two seconds, loading 20 ms.
            config.cache = True
        except WasmtimeError:
            pass
        config.epoch_interruption = True
        engine = Engine(config)
        self._component = Component.from_file(engine, str(path))
        self._linker = Linker(engine)
        self._linker.add_wasip2()
        self._linker.add_wasi_http()
        self._engine = engine
        self._linking = threading.Lock()
        #: The process that a clock ticks in, which is what calls are timed by.
        self._ticks_in = 0
        self.settings = tuple(Setting(**setting) for setting in self.instantiate().describe()["settings"])

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None) -> Plugin:
        """The component of this package, or another one that implements the same hooks."""
        place = Path(path) if path is not None else Path(str(files(__package__) / FILE))
        if not place.is_file():
            raise FileNotFoundError(f"no plugin at {place}: the package's wheel is built by `cargo xtask dist`")
        with cls._loading:
            name = str(place.resolve())
            if name not in cls._loaded:
                cls._loaded[name] = cls(place)
            return cls._loaded[name]

    def instantiate(self) -> Logger:
        """A fresh instance, in a sandbox of its own."""
        self._tick()
        store = Store(self._engine)
        store.set_limits(memory_size=MEMORY_BYTES)
        # Nothing of the machine: no files, no environment, no standard streams.
        store.set_wasi(WasiConfig())
        store.set_wasi_http()
        store.set_epoch_deadline(HOOK_SECONDS)
        with self._linking:
            return Logger(store, self._linker.instantiate(store, self._component))

    def _tick(self) -> None:
        if self._ticks_in != os.getpid():
            self._ticks_in = os.getpid()
            threading.Thread(target=_ticks, args=(self._engine,), name="mlflow-wasm-logger-clock", daemon=True).start()


def _ticks(engine: Engine) -> None:
    while True:
        time.sleep(1)
        engine.increment_epoch()


class Logger:
    """An instance: the hooks of `wit/logger.wit`. Not for several threads at a time.

    Each method may raise `Refused`, as the hooks say, or `WasmtimeError`: then the instance is lost.
    """

    def __init__(self, store: Store, instance: Instance) -> None:
        self._store = store
        self._instance = instance
        self._hooks = instance.get_export_index(store, LOGGER)
        if self._hooks is None:
            raise ValueError(f"the plugin does not export {LOGGER}")
        self._functions: dict[str, Func] = {}
        self._events = Events(MOST_EVENTS)

    def describe(self) -> dict[str, Any]:
        """What the plugin says of itself."""
        return dict(self._call("describe"))

    def configure(self, settings: str) -> None:
        """Takes the settings: a JSON object."""
        self._call("configure", _values.text(settings))

    def log_events(self, events: list[tuple[int, bytes, bytes, int | None, int | None, bytes | None]]) -> list[Refused | None]:
        """Logs up to `MOST_EVENTS` events: key, hook, payload, start, end, traceparent. One answer an event."""
        return list(self._call("log-events", self._events.fill(events)))

    def flush(self, mode: str) -> dict[str, Any]:
        """Sends, waiting for the network, and reports what became of events since the last report."""
        Plugin.sender = Plugin.sender or os.getpid()
        return dict(self._call("flush", _values.case(mode), FLUSH_SECONDS))

    def next_wake(self) -> float | None:
        """In how many seconds to call `flush("due")`; none: there is nothing to do until something is logged."""
        wake: int | None = self._call("next-wake")
        return None if wake is None else wake / 1000

    def stats(self) -> dict[str, int]:
        """What the instance has done so far."""
        return dict(self._call("stats"))

    def _call(self, name: str, arguments: Arena | None = None, seconds: int | None = None) -> Any:
        function = self._functions.get(name) or self._find(name)
        self._store.set_epoch_deadline(seconds or HOOK_SECONDS)
        result = Value()
        given = arguments.values if arguments else None
        count = len(arguments.values) if arguments else 0
        call = ffi.wasmtime_component_func_call
        error = call(ctypes.byref(function._func), self._store._context(), given, count, ctypes.byref(result), 1)
        if error:
            raise WasmtimeError._from_ptr(error)
        try:
            answer = _values.read(result)
        finally:
            ffi.wasmtime_component_val_delete(ctypes.byref(result))
        if isinstance(answer, Refused):
            raise answer
        return answer

    def _find(self, name: str) -> Func:
        index = self._instance.get_export_index(self._store, name, self._hooks)
        function = index and self._instance.get_func(self._store, index)
        if not function:
            raise ValueError(f"the plugin has no hook `{name}`")
        self._functions[name] = function
        return function
