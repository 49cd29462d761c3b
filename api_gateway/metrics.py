"""The metrics for Prometheus: requests, orders, and the work that the queues hold."""

from collections import Counter as Counts
from collections.abc import Iterable
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from api_gateway.recent import Recent
from prodgen.errors import ProdgenError
from prodgen.ledger.entries import Queue
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.roster import Roster

QUEUES: tuple[Queue, ...] = get_args(Queue)
SECONDS = 1.0
"""Seconds for which the computed text of the metrics is sent again, because it needs six ledger calls."""
MODELS = 20
"""Number of models in each queue with a label of their own: the models with the most work.

There must be a limit, because tenants choose the names of their models.
"""
OTHERS, UNKNOWN = "others", "unknown"
"""Labels of all other models, and of jobs without a known model, which an older release has queued.

They cannot be models, because the label of a model contains an ``@``.
"""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Metrics:
    """The metrics of one application. ``text`` gives the page that Prometheus reads."""

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
        self.renders = Counter(
            "prodgen_renders", "Images sent by their addresses.", ["cache"], registry=registry
        )
        registry.register(_Queues(ledger))

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request and the ``seconds`` that it took. Unknown HTTP methods share the label OTHER."""
        method = method if method in METHODS else "OTHER"
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)


class _Queues(Collector):
    """Reads the ledger for each page of metrics. On an error, returns only ``prodgen_ledger_up`` 0."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._roster = ledger, Roster(ledger)

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("prodgen_ledger_up", "Whether the ledger answers.", value=1)
        try:
            return [*self._generating(), *self._training(), up]
        except ProdgenError:
            return [GaugeMetricFamily(up.name, up.documentation, value=0)]

    def _generating(self) -> list[Metric]:
        images = _gauge("prodgen_backlog_images", "Images owed, not leased.", "queue")
        seconds = _gauge("prodgen_backlog_seconds", "Seconds in which one worker makes them.", "queue")
        models = _gauge("prodgen_backlog_model_seconds", "The same by model.", "queue", "model")
        oldest = _gauge("prodgen_backlog_oldest_seconds", "Age of the oldest waiting job.", "queue")
        leases = _gauge("prodgen_leases", "Leases held by workers.", "queue")
        lost = CounterMetricFamily("prodgen_leases_lost", "Leases whose workers were lost.", labels=["queue"])
        rates = self._ledger.rates()
        for backlog in map(self._ledger.backlog, QUEUES):
            work = Counts({m or UNKNOWN: rates.seconds(m, n) for m, n in backlog.models.items()})
            images.add_metric([backlog.queue], backlog.images)
            seconds.add_metric([backlog.queue], work.total())
            for model, value in work.most_common(MODELS):
                models.add_metric([backlog.queue, model], value)
            if others := sum(value for _, value in work.most_common()[MODELS:]):
                models.add_metric([backlog.queue, OTHERS], others)
            oldest.add_metric([backlog.queue], backlog.oldest_seconds)
            leases.add_metric([backlog.queue], backlog.leases)
            lost.add_metric([backlog.queue], backlog.lost)
        workers = GaugeMetricFamily("prodgen_workers", "Living generating workers.", value=rates.workers)
        shut_out = GaugeMetricFamily(
            "prodgen_machines_shut_out",
            "Machines that get no work after an audit.",
            value=self._ledger.count_shut_out(),
        )
        return [images, seconds, models, oldest, leases, lost, workers, shut_out]

    def _training(self) -> list[Metric]:
        nodes = _gauge("prodgen_training_nodes", "Living training nodes.", "state")
        busy = [node.run is not None for node in self._roster.nodes()]
        nodes.add_metric(["busy"], sum(busy))
        nodes.add_metric(["idle"], len(busy) - sum(busy))
        wanting = self._roster.backlog()
        return [
            GaugeMetricFamily("prodgen_training_wanting", "Training runs that want nodes.", value=wanting),
            nodes,
        ]


def _gauge(name: str, about: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, labels=labels)
