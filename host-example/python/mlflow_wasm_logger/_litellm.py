"""litellm's callback: a drop-in for its own `MlflowLogger`."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import MutableMapping
from typing import Any, Unpack

from litellm.integrations.custom_logger import CustomLogger

from . import _payload
from ._logger import Hook, Logger
from ._parent import traceparent
from ._settings import Settings

#: Where a call's `kwargs`, which are the same for all of its hooks, keep what is known of it here.
_OURS = "mlflow_wasm_logger"

#: litellm tells of a synchronous stream's chunks and of its end from threads that overtake each other. The end waits for so long for chunks.
LATE = 0.5

Kwargs = MutableMapping[str, Any]

log = logging.getLogger("mlflow_wasm_logger")


class _Known:
    """What is known of a call from one hook to the next."""

    __slots__ = ("closes", "opened", "parent")

    def __init__(self, parent: bytes | None) -> None:
        self.parent = parent
        #: Whether a chunk was logged, and the monotonic time after which none is.
        self.opened = False
        self.closes = float("inf")


class MlflowWasmLogger(CustomLogger):  # type: ignore[misc]
    """Logs litellm's calls to MLflow: `litellm.callbacks = [MlflowWasmLogger(tracking_uri=…)]`.

    Arguments are those of `Logger`, settings by name. No hook raises, or waits for the network.
    """

    def __init__(
        self, *, plugin: str | os.PathLike[str] | None = None, exit_timeout: float = 10.0, **told: Unpack[Settings]
    ) -> None:
        super().__init__()
        self.logger = Logger(plugin=plugin, exit_timeout=exit_timeout, **told)

    def flush(self, timeout: float | None = None) -> bool:
        """Waits until all that was logged is delivered, or for so many seconds. False: it is not yet."""
        return self.logger.flush(timeout)

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Kwargs) -> None:
        """Takes the active span where it is known: litellm logs the chunks of streams from threads that have none."""
        try:
            parent = traceparent()
            if parent:
                kwargs[_OURS] = _Known(parent)
        except Exception:
            log.debug("the active span is not known", exc_info=True)

    def log_success_event(self, kwargs: Kwargs, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self._log("success", kwargs, response_obj, start_time, end_time)

    async def async_log_success_event(self, kwargs: Kwargs, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self._log("success", kwargs, response_obj, start_time, end_time)

    def log_failure_event(self, kwargs: Kwargs, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self._log("failure", kwargs, response_obj, start_time, end_time)

    async def async_log_failure_event(self, kwargs: Kwargs, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self._log("failure", kwargs, response_obj, start_time, end_time)

    def log_stream_event(self, kwargs: Kwargs, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self._log("stream-chunk", kwargs, response_obj, start_time, end_time)

    async def async_log_stream_event(self, kwargs: Kwargs, response_obj: Any, start_time: Any, end_time: Any) -> None:
        # Of a synchronous call's chunks litellm tells both this hook and the one above.
        if _is_asynchronous(kwargs):
            self._log("stream-chunk", kwargs, response_obj, start_time, end_time)

    def _handle_stream_event(self, kwargs: Kwargs, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """MlflowLogger's, for those who call it."""
        self._log("stream-chunk", kwargs, response_obj, start_time, end_time)

    def _log(self, hook: Hook, kwargs: Kwargs, response_obj: Any, start_time: Any, end_time: Any) -> None:
        try:
            known: _Known | None = kwargs.get(_OURS)
            rest = 0.0
            if hook == "stream-chunk":
                if known is None:
                    known = kwargs[_OURS] = _Known(traceparent())
                if time.monotonic() > known.closes:
                    return
                call_id = kwargs.get("litellm_call_id")
                opened, known.opened = known.opened, True
                if opened and call_id and not _ends(kwargs):
                    payload = _payload.chunk(call_id, response_obj)
                else:
                    payload = _payload.event(kwargs, response_obj)
            else:
                payload = _payload.event(kwargs, response_obj)
                if known and known.opened:
                    rest, known.closes = LATE, time.monotonic() + LATE
            parent = known.parent if known else traceparent()
            start, end = _payload.nanoseconds(start_time), _payload.nanoseconds(end_time)
            self.logger.log(hook, payload, start, end, parent, rest)
        except Exception:
            # A logger must not fail the call. The payload may be in the traceback's locals, but not in its text.
            log.warning("a call is not logged: %s hook", hook, exc_info=True)


def _is_asynchronous(kwargs: Kwargs) -> bool:
    parameters = kwargs.get("litellm_params") or {}
    return any(parameters.get(name) is True for name in ("acompletion", "aresponses"))


def _ends(kwargs: Kwargs) -> bool:
    return any(kwargs.get(name) is not None for name in _payload.COMPLETE)
