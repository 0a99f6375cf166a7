"""What litellm's own MLflow logger costs, for `cargo xtask bench`.

Usage: mlflow_logger_cost.py TRACKING_URI

Each line on stdin names a file of events, one hook call a line as `mlflow-gateway replay` reads them. They are logged
as litellm logs them, and when MLflow has all of them a line of JSON goes to stdout: seconds of this process's CPU, seconds that the
caller waited, and seconds until MLflow had them. Building the events is not counted.

Whether traces are sent by the caller or by a thread of MLflow's own is for MLFLOW_ENABLE_ASYNC_TRACE_LOGGING to say.
"""

import json
import os
import sys
import time
from datetime import datetime, timezone

# What libraries print is not ours to answer.
ANSWERS = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

import mlflow
from litellm import ModelResponse
from litellm.integrations.mlflow import MlflowLogger
from litellm.types.utils import ModelResponseStream


def moment(nanoseconds):
    return datetime.fromtimestamp(nanoseconds / 1e9, timezone.utc)


def response(body):
    is_chunk = body["object"] == "chat.completion.chunk"
    return (ModelResponseStream if is_chunk else ModelResponse)(**body)


def event(line):
    """The arguments of a callback, as litellm passes them."""
    line = json.loads(line)
    kwargs = line["kwargs"]
    whole = kwargs.get("complete_streaming_response")
    if whole:
        kwargs["complete_streaming_response"] = response(whole)
    return kwargs, response(line["response_obj"]), moment(line["start_time"]), moment(line["end_time"])


def run(logger, path):
    with open(path, encoding="utf-8") as file:
        events = [event(line) for line in file]
    cpu, began = time.process_time(), time.perf_counter()
    for arguments in events:
        logger.log_success_event(*arguments)
    caller = time.perf_counter() - began
    mlflow.flush_trace_async_logging()
    return {
        "cpu": time.process_time() - cpu,
        "caller": caller,
        "wall": time.perf_counter() - began,
    }


def main():
    mlflow.set_tracking_uri(sys.argv[1])
    mlflow.set_experiment("Default")
    logger = MlflowLogger()
    print("ready", file=ANSWERS)
    for line in sys.stdin:
        print(json.dumps(run(logger, line.strip())), file=ANSWERS)


main()
