"""What a call costs the program, beside litellm's own MlflowLogger in the same process.

CPU is the whole process's, all threads counted, until what was logged is delivered. The caller's time is how long the hooks keep the thread
that calls them, waits for the interpreter's lock and all, and its CPU what they compute on it. Rounds take turns, and each logger's best round
counts, so that what else the machine does weighs on neither.
"""

import time
import uuid

import litellm
import pytest
from conftest import MESSAGES
from litellm.integrations.custom_logger import CustomLogger

from mlflow_wasm_logger import MlflowWasmLogger

ROUNDS = 4
LEAST = 10
#: Ours logs the text of every chunk, where the original logs the name of a method.
LEAST_OF_STREAMS = 5


class Recorder(CustomLogger):
    """Keeps what the hooks of a genuine call were given."""

    def __init__(self):
        super().__init__()
        self.stream, self.ended = [], []

    def log_stream_event(self, kwargs, response_obj, start_time, end_time):
        self.stream.append((dict(kwargs), response_obj, start_time, end_time))

    def log_success_event(self, kwargs, response_obj, start_time, end_time):
        self.ended.append((dict(kwargs), response_obj, start_time, end_time))


def recorded(**wanted):
    """A genuine call, as the hooks got it."""
    recorder = Recorder()
    litellm.callbacks = [recorder]
    answer = litellm.completion(model="gpt-4o-mini", messages=MESSAGES, user="u-1", metadata={"tags": ["shop:one"]}, **wanted)
    if wanted.get("stream"):
        list(answer)
    until = time.monotonic() + 30
    while not recorder.ended and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.1)
    litellm.logging_callback_manager._reset_all_callbacks()
    return recorder


def anew(event, name):
    """The same for another call. Every logger gets parameters of its own: the original takes some out."""
    kwargs, response_obj, start_time, end_time = event
    kwargs = {**kwargs, "litellm_call_id": name, "optional_params": dict(kwargs["optional_params"])}
    return kwargs, response_obj, start_time, end_time


class Side:
    """A logger at work, and its best round: seconds a call."""

    def __init__(self, logger, hook, flush):
        self.hook, self.flush = getattr(logger, hook), flush
        self.best = dict.fromkeys(("CPU", "caller", "caller's CPU"), float("inf"))

    def round(self, calls):
        begun = time.process_time(), time.perf_counter(), time.thread_time()
        for call in calls:
            for event in call:
                self.hook(*event)
        caller, caller_cpu = time.perf_counter() - begun[1], time.thread_time() - begun[2]
        self.flush()
        took = time.process_time() - begun[0], caller, caller_cpu
        self.best = {what: min(best, one / len(calls)) for (what, best), one in zip(self.best.items(), took)}


@pytest.fixture
def sides(uri, experiment, mlflow_client, monkeypatch):
    from litellm.integrations.mlflow import MlflowLogger

    # The faster of its two ways.
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "true")
    mlflow_client.set_experiment(f"{experiment}-original")
    ours = MlflowWasmLogger(tracking_uri=uri, experiment_name=experiment)

    def make(hook):
        return Side(MlflowLogger(), hook, mlflow_client.flush_trace_async_logging), Side(ours, hook, lambda: ours.flush(60))

    yield make
    assert ours.logger.stats()["dropped"] == ours.logger.stats()["refused"] == 0
    ours.logger.close(60)


def contest(what, original, ours, calls_of_round):
    """How many times less ours takes of each."""
    for number in range(ROUNDS):
        for side in (original, ours):
            side.round(calls_of_round(f"{number}-{uuid.uuid4().hex[:8]}"))
    ratios = {name: original.best[name] / ours.best[name] for name in ours.best}
    for name, ratio in ratios.items():
        print(f"{what}, {name}: {original.best[name] * 1e6:.0f} and {ours.best[name] * 1e6:.0f} us, {ratio:.1f} times less")
    return ratios


def test_a_call_costs_ten_times_less_cpu_and_time_of_the_caller(sides):
    [event] = recorded(mock_response="The one at the station.").ended
    original, ours = sides("log_success_event")
    ratios = contest("a call", original, ours, lambda name: [[anew(event, f"{name}-{index}")] for index in range(60)])
    assert min(ratios.values()) >= LEAST, ratios


def test_a_stream_costs_less_cpu_and_time_of_the_caller(sides):
    """Fed as both are meant to be: each chunk, and the response that ends the stream."""
    recorder = recorded(mock_response="The one at the station is open until ten, and the one at the harbour is not." * 2, stream=True)
    [end] = recorder.ended
    chunks = (recorder.stream * 2)[:50]
    assert len(chunks) == 50

    def stream(name):
        kwargs = anew(end, name)[0]
        open_kwargs = {key: value for key, value in kwargs.items() if "complete" not in key}
        return [(open_kwargs, *chunk[1:]) for chunk in chunks] + [(kwargs, *end[1:])]

    original, ours = sides("_handle_stream_event")
    ratios = contest("a stream", original, ours, lambda name: [stream(f"{name}-{index}") for index in range(20)])
    assert min(ratios.values()) >= LEAST_OF_STREAMS, ratios
