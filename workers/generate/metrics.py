"""The metrics of a generating worker, which it serves to Prometheus at ``/metrics``."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from prometheus_client import Counter, Gauge, Histogram

from prodgen import traces

MODELS = 50
"""The maximum number of models in ``prodgen_worker_images_total``: those whose images were made last.

Without a maximum the metric could grow for ever, because tenants choose the names of models.
"""

_images = Counter("prodgen_worker_images_total", "Images that this worker made and that count.", ["model"])
_recent: OrderedDict[str, None] = OrderedDict()
leases_ended = Counter(
    "prodgen_worker_leases_total", "Leases of this worker, by how they ended.", ["outcome"]
)
failures = Counter("prodgen_worker_failures_total", "Leases that this worker could not make.", ["kind"])
for kind in ("images", "device", "memory", "disk", "service"):
    failures.labels(kind)  # so that an alert on a rate sees the first failure
audited = Counter(
    "prodgen_worker_audited_images_total", "Images of other machines that were made again.", ["outcome"]
)
for found in ("same", "wrong"):
    audited.labels(found)
stage_seconds = Histogram(
    "prodgen_worker_stage_seconds",
    "Time of each stage: forward and finish once a batch, encode once a chunk, the others once a lease.",
    ["stage"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)
batch_fill = Histogram(
    "prodgen_worker_batch_fill",
    "Images of a batch, as a share of the batch size that is fastest for the model.",
    buckets=(0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1),
)


def count_images(model: str, images: int) -> None:
    """Count images of a model. If more than `MODELS` models are counted, forgets the least recent one."""
    _images.labels(model).inc(images)
    _recent[model] = None
    _recent.move_to_end(model)
    if len(_recent) > MODELS:
        _images.remove(_recent.popitem(last=False)[0])


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Measure the seconds of the block as a stage of a lease, and make the block a span."""
    with stage_seconds.labels(name).time(), traces.span(f"lease.{name}"):
        yield


def observe(what: str, value: float) -> None:
    """Record a measurement of the engine.

    ``what``: ``fill``, for the fill of a batch, or the name of a stage, for its seconds.
    """
    if what == "fill":
        batch_fill.observe(value)
    else:
        stage_seconds.labels(what).observe(value)


def export_device_memory() -> None:
    """Add the GPU's memory to the metrics, measured when Prometheus reads it. Does nothing without a GPU."""
    if not torch.cuda.is_available():
        return
    memory = Gauge("prodgen_worker_device_memory_bytes", "Memory of the GPU.", ["state"])
    memory.labels("total").set(torch.cuda.mem_get_info()[1])
    memory.labels("free").set_function(lambda: torch.cuda.mem_get_info()[0])
    memory.labels("allocated").set_function(torch.cuda.memory_allocated)
    memory.labels("reserved").set_function(torch.cuda.memory_reserved)
