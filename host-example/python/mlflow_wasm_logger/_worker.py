"""The thread that has the plugin: it logs what waits, flushes when the plugin wants to, and outlives an instance.

An event is held until a report names it. When an instance traps, a fresh one is given all that is held; whatever the lost instance may
have choked on is then given alone and sent at once, and an event that an instance traps on alone is refused.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from wasmtime import WasmtimeError

from ._backlog import Backlog, Event
from ._plugin import MOST_EVENTS, Logger, Plugin
from ._values import Refused

#: What came within this time is handed over together.
LINGER = 0.02
#: How long to wait after something that should not happen.
LONG = 1.0
#: How often losses are told.
QUIET = 60.0

log = logging.getLogger("mlflow_wasm_logger")


@dataclass(slots=True)
class Counts:
    """What became of events."""

    delivered: int = 0
    refused: int = 0
    skipped: int = 0
    dropped: int = 0
    traps: int = 0


@dataclass(slots=True, eq=False)
class _Wish:
    """Somebody waits for what was logged so far to be delivered."""

    mode: str
    done: threading.Event = field(default_factory=threading.Event)


class Worker(threading.Thread):
    def __init__(self, plugin: Plugin, settings: str, backlog: Backlog, counts: Counts) -> None:
        super().__init__(name="mlflow-wasm-logger", daemon=True)
        self._plugin = plugin
        self._settings = settings
        self._backlog = backlog
        self._counts = counts
        self._instance: Logger | None = None
        #: What no report has named yet, oldest first, and which of it no instance has.
        self._held: dict[int, Event] = {}
        self._unlogged: deque[Event] = deque()
        #: What the instance is to have later.
        self._resting: list[Event] = []
        #: The suspect that the instance was given last, alone.
        self._tried: Event | None = None
        #: What the instance is being given; none: it is flushing, or doing nothing.
        self._given: list[Event] | None = None
        self._full = False
        self._not_before = 0.0
        self._wishes: deque[_Wish] = deque()
        self._obstacle: str | None = None
        self._ended = False

    def wish(self, mode: str, timeout: float | None) -> bool:
        """Has all that was logged so far delivered, and waits until it is. False: it is not yet."""
        if not self.is_alive():
            return False
        wish = _Wish(mode)
        self._wishes.append(wish)
        self._backlog.more.set()
        done = wish.done.wait(timeout)
        with contextlib.suppress(ValueError):
            # Nobody waits any more.
            self._wishes.remove(wish)
        return done

    def end(self) -> None:
        """Ends the thread, as soon as it is not waiting for the network."""
        self._ended = True
        self._backlog.more.set()

    def held(self) -> int:
        """How many events are not reported yet."""
        return len(self._held) + len(self._resting)

    def run(self) -> None:
        while not self._ended:
            try:
                self._step()
            except WasmtimeError as error:
                self._lost(error)
            except Exception:
                log.exception("the logger's thread stumbled; it goes on")
                time.sleep(LONG)

    def _step(self) -> None:
        instance = self._instance or self._fresh()
        wake = self._wake(instance)
        if not self._wishes and (wake is None or wake > 0):
            self._backlog.more.wait(wake)
            if not self._wishes and not self._ended:
                time.sleep(LINGER)
        wishes = list(self._wishes)
        if not self._full:
            self._take()
            self._log(instance)
        self._flush(instance, wishes)

    def _wake(self, instance: Logger) -> float | None:
        """In how many seconds there is something to do, if nothing more is logged."""
        now = time.monotonic()
        rest = max(0.0, self._not_before - now)
        if self._full or self._unlogged:
            return max(rest, LINGER)
        wake = instance.next_wake()
        times = [] if wake is None else [max(wake, rest)]
        times += [max(0.0, event.rests_until - now) for event in self._resting]
        return min(times, default=None)

    def _take(self) -> None:
        """Takes what waits, and what has rested."""
        now = time.monotonic()
        resting, self._resting = self._resting, []
        for event in itertools.chain(self._backlog.take(), resting):
            if event.rests_until > now:
                self._resting.append(event)
            else:
                self._held[event.key] = event
                self._unlogged.append(event)

    def _log(self, instance: Logger) -> None:
        """Gives the instance what it does not have, as far as it has room."""
        while self._unlogged and not self._full:
            if self._unlogged[0].suspect:
                self._tried = self._unlogged[0]
                self._log_batch(instance, 1)
                self._apply(instance.flush("all"))
                if self._tried:
                    self._tried.suspect = False
                    self._tried = None
                continue
            run = 0
            for event in self._unlogged:
                if event.suspect or run == MOST_EVENTS:
                    break
                run += 1
            self._log_batch(instance, run)

    def _log_batch(self, instance: Logger, count: int) -> None:
        batch = [self._unlogged[index] for index in range(count)]
        self._given = batch
        answers = instance.log_events([event.argument() for event in batch])
        self._given = None
        full: list[Event] = []
        for event, answer in zip(batch, answers, strict=True):
            self._unlogged.popleft()
            if answer is None:
                continue
            if answer.case == "queue-full" and len(self._held) > len(self._unlogged) + len(full) + 1:
                full.append(event)
            else:
                self._refuse([event.key], str(answer))
        if full:
            self._full = True
            self._unlogged.extendleft(reversed(full))

    def _flush(self, instance: Logger, wishes: list[_Wish]) -> None:
        wake = instance.next_wake()
        due = self._full or (wake is not None and wake <= 0)
        if not wishes and not due:
            return
        if time.monotonic() < self._not_before and not wishes:
            return
        mode = "due"
        if wishes or self._full:
            # The end of a stream may rest still.
            closing = not self._resting and any(wish.mode == "close" for wish in wishes)
            mode = "close" if closing else "all"
        report = instance.flush(mode)
        self._apply(report)
        if report["deferred"] is None and not self._unlogged and not self._resting:
            for wish in wishes:
                with contextlib.suppress(ValueError):
                    self._wishes.remove(wish)
                wish.done.set()
        elif wishes:
            # The plugin's backoff, or something that rests.
            rest = max(self._not_before - time.monotonic(), LINGER)
            self._backlog.more.wait(min(rest, LONG))

    def _apply(self, report: dict[str, Any]) -> None:
        for delivery in report["delivered"]:
            self._counts.delivered += self._settle(delivery["keys"])
        for refusal in report["refused"]:
            self._refuse(refusal["keys"], refusal["reason"])
        for refusal in report["skipped"]:
            self._counts.skipped += self._settle(refusal["keys"])
        for refusal in report["returned"]:
            # The plugin has tried for long. So will the next attempt.
            events = (self._held.get(key) for key in refusal["keys"])
            self._unlogged.extend(event for event in events if event)
        if any(report[fate] for fate in ("delivered", "refused", "skipped", "returned")):
            self._full = False
        deferred = report["deferred"]
        self._not_before = time.monotonic() + deferred["after-ms"] / 1000 if deferred else 0.0
        self._tell(deferred["reason"] if deferred else None)

    def _settle(self, keys: Iterable[int]) -> int:
        events = [event for key in keys if (event := self._held.pop(key, None))]
        for event in events:
            self._backlog.settled(event)
        return len(events)

    def _refuse(self, keys: Iterable[int], reason: str) -> None:
        refused = self._settle(keys)
        if refused:
            self._counts.refused += refused
            log.warning("an event is not logged: %s", reason)

    def _lost(self, error: WasmtimeError) -> None:
        """An instance trapped. Logs again what it held, as soon as there is another."""
        self._counts.traps += 1
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else "no reason given"
        if self._tried:
            self._refuse([self._tried.key], f"the plugin traps on it: {reason}")
        elif self._instance:
            # Where it was the flush, anything that the instance had may be to blame.
            for event in self._given or self._held.values():
                event.suspect = True
        log.error("the plugin trapped; what it held is logged again with a fresh instance: %s", reason)
        if self._instance is None:
            time.sleep(LONG)
        self._instance = None

    def _fresh(self) -> Logger:
        self._tried = self._given = None
        self._full = False
        self._not_before = 0.0
        self._unlogged = deque(self._held.values())
        instance = self._plugin.instantiate()
        try:
            instance.configure(self._settings)
        except Refused as refused:
            # Another instance has judged them before.
            raise WasmtimeError(str(refused)) from None
        self._instance = instance
        return instance

    def _tell(self, obstacle: str | None) -> None:
        """Tells of what keeps events from being delivered once, and of its end."""
        if obstacle != self._obstacle:
            if obstacle:
                log.warning("events are not delivered for now: %s", obstacle)
            else:
                log.info("events are delivered again")
            self._obstacle = obstacle
