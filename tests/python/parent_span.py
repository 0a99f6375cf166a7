"""Opens a span with MLflow's own client and keeps it open while somebody else adds a child.

Usage: parent_span.py TRACKING_URI EXPERIMENT_NAME SPAN_NAME

Prints the span's traceparent, then waits for a line (or the end) of stdin, ends the span, sees it sent
and prints the trace's id.
"""

import sys

import mlflow
from mlflow.tracing import get_tracing_context_headers_for_http_request


def main():
    tracking_uri, experiment, name = sys.argv[1:4]
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_experiment(experiment)
    with mlflow.start_span(name=name, span_type="AGENT") as span:
        span.set_inputs({"question": "Which of our shops is open now?"})
        print(get_tracing_context_headers_for_http_request()["traceparent"], flush=True)
        sys.stdin.readline()
        span.set_outputs({"answer": "The one at the station."})
    mlflow.flush_trace_async_logging()
    print(span.trace_id, flush=True)


main()
