"""Audit an ended job: make a random sample of its images again, and compare them with those in the store.

A worker that lies may store other pictures, with manifest lines that fit them. So an audit makes the images
that were ordered, and not those that the manifest describes.
"""

import io
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from prodgen.errors import NotFound, ProdgenError, Unavailable
from prodgen.generation.engine import Engine
from prodgen.generation.request import Request, manifest_line
from prodgen.generation.verify import compare
from prodgen.jobs import delivery
from prodgen.jobs.items import JobImages
from prodgen.jobs.manifests import Manifest, merkle_root
from prodgen.jobs.record import JobRecord
from prodgen.ledger.entries import JobState
from prodgen.models import SavedModel
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.merkle import leaf
from prodgen.spec.order import CELL, resolve_attributes
from prodgen.spec.provenance import read_provenance
from prodgen.storage import keys
from prodgen.storage.base import Store

_BATCH = 256


@dataclass(frozen=True)
class Fault:
    """The fault of an image, and the folder of the lease that made it.

    ``damaged``: the file is not the one that the lease recorded, so the store may be to blame.
    """

    index: int
    folder: str
    what: str
    damaged: bool = False


def changed_since(store: Store, state: JobState, manifests: list[Manifest]) -> str | None:
    """Return how the published manifests differ from those of the job's end, or None."""
    images = sum(manifest.images for manifest in manifests)
    if images != state.done:
        return f"the manifests list {images} images, but {state.done} were made"
    if state.root and merkle_root(store, manifests) != state.root:
        return "the manifests were changed after the job's end: they do not have its Merkle root"
    return None


def choose_sample(manifests: list[Manifest], count: int, seed: str) -> list[tuple[int, Manifest]]:
    """Return ``count`` images, or all if there are fewer: their indices and manifests, in order.

    Every image has the same chance. The same seed chooses the same images.
    """
    ends, total = [], 0
    for manifest in manifests:
        total += manifest.images
        ends.append(total)
    chosen = sorted(random.Random(seed).sample(range(total), min(count, total)))  # noqa: S311
    found, at = [], 0
    for number in chosen:
        while number >= ends[at]:
            at += 1
        manifest = manifests[at]
        found.append((manifest.first * CELL + number - ends[at] + manifest.images, manifest))
    return found


def check_sample(
    store: Store, record: JobRecord, model: SavedModel, engine: Engine, sample: list[tuple[int, Manifest]]
) -> Iterator[Fault | None]:
    """Make each image of the sample again, and yield what is wrong with it, or None if nothing is."""
    orders, spec = JobImages(store, record), record.spec
    for start in range(0, len(sample), _BATCH):
        batch = sample[start : start + _BATCH]
        images = resolve_attributes(model.config.attributes, [orders[index] for index, _ in batch])
        marks = spec.output.marks != "none"
        request = Request(model, images, spec.truncation, spec.finish, spec.output.format, marks=marks)
        for (_, manifest), image, remade in zip(batch, images, engine.submit(request), strict=True):
            wanted = manifest_line(request, image, remade)
            yield _compare(store, record, manifest, wanted, remade, model.config.tolerance)


def _compare(
    store: Store,
    record: JobRecord,
    manifest: Manifest,
    wanted: ManifestLine,
    remade: bytes,
    tolerance: int,
) -> Fault | None:
    """Return what is wrong with the stored image whose line should be ``wanted``, or None if nothing is."""

    def fault(what: str, damaged: bool = False) -> Fault:
        return Fault(wanted.index, manifest.folder, what, damaged)

    try:
        lines, _ = delivery.page(store, record, wanted.index - 1, 1)
    except Unavailable:
        raise
    except ProdgenError as error:
        return fault(str(error))
    if not lines or leaf(lines[0].model_copy(update={"sha256": wanted.sha256})) != leaf(wanted):
        return fault("the manifest's line is not that of the ordered image")
    line, stored = lines[0], None
    folder = keys.job(record.tenant, record.id, "cells", manifest.folder)
    if line.object != f"{folder}.tar" and not (line.object or "").startswith(f"{folder}/"):
        return fault("the manifest's line names an object of another lease")
    with suppress(NotFound):
        stored = store.get(line.object or "", line.offset or 0, line.length)
    if what := compare(line, stored, remade, tolerance):
        return fault(what, stored is None or sha256(stored).hexdigest() != line.sha256)
    if read_provenance(io.BytesIO(stored or b"")) != read_provenance(io.BytesIO(remade)):
        return fault("the file's marks are not those of the image")
    return None
