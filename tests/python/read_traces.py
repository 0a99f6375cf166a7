"""Reads experiments' traces with MLflow's own client and prints them, one JSON object a line.

Usage: read_traces.py TRACKING_URI EXPERIMENT_NAME... [--no-spans]

Experiment after experiment, oldest trace first. Times are in nanoseconds since the epoch unless their name says otherwise. An
experiment that is not there has no traces.
"""

import argparse
import json
import sys

from mlflow import MlflowClient

PAGE = 100


def info_of(trace):
    info = trace.info
    return {
        "trace_id": info.trace_id,
        "state": info.state.value,
        "request_time_ms": info.request_time,
        "duration_ms": info.execution_duration,
        "request_preview": info.request_preview,
        "response_preview": info.response_preview,
        "tags": info.tags,
        "metadata": info.trace_metadata,
        "token_usage": info.token_usage,
        "cost": info.cost,
    }


def span_of(span):
    return {
        "name": span.name,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "type": span.span_type,
        "status": span.status.status_code.value,
        "status_description": span.status.description,
        "start_ns": span.start_time_ns,
        "end_ns": span.end_time_ns,
        "inputs": span.inputs,
        "outputs": span.outputs,
        "attributes": span.attributes,
        "events": [
            {"name": event.name, "time_ns": event.timestamp, "attributes": dict(event.attributes)}
            for event in span.events
        ],
    }


def traces(client, experiment_id, spans):
    """All traces of one moment: pages move when traces arrive between them, and one is then met twice and another missed."""
    while True:
        found = list(pages(client, experiment_id, spans))
        if len(found) == len({trace.info.trace_id for trace in found}):
            return found


def pages(client, experiment_id, spans):
    token = None
    while True:
        page = client.search_traces(
            locations=[experiment_id],
            max_results=PAGE,
            order_by=["timestamp_ms ASC"],
            page_token=token,
            include_spans=spans,
        )
        yield from page
        token = page.token
        if not token:
            return


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tracking_uri")
    parser.add_argument("experiment_names", nargs="+")
    parser.add_argument("--no-spans", action="store_true", help="leave the spans out: much faster")
    args = parser.parse_args()

    client = MlflowClient(tracking_uri=args.tracking_uri)
    for name in args.experiment_names:
        print_traces(client, name, not args.no_spans)


def print_traces(client, experiment_name, spans):
    experiment = client.get_experiment_by_name(experiment_name)
    if experiment is None:
        return
    for trace in traces(client, experiment.experiment_id, spans):
        line = {
            "experiment_id": experiment.experiment_id,
            "experiment": experiment_name,
            "info": info_of(trace),
            "spans": [span_of(span) for span in trace.data.spans] if spans else [],
        }
        # Lone surrogates cannot be printed as UTF-8; escaped they can.
        sys.stdout.write(json.dumps(line, ensure_ascii=True, default=str) + "\n")


main()
