"""Traces join a request, its order, its leases and its images, and cost nothing while they are off."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from prodgen import traces
from prodgen.registry.publish import publish
from tests.cli.conftest import gateway, toy, work_off
from tests.gateway.running import Gateway
from tests.servers.process import wait_until

__all__ = ["gateway", "toy"]

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """An OTLP receiver. ``spans``: the spans that it has received."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def named(self, name: str) -> list[Span]:
        traces.flush()
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> Span:
        [span] = self.named(name)
        return span


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A receiver to which this process sends its traces."""
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setattr(traces, "_provider", None)
    monkeypatch.setattr(traces, "SECONDS", 30.0)  # a busy machine must lose no span
    traces.configure("test")
    assert traces._provider
    yield collector
    traces._provider.shutdown()
    collector.server.shutdown()
    thread.join()
    collector.server.server_close()


def attributes(span: Span) -> dict[str, str | int]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_an_order_is_one_trace_from_its_request_to_the_last_object_and_links_to_the_caller(
    collector: Collector, gateway: Gateway, toy: Path, tmp_path: Path
) -> None:
    publish(gateway.store, toy, "toy", "traced")
    client = gateway.client("traced")
    client.headers["traceparent"] = f"00-{TRACE}-{CALLER}-01"
    job = client.order(model="toy", count=100)["id"]
    assert work_off(gateway, tmp_path) == 1

    def parent(name: str) -> set[str]:
        return {span.parent_span_id.hex() for span in collector.named(name)}

    wait_until(
        lambda: collector.named("POST /v1/jobs"),
        "the request's span, which ends after the answer, is missing",
    )
    request, order = collector.one("POST /v1/jobs"), collector.one("order.submit")
    leases, batches = collector.named("lease"), collector.named("engine.batch")
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in request.links] == [(TRACE, CALLER)]
    assert (request.trace_id.hex() != TRACE, request.parent_span_id) == (True, b"")
    assert (request.kind, attributes(request)["http.response.status_code"]) == (Span.SPAN_KIND_SERVER, 202)
    assert parent("order.submit") == {request.span_id.hex()}
    assert parent("order.store") == parent("lease") == parent("order.settle") == {order.span_id.hex()}
    assert [attributes(lease)["prodgen.job"] for lease in leases] == [job, job]
    for stage in ("lease.model", "lease.images", "lease.store", "lease.report"):
        assert parent(stage) == {lease.span_id.hex() for lease in leases}
    assert parent("engine.batch") == {span.span_id.hex() for span in collector.named("lease.images")}
    assert sum(int(attributes(batch)["prodgen.images"]) for batch in batches) == 100
    of_job = {span.trace_id for span in collector.spans if attributes(span).get("prodgen.job")}
    assert of_job == {request.trace_id}


def test_a_failure_is_marked_and_a_malformed_context_is_no_link(collector: Collector) -> None:
    with pytest.raises(ValueError, match="no"), traces.span("failed", None, {"job": None}, links=["zz-none"]):
        raise ValueError("no")
    failed = collector.one("failed")
    assert (failed.status.code, failed.parent_span_id, [*failed.attributes]) == (2, b"", [])
    assert not failed.links


def test_a_batch_of_several_leases_names_all_of_them(collector: Collector) -> None:
    with traces.span("first"):
        first = traces.traceparent()
    with traces.span("second"):
        second = traces.traceparent()
    assert first
    assert second
    with traces.span("batch", first, links=[second]):
        pass
    batch = collector.one("batch")
    assert batch.parent_span_id == collector.one("first").span_id
    assert [link.span_id for link in batch.links] == [collector.one("second").span_id]


def test_nothing_of_opentelemetry_is_imported_while_traces_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")  # how Compose passes on a variable that is not set
    code = """
import sys, api_gateway.app, workers.app
from prodgen import traces
traces.configure("gateway")
with traces.span("request"):
    assert traces.traceparent() is None
assert not {"opentelemetry.exporter", "opentelemetry.sdk.trace.export"} & {*sys.modules}
"""
    subprocess.run([sys.executable, "-c", code], check=True)
