"""Events that wait for the worker: bounded in bytes, and never in anybody's way.

The oldest event makes room for the next. What the worker holds counts too, so that memory is bounded whatever MLflow does.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

#: What an event takes beside its payload.
OVERHEAD = 400


@dataclass(slots=True, eq=False)
class Event:
    """A hook that fired."""

    key: int
    hook: bytes
    payload: bytes
    start: int | None
    end: int | None
    parent: bytes | None
    #: The monotonic time before which the plugin is not to have it.
    rests_until: float = 0.0
    #: An instance trapped that held it.
    suspect: bool = False

    @property
    def size(self) -> int:
        return len(self.payload) + OVERHEAD

    def argument(self) -> tuple[int, bytes, bytes, int | None, int | None, bytes | None]:
        return self.key, self.hook, self.payload, self.start, self.end, self.parent


class Backlog:
    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._waiting: deque[Event] = deque()
        self._lock = threading.Lock()
        #: Of all that is waiting or held.
        self._bytes = 0
        #: Set when there is something to take.
        self.more = threading.Event()

    def push(self, event: Event) -> int:
        """Adds an event, and returns how many were dropped for it."""
        dropped = 0
        with self._lock:
            self._waiting.append(event)
            self._bytes += event.size
            while self._bytes > self.most_bytes and self._waiting:
                self._bytes -= self._waiting.popleft().size
                dropped += 1
        if not self.more.is_set():
            self.more.set()
        return dropped

    def take(self) -> list[Event]:
        """All that waits. It counts until it is `settled`."""
        with self._lock:
            self.more.clear()
            taken = list(self._waiting)
            self._waiting.clear()
            return taken

    def settled(self, event: Event) -> None:
        """The worker is done with an event."""
        with self._lock:
            self._bytes -= event.size

    def __len__(self) -> int:
        return len(self._waiting)
