"""The span that is active where a call is logged, in the form of the `traceparent` header."""

from __future__ import annotations

import sys


def traceparent() -> bytes | None:
    """MLflow's active span, or else OpenTelemetry's, if it is sampled. A library that nobody imported has none."""
    return _of_mlflow() or _of_opentelemetry()


def _of_mlflow() -> bytes | None:
    mlflow = sys.modules.get("mlflow")
    active = getattr(mlflow, "get_current_active_span", None)
    span = active() if active else None
    if span is None or not span.trace_id.startswith("tr-"):
        return None
    return f"00-{span.trace_id[3:]}-{span.span_id}-01".encode()


def _of_opentelemetry() -> bytes | None:
    trace = sys.modules.get("opentelemetry.trace")
    current = getattr(trace, "get_current_span", None)
    if current is None:
        return None
    context = current().get_span_context()
    if not (context.is_valid and context.trace_flags.sampled):
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01".encode()
