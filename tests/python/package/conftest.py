"""What the tests of the Python package share. They are run by the end-to-end tests, which say in the environment where things are:

MLFLOW_UNDER_TEST, the URL of a real MLflow; MISBEHAVING, a plugin that traps when it is asked to.
"""

import gzip
import os
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import litellm
import mlflow
import pytest
from mlflow import MlflowClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mlflow_wasm_logger import Logger, MlflowWasmLogger

MESSAGES = [{"role": "user", "content": "What is open now?"}]
DEADLINE = 60


@pytest.fixture(autouse=True)
def no_callbacks():
    """Each test begins and ends without callbacks."""
    litellm.logging_callback_manager._reset_all_callbacks()
    yield
    litellm.logging_callback_manager._reset_all_callbacks()


@pytest.fixture
def uri():
    return os.environ["MLFLOW_UNDER_TEST"]


@pytest.fixture
def experiment():
    """An experiment of the test's own."""
    return f"python-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def callback(uri, experiment):
    """The logger, as litellm's callback."""
    callback = MlflowWasmLogger(tracking_uri=uri, experiment_name=experiment)
    litellm.callbacks = [callback]
    yield callback
    callback.logger.close(DEADLINE)


@pytest.fixture
def traces(uri, experiment, callback):
    """The experiment's traces once there are so many, by the call's name among the request tags."""

    def read(count):
        held = wait_for(lambda: (callback.flush(DEADLINE), found(uri, experiment))[1], lambda held: len(held) >= count)
        assert len(held) == count, [trace.info for trace in held]
        return held

    return read


def found(uri, experiment):
    """An experiment's traces, oldest first."""
    client = MlflowClient(tracking_uri=uri)
    named = client.get_experiment_by_name(experiment)
    if named is None:
        return []
    return list(client.search_traces(locations=[named.experiment_id], max_results=500, order_by=["timestamp_ms ASC"]))


def wait_for(get, fits):
    """What is got, once it fits; what was got last where it never does."""
    until = time.monotonic() + DEADLINE
    while True:
        got = get()
        if fits(got) or time.monotonic() > until:
            return got
        time.sleep(0.1)


def root(trace):
    """A trace's only parentless span."""
    [span] = [span for span in trace.data.spans if span.parent_id is None]
    return span


class Collector:
    """An OTLP collector that is played. It answers with `status`, and keeps the names of spans of what it answered 200."""

    def __init__(self):
        self.status = 200
        self.spans = []
        self.requests = 0
        self.hang = threading.Event()
        self.hang.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.requests += 1
                collector.hang.wait(DEADLINE)
                status = collector.status
                if status == 200:
                    collector.spans.extend(spans_of(body, self.headers))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def logger(self, **settings):
        return Logger(tracking_uri=self.url, protocol="otlp", **settings)

    def close(self):
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()


def spans_of(body, headers):
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    request = ExportTraceServiceRequest.FromString(body)
    return [span for of in request.resource_spans for scope in of.scope_spans for span in scope.spans]


def attribute(span, name):
    """An attribute of a span as OTLP has it."""
    [value] = [attribute.value.string_value for attribute in span.attributes if attribute.key == name]
    return value


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture
def mlflow_client(uri):
    """MLflow's own client, led to the server under test."""
    mlflow.set_tracking_uri(uri)
    return mlflow


def call(name, **kwargs):
    """The arguments of a hook for a call of this name."""
    from datetime import datetime, timedelta

    start = datetime.now()
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "The one at the station."}}]}
    said = {"litellm_call_id": name, "call_type": "completion", "model": "gpt-4o-mini", "messages": MESSAGES, **kwargs}
    return said, answer, start, start + timedelta(milliseconds=20)
