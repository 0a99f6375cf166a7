"""Delivery: never in the caller's way, bounded, and neither lost nor doubled where that can be helped."""

import json
import os
import subprocess
import sys
import textwrap
import time

import pytest
from conftest import DEADLINE, attribute, call, wait_for

import mlflow_wasm_logger
from mlflow_wasm_logger import Logger, _plugin


def ids(collector):
    return sorted(attribute(span, "litellm_call_id").strip('"') for span in collector.spans)


def misbehaving(act, **settings):
    return Logger(plugin=os.environ["MISBEHAVING"], **settings), json.dumps({"kwargs": {"model": f"misbehave:{act}"}}).encode()


WELL = json.dumps({"kwargs": {"model": "m"}}).encode()


def test_the_caller_never_waits_and_nothing_is_lost_while_the_server_is_away(collector):
    collector.status = 503
    logger = collector.logger(retry_max_elapsed_ms=1000)
    for number in range(300):
        logger.log_call("success", *call(f"c-{number:03}"))
    assert not logger.flush(3), logger.stats()
    assert logger.stats()["waiting"] == 300 and collector.requests >= 2
    collector.status = 200
    assert logger.flush(DEADLINE)
    assert ids(collector) == [f"c-{number:03}" for number in range(300)]
    assert logger.stats() | {"delivered": 300, "refused": 0, "dropped": 0, "waiting": 0} == logger.stats()
    assert logger.close(DEADLINE)


def test_a_server_that_hangs_holds_up_nobody(collector):
    collector.hang.clear()
    logger = collector.logger(flush_interval_ms=0)
    logger.log_call("success", *call("first"))
    assert wait_for(lambda: collector.requests, lambda requests: requests == 1)
    for number in range(50):
        logger.log_call("success", *call(f"c-{number}"))
    # The thread is stuck in the request, and what came since has been taken from the callers all the same.
    assert collector.requests == 1 and logger.stats()["waiting"] == 51
    collector.hang.set()
    assert logger.flush(DEADLINE) and len(collector.spans) == 51
    logger.close(DEADLINE)


def test_a_server_that_never_answers_is_asked_again_after_timeout_ms(collector, caplog):
    collector.hang.clear()
    logger = collector.logger(timeout_ms=300)
    logger.log_call("success", *call("c"))
    assert not logger.flush(5)
    assert "gave no answer in time (`timeout_ms`: 300)" in caplog.text and collector.requests >= 2
    collector.hang.set()
    assert logger.flush(DEADLINE) and "c" in ids(collector)
    logger.close(DEADLINE)


def test_the_queue_is_bounded_in_bytes_and_the_oldest_make_room(collector, caplog):
    collector.hang.clear()
    logger = collector.logger(queue_max_bytes=1 << 20, flush_interval_ms=0)
    logger.log_call("success", *call("first"))
    assert wait_for(lambda: collector.requests, lambda requests: requests == 1)
    for number in range(300):
        logger.log_call("success", *call(f"c-{number:03}", messages=[{"role": "user", "content": "x" * 10_000}]))
    stats = logger.stats()
    assert stats["waiting"] * 10_000 < 1 << 20 and stats["dropped"] + stats["waiting"] == 301
    collector.hang.set()
    assert logger.flush(DEADLINE)
    kept = ids(collector)
    assert kept[-1] == "first" and kept[-2] == "c-299" and "c-000" not in kept
    assert len(kept) == stats["waiting"]
    assert "the queue is full (queue_max_bytes)" in caplog.text
    logger.close(DEADLINE)


def test_what_the_server_refuses_for_good_is_told_and_not_kept(collector, caplog):
    collector.status = 400
    logger = collector.logger()
    logger.log_call("success", *call("c"))
    logger.log("success", b"[]", 1, 2)
    assert logger.flush(DEADLINE)
    assert logger.stats() | {"refused": 2, "waiting": 0} == logger.stats()
    assert caplog.text.count("an event is not logged: ") == 2
    logger.close(DEADLINE)


@pytest.mark.parametrize("act", ["trap@log", "trap@flush", "recurse@log", "hog@log"])
def test_an_event_that_the_plugin_traps_on_twice_is_refused_and_the_others_are_not(act, caplog):
    logger, bad = misbehaving(act)
    for payload in (WELL, WELL, bad, WELL):
        logger.log("success", payload, 1, 2)
    assert logger.flush(DEADLINE)
    stats = logger.stats()
    assert stats | {"delivered": 3, "refused": 1, "traps": 2, "waiting": 0} == stats
    assert caplog.text.count("logged again with a fresh instance") == 2
    assert "the plugin traps on it" in caplog.text
    logger.log("success", WELL, 1, 2)
    assert logger.flush(DEADLINE) and logger.stats()["delivered"] == 4
    logger.close(DEADLINE)


def test_an_event_that_the_plugin_computes_on_for_ever_is_refused(monkeypatch):
    monkeypatch.setattr(_plugin, "HOOK_SECONDS", 2)
    logger, bad = misbehaving("loop@log")
    for payload in (WELL, bad, WELL):
        logger.log("success", payload, 1, 2)
    assert logger.flush(DEADLINE)
    stats = logger.stats()
    assert stats | {"delivered": 2, "refused": 1, "traps": 2, "waiting": 0} == stats
    logger.close(DEADLINE)


def test_a_late_chunk_does_not_begin_another_trace(traces, callback):
    kwargs, answer, start, end = call("stream", stream=True, litellm_params={})

    def chunk(text):
        return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}

    callback.log_stream_event(kwargs, chunk("The "), start, end)
    kwargs["complete_streaming_response"] = answer
    callback.log_success_event(kwargs, answer, start, end)
    del kwargs["complete_streaming_response"]
    callback.log_stream_event(kwargs, chunk("one"), start, end)
    callback.flush(DEADLINE)
    callback.log_stream_event(kwargs, chunk("much later"), start, end)
    [trace] = traces(1)
    [span] = trace.data.spans
    deltas = [json.loads(event.attributes["delta"])["content"] for event in span.events]
    assert deltas == ["The ", "one"]
    assert span.outputs == answer


def test_a_stream_that_nobody_ends_is_cancelled_on_close(collector):
    logger = collector.logger()
    kwargs, _, start, end = call("stream", stream=True)
    logger.log_call("stream-chunk", kwargs, {"choices": [{"index": 0, "delta": {"content": "The"}}]}, start, end)
    assert logger.flush(DEADLINE) and not collector.spans
    assert logger.close(DEADLINE)
    [span] = collector.spans
    assert span.status.code == 2


def program(text, collector):
    """Runs a program of its own."""
    source = textwrap.dedent(text).replace("URL", repr(collector.url))
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stderr, time.monotonic() - begun


def test_the_end_of_the_program_waits_for_what_is_not_delivered_yet(collector):
    program(
        """
        import asyncio, litellm
        from mlflow_wasm_logger import MlflowWasmLogger
        litellm.callbacks = [MlflowWasmLogger(tracking_uri=URL, protocol="otlp", flush_interval_ms=60000)]
        messages = [{"role": "user", "content": "?"}]
        litellm.completion(model="gpt-4o-mini", messages=messages, mock_response="Yes.")
        for _ in litellm.completion(model="gpt-4o-mini", messages=messages, mock_response="Yes.", stream=True): pass
        asyncio.run(litellm.acompletion(model="gpt-4o-mini", messages=messages, mock_response="Yes."))
        """,
        collector,
    )
    assert sorted(span.name for span in collector.spans) == ["litellm-acompletion", "litellm-completion", "litellm-completion"]


def test_the_end_of_the_program_waits_no_longer_than_it_is_told(collector):
    collector.hang.clear()
    told, took = program(
        """
        import time
        from mlflow_wasm_logger import Logger
        logger = Logger(tracking_uri=URL, protocol="otlp", exit_timeout=1)
        logger.log("success", b'{"kwargs": {"model": "m"}}', 1, 2)
        """,
        collector,
    )
    assert "ends with 1 events that could not be delivered within exit_timeout" in told
    assert took < 60


def test_a_child_of_a_fork_has_a_queue_and_a_thread_of_its_own(collector):
    program(
        """
        import os
        from mlflow_wasm_logger import Logger
        logger = Logger(tracking_uri=URL, protocol="otlp")
        child = os.fork()
        who = b"child" if child == 0 else b"parent"
        logger.log("success", b'{"kwargs": {"litellm_call_id": "%s", "model": "m"}}' % who, 1, 2)
        assert logger.flush(60)
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """,
        collector,
    )
    assert ids(collector) == ["child", "parent"]


def test_a_child_of_a_fork_that_came_too_late_says_so(collector):
    told, _ = program(
        """
        import os
        from mlflow_wasm_logger import Logger
        logger = Logger(tracking_uri=URL, protocol="otlp")
        payload = b'{"kwargs": {"litellm_call_id": "before", "model": "m"}}'
        logger.log("success", payload, 1, 2)
        assert logger.flush(60)
        child = os.fork()
        if child == 0:
            logger.log("success", payload, 1, 2)
            os._exit(0 if logger.flush(1) and logger.stats()["dropped"] == 1 else 1)
        assert os.waitpid(child, 0)[1] == 0
        """,
        collector,
    )
    assert ids(collector) == ["before"]
    assert "forked from one that had sent events already" in told


def test_a_plugin_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match="no plugin at .*nowhere.wasm"):
        Logger(plugin="nowhere.wasm", tracking_uri="http://127.0.0.1:1")
    assert mlflow_wasm_logger.settings()[0].key == "tracking_uri"
