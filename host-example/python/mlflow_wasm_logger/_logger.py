"""The logger without litellm: hooks that take what happened and return at once."""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal, Unpack

from . import _payload, _settings
from ._backlog import Backlog, Event
from ._parent import traceparent
from ._plugin import Plugin, Setting
from ._settings import SettingError, Settings
from ._values import Refused
from ._worker import QUIET, Counts, Worker

Hook = Literal["success", "failure", "stream-chunk"]
_HOOKS: dict[Hook, bytes] = {"success": b"success", "failure": b"failure", "stream-chunk": b"stream-chunk"}

FULL = "the queue is full (queue_max_bytes), and the oldest make room"
AFTER_FORK = (
    "this process was forked from one that had sent events already, and has no way to send its own; fork before the first call, "
    "or start processes by \"spawn\""
)

log = logging.getLogger("mlflow_wasm_logger")


def settings(plugin: str | os.PathLike[str] | None = None) -> tuple[Setting, ...]:
    """The settings that the plugin takes, as it describes them."""
    return Plugin.load(plugin).settings


class Logger:
    """Logs LLM calls to MLflow through the plugin, in a thread of its own.

    Settings are keyword arguments; what is left out comes from the MLflow client's environment variables, and else has the plugin's
    default. A setting that the plugin does not take raises `SettingError`.

    `plugin` is a component that implements the same hooks, instead of this package's. `exit_timeout` is how many seconds the end of the
    program may wait for what is not delivered yet.
    """

    def __init__(
        self, *, plugin: str | os.PathLike[str] | None = None, exit_timeout: float = 10.0, **told: Unpack[Settings]
    ) -> None:
        self._plugin = Plugin.load(plugin)
        gathered = _settings.gather(told, self._plugin.settings)
        self._settings = _settings.encode(gathered)
        self._check(told)
        default = next((one.default for one in self._plugin.settings if one.key == "queue_max_bytes"), None)
        self._most_bytes = int(gathered.get("queue_max_bytes") or default or 64 << 20)
        self._exit_timeout = exit_timeout
        self._exiting_until: float | None = None
        self._worker: Worker | None = None
        self._begin()

    def log(
        self,
        hook: Hook,
        payload: bytes,
        start_ns: int | None = None,
        end_ns: int | None = None,
        parent: bytes | None = None,
        rest: float = 0.0,
    ) -> None:
        """Logs the payload of a hook: a JSON object as the hooks' schema describes it. Never waits for the plugin or the network.

        The plugin gets it after so many seconds of `rest`.
        """
        worker = self._worker or self._start()
        if worker is None:
            self._dropped(1, AFTER_FORK)
            return
        event = Event(next(self._keys), _HOOKS[hook], payload, start_ns, end_ns, parent)
        if rest:
            event.rests_until = time.monotonic() + rest
        dropped = self._backlog.push(event)
        if dropped:
            self._dropped(dropped, FULL)
        if self._exiting_until is not None:
            # The program ends, and this may be the last that the thread is given.
            worker.wish("all", max(0.0, self._exiting_until - time.monotonic()))

    def log_call(self, hook: Hook, kwargs: Mapping[str, Any], response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Logs what a litellm callback was given. The call becomes a child of the span that is active in MLflow or OpenTelemetry."""
        payload = _payload.event(kwargs, response_obj)
        self.log(hook, payload, _payload.nanoseconds(start_time), _payload.nanoseconds(end_time), traceparent())

    def flush(self, timeout: float | None = None) -> bool:
        """Waits until all that was logged is delivered, or for so many seconds. False: it is not yet."""
        return self._worker is None or self._worker.wish("all", timeout)

    def close(self, timeout: float | None = None) -> bool:
        """Ends open streams as cancelled, delivers everything, and ends the thread. What is logged later starts another.

        False: there was something that could not be delivered in time, and is lost.
        """
        worker, self._worker = self._worker, None
        _AT_WORK.discard(self)
        if worker is None:
            return True
        delivered = worker.wish("close", timeout)
        worker.end()
        lost = worker.held() + len(self._backlog)
        if not delivered and lost:
            log.warning("%d events are lost: they could not be delivered in time", lost)
        return delivered

    def stats(self) -> dict[str, int]:
        """How many events were delivered, refused, skipped or dropped, how often the plugin trapped, and how many events wait."""
        held = self._worker.held() if self._worker else 0
        return asdict(self._counts) | {"waiting": held + len(self._backlog)}

    def _check(self, told: Mapping[str, Any]) -> None:
        try:
            self._plugin.instantiate().configure(self._settings)
        except Refused as refused:
            if refused.case != "invalid-setting":
                raise
            key, reason = refused.detail["key"], refused.detail["reason"]
            raise SettingError(key, reason, _settings.source(key, told, self._plugin.settings)) from None

    def _begin(self) -> None:
        """With nothing logged yet, and no thread."""
        self._starting = threading.Lock()
        self._backlog = Backlog(self._most_bytes)
        self._counts = Counts()
        self._keys = itertools.count(1)
        self._worker = None
        self._told_of_drops = 0.0

    def _start(self) -> Worker | None:
        """A thread, unless it could send nothing."""
        with self._starting:
            if self._worker is None and Plugin.sender in (0, os.getpid()):
                worker = Worker(self._plugin, self._settings, self._backlog, self._counts)
                worker.start()
                self._worker = worker
                _AT_WORK.add(self)
            return self._worker

    def _dropped(self, count: int, why: str) -> None:
        self._counts.dropped += count
        now = time.monotonic()
        if now - self._told_of_drops >= QUIET or not self._told_of_drops:
            self._told_of_drops = now
            log.warning("%d events are dropped so far: %s", self._counts.dropped, why)

    def _exit(self) -> None:
        self._exiting_until = time.monotonic() + self._exit_timeout
        worker = self._worker
        if worker and not worker.wish("close", self._exit_timeout):
            lost = worker.held() + len(self._backlog)
            log.warning("the program ends with %d events that could not be delivered within exit_timeout", lost)


#: Loggers with a thread.
_AT_WORK: set[Logger] = set()


@atexit.register
def _exit() -> None:
    """litellm may run its last callbacks after this, so threads go on; what comes then is delivered at once."""
    for logger in list(_AT_WORK):
        logger._exit()


def _forked() -> None:
    """The child has no thread, and what waits is the parent's to deliver."""
    for logger in _AT_WORK:
        logger._begin()
    _AT_WORK.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forked)
