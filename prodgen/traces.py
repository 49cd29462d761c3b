"""OpenTelemetry traces: spans of requests, orders, leases, batches and runs, sent to an OTLP receiver.

Traces are off unless OTEL_EXPORTER_OTLP_ENDPOINT is set. While they are off, `span` does nothing, and prodgen
imports nothing of OpenTelemetry. A trace context is a text: the value of W3C's header ``traceparent``.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger(__name__)

SECONDS = 2.0
"""Seconds for which a process tries to send a batch of spans before it drops the batch.

If the receiver does not answer, a process that ends may wait so long.
"""

_provider: "TracerProvider | None" = None


def configure(process: str) -> None:
    """If traces are on, send the spans of this process under the service name ``prodgen-{process}``."""
    global _provider
    if _provider or not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("no traces are sent: OTEL_EXPORTER_OTLP_ENDPOINT needs `pip install prodgen[traces]`")
        return
    service = os.environ.get("OTEL_SERVICE_NAME") or f"prodgen-{process}"
    _provider = TracerProvider(resource=Resource.create({"service.name": service}))
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=SECONDS)))


def span(
    name: str,
    parent: str | None = None,
    attributes: Mapping[str, str | int | None] = {},
    *,
    links: Iterable[str] = (),
    server: bool = False,
) -> AbstractContextManager[None]:
    """Measure the block as a span with ``attributes`` that are not None. An exception marks it as failed.

    ``parent``: the trace context of the parent; None: the current span is the parent. ``links``: further
    trace contexts for which the block works. ``server``: whether the block answers a request.
    """
    return _span(_provider, name, parent, attributes, links, server) if _provider else nullcontext()


@contextmanager
def _span(
    provider: "TracerProvider",
    name: str,
    parent: str | None,
    attributes: Mapping[str, str | int | None],
    links: Iterable[str],
    server: bool,
) -> Iterator[None]:
    from opentelemetry.trace import Link, SpanKind, get_current_span

    linked = [Link(get_current_span(_parse(link)).get_span_context()) for link in links]
    known = {f"prodgen.{key}": value for key, value in attributes.items() if value is not None}
    context = _parse(parent) if parent else None
    kind = SpanKind.SERVER if server else SpanKind.INTERNAL
    tracer = provider.get_tracer("prodgen")
    with tracer.start_as_current_span(name, context, kind, attributes=known, links=linked):
        yield


def _parse(traceparent: str) -> "Context":
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})


def describe_request(method: str, route: str, status: int) -> None:
    """Name the current span after the HTTP request that it measures, and add the request's attributes."""
    if _provider:
        from opentelemetry.trace import get_current_span

        current = get_current_span()
        current.update_name(f"{method} {route}")
        current.set_attributes(
            {"http.request.method": method, "http.route": route, "http.response.status_code": status}
        )


def traceparent() -> str | None:
    """Return the trace context of the current span, or None if there is none."""
    if not _provider:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def flush() -> None:
    """Send the ended spans now, because this process may be killed soon."""
    if _provider:
        _provider.force_flush()
