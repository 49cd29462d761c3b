"""The metrics for Prometheus: requests, orders, and the work that the queues hold."""

from collections.abc import Iterable
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from api_gateway.recent import Recent
from prodgen.errors import ProdgenError
from prodgen.ledger.entries import Queue
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.roster import Roster

QUEUES: tuple[Queue, ...] = get_args(Queue)
SECONDS = 1.0
"""Seconds for which the text of the metrics is used again: it costs seven calls of the ledger."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Metrics:
    """The metrics of one application. ``text`` is what Prometheus reads."""

    def __init__(self, ledger: Ledger) -> None:
        registry = CollectorRegistry()
        self.text = Recent(lambda: generate_latest(registry), lambda _: SECONDS)
        self.requests = Counter(
            "prodgen_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "prodgen_http_seconds", "Time to the end of the answer.", ["method", "route"], registry=registry
        )
        self.images = Counter(
            "prodgen_submitted_images", "Images of accepted orders.", ["queue"], registry=registry
        )
        registry.register(_Queues(ledger))

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. Unknown methods share one label, so that labels stay few."""
        method = method if method in METHODS else "OTHER"
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)


class _Queues(Collector):
    """Reads the ledger at each scrape. If the ledger is silent, returns only ``prodgen_ledger_up`` 0."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._roster = ledger, Roster(ledger)

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        images = GaugeMetricFamily("prodgen_backlog_images", "Images owed, not leased.", labels=["queue"])
        oldest = GaugeMetricFamily(
            "prodgen_backlog_oldest_seconds", "Age of the oldest waiting job.", labels=["queue"]
        )
        leases = GaugeMetricFamily("prodgen_leases", "Leases held by workers.", labels=["queue"])
        wanting = GaugeMetricFamily("prodgen_training_wanting", "Training runs that want nodes.")
        nodes = GaugeMetricFamily("prodgen_training_nodes", "Living training nodes.", labels=["state"])
        up = GaugeMetricFamily("prodgen_ledger_up", "Whether the ledger answers.", value=1)
        try:
            for backlog in map(self._ledger.backlog, QUEUES):
                images.add_metric([backlog.queue], backlog.images)
                oldest.add_metric([backlog.queue], backlog.oldest_seconds)
                leases.add_metric([backlog.queue], backlog.leases)
            busy = [node.run is not None for node in self._roster.nodes()]
            nodes.add_metric(["busy"], sum(busy))
            nodes.add_metric(["idle"], len(busy) - sum(busy))
            wanting.add_metric([], self._roster.backlog())
        except ProdgenError:
            return [GaugeMetricFamily(up.name, up.documentation, value=0)]
        return [images, oldest, leases, wanting, nodes, up]
