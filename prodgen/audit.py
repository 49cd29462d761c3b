"""Audit an ended job: make a random sample of its images again, and compare them with those in the store.

A dishonest worker may store wrong pictures, with manifest lines that describe the wrong pictures. So an audit
makes the images by the order, and not by the manifest.
"""

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from prodgen.errors import ProdgenError, Unavailable
from prodgen.generation.engine import Engine
from prodgen.generation.quality import measure_generated
from prodgen.generation.request import Request, manifest_line
from prodgen.generation.verify import compare
from prodgen.jobs import delivery
from prodgen.jobs.audits import Piece, queue_pieces
from prodgen.jobs.control import retry_job, withdraw
from prodgen.jobs.items import JobImages
from prodgen.jobs.machines import is_one_byte_off, machine_of, shut_out
from prodgen.jobs.manifests import Manifest, merkle_root, published_whole
from prodgen.jobs.record import JobRecord, load_record, load_state
from prodgen.jobs.uploads import delete_cut_outs, read_upload
from prodgen.ledger.entries import JobState
from prodgen.ledger.ledger import Ledger
from prodgen.models import SavedModel
from prodgen.photographs.studio import Studio
from prodgen.photographs.verify import remake
from prodgen.settings import Settings
from prodgen.spec.finish import file_name
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.merkle import leaf
from prodgen.spec.model_config import ModelConfig
from prodgen.spec.order import ImageRequest, resolve_attributes
from prodgen.spec.photograph import photos_of
from prodgen.spec.provenance import read_provenance
from prodgen.spec.quality import ATTEMPTS, Quality
from prodgen.spec.redrawing import Start
from prodgen.storage import keys
from prodgen.storage.base import Store

_BATCH = 256
_OTHER_LINE = "the manifest's line is not that of the ordered image"


@dataclass(frozen=True)
class Fault:
    """A fault of an image: a text that says the fault, and the folder of the lease that made the image.

    ``damaged``: no machine is blamed, since the store may be at fault.
    """

    index: int
    folder: str
    what: str
    damaged: bool = False


class _Recorded(NamedTuple):
    """The manifest line of an image, or None if nothing of it can be read.

    ``broken``: why the line cannot be read, or None. If it is set, only those fields of ``line`` are right
    that are part of the line's leaf in the Merkle tree.
    """

    line: ManifestLine | None
    broken: str | None = None


def changed_since(store: Store, state: JobState, manifests: list[Manifest]) -> str | None:
    """Return how the published manifests differ from the manifests at the job's end, or None if equal."""
    images = sum(manifest.images for manifest in manifests)
    if images != state.done:
        return f"the manifests list {images} images, but {state.done} were made"
    if state.root and merkle_root(store, manifests) != state.root:
        return "the manifests were changed after the job's end: they do not have its Merkle root"
    return None


def check_sample(
    store: Store, record: JobRecord, model: SavedModel | Studio, engine: Engine, sample: list[tuple[int, str]]
) -> Iterator[Fault | None]:
    """Make each image of the sample again and compare it. Yields its fault, or None if the image is right.

    Of a deleted image, only the manifest line is compared. Photographs are cut out anew, because a worker may
    have stored wrong cut-outs; raises ProdgenError if one was deleted.

    ``sample``: for each image, its index and the folder of the lease that made it.
    """
    orders, spec = JobImages(store, record), record.spec
    make = remake(model, partial(read_upload, store, record.tenant)) if isinstance(model, Studio) else None
    for start in range(0, len(sample), _BATCH):
        batch = sample[start : start + _BATCH]
        lines = [_recorded(store, record, index) for index, _ in batch]
        asked = [
            _as_started(orders[index], line, model.config)
            for (index, _), line in zip(batch, lines, strict=True)
        ]
        images = resolve_attributes(model.config.attributes, asked)
        if record.quality and isinstance(model, SavedModel):
            images = _as_recorded(record, record.quality, model, engine, images, lines)
        marks = spec.output.marks != "none"
        request = Request(model, images, spec.truncation, spec.finish, spec.output.format, marks=marks)
        made = make(request) if make else ((file, None, None) for file in engine.submit(request))
        for (_, folder), line, image, remade in zip(batch, lines, images, made, strict=True):
            wanted = manifest_line(request, image, *remade)
            yield _compare(store, record, folder, line, wanted, remade[0], model.config.tolerance)


def _recorded(store: Store, record: JobRecord, index: int) -> _Recorded:
    """Return the manifest line of an image. Raises Unavailable if the store does not answer."""
    try:
        return _Recorded(delivery.find_image(store, record, index))
    except Unavailable:
        raise
    except ProdgenError as error:
        return _Recorded(_of_leaf(delivery.leaf_at(store, record, index)), str(error))


def _of_leaf(text: bytes) -> ManifestLine | None:
    """Return the manifest line that has the leaf ``text``, or None if ``text`` is not a leaf.

    A leaf does not say where the image is stored, so ``file`` is "".
    """
    with suppress(ValueError):
        line = ManifestLine.model_validate_json(text.removesuffix(b"}") + b',"file":""}')
        if leaf(line) == text:
            return line
    return None


def _as_started(image: ImageRequest, recorded: _Recorded, config: ModelConfig) -> ImageRequest:
    """Return an image that starts from a picture with the start in its manifest line.

    The latent is believed, since another search may find another one; the picture and the strength are not.
    Leaves the image unchanged if no search of the model can have found the start, so that it differs.
    """
    start = recorded.line and recorded.line.picture
    if image.picture and start and image.picture.sha256 == start.sha256 and _fits(start, config):
        return image.started(start.model_copy(update={"strength": image.picture.strength}))
    return image


def _fits(start: Start, config: ModelConfig) -> bool:
    """Return whether a start has a latent and attributes with which the model can make an image."""
    schema, own = config.attributes, start.attributes
    with suppress(ProdgenError):
        spelled = schema.parse({**own}) == {name: [value] for name, value in own.items()}
        complete = own.keys() == {attribute.name for attribute in schema.attributes}
        return spelled and complete and len(start.latent) == config.latent_dim
    return False


def _as_recorded(
    record: JobRecord,
    quality: Quality,
    model: SavedModel,
    engine: Engine,
    images: list[ImageRequest],
    recorded: list[_Recorded],
) -> list[ImageRequest]:
    """Return the images, each with the attempt that its manifest line names.

    Machines measure a colour a little differently, so where a distance is near the threshold, the quality
    gate of another machine may choose another attempt. Leaves an image unchanged if no quality gate can have
    chosen the attempt in its line.
    """
    gates = [line.quality if line else None for line, _ in recorded]
    found, tries = list(images), dict[int, list[ImageRequest]]()
    for k, (image, gated) in enumerate(zip(images, gates, strict=True)):
        if gated and len(gated.colour_distances) <= ATTEMPTS:
            made = range(len(gated.colour_distances))
            tries[k] = [replace(image, attempt=image.attempt + number) for number in made]
    every = [one for several in tries.values() for one in several]
    distances = iter(measure_generated(model, engine.forward, every, record.spec.truncation))
    for k, several in tries.items():
        gated, measured = gates[k], [next(distances) for _ in several]
        if gated and gated.is_plausible(quality, measured):
            found[k] = replace(images[k], attempt=images[k].attempt + gated.place, gated=gated)
    return found


def _compare(
    store: Store,
    record: JobRecord,
    folder: str,
    recorded: _Recorded,
    wanted: ManifestLine,
    remade: bytes,
    tolerance: int,
) -> Fault | None:
    """Compare a stored image with the same image made again. Returns its fault, or None.

    ``recorded``: the manifest line of the stored image. ``wanted`` and ``remade``: the right line, and the
    right file. ``tolerance``: the largest allowed difference of a pixel.
    """

    def fault(what: str, damaged: bool = False) -> Fault:
        return Fault(wanted.index, folder, what, damaged)

    line, broken = recorded
    if line is None:
        return fault(broken or _OTHER_LINE)
    if wanted.upscaler and line.upscaler != wanted.upscaler:  # an update brings another: no lie
        return fault(f"its upscaler was {line.upscaler}, and {wanted.upscaler} is here", damaged=True)
    judged = {"review": line.review, "findings": line.findings} if wanted.photo else {}
    if leaf(wanted.model_copy(update={"sha256": line.sha256, **judged})) != leaf(line):
        return fault(_OTHER_LINE)
    # The root does not cover the rest of a line, so the store may be to blame for that.
    if broken:
        return fault(broken, damaged=True)
    of_lease, name = keys.job(record.tenant, record.id, "cells", folder), line.object or ""
    own = f"{of_lease}.tar", f"{of_lease}/{file_name(line.index, line.format)}"
    if name not in own:
        rotten = any(is_one_byte_off(name, key) for key in own)
        return fault("the manifest's line names the object of another image", rotten)
    if line.file != wanted.file:
        rotten = is_one_byte_off(line.file, wanted.file)
        return fault("the manifest's line names the file of another image", rotten)
    if line.deleted:
        return None
    try:
        stored = delivery.read_image(store, line)
    except Unavailable:
        raise
    except ProdgenError:
        stored = None
    if what := compare(line, stored, remade, tolerance):
        return fault(what, stored is None or sha256(stored).hexdigest() != line.sha256)
    if read_provenance(io.BytesIO(stored or b"")) != read_provenance(io.BytesIO(remade)):
        return fault("the file's marks are not those of the image")
    if (line.review, line.findings) != (wanted.review, wanted.findings):
        return fault("the reasons to look at the picture are other ones here")
    return None


def mend(
    store: Store,
    ledger: Ledger,
    settings: Settings,
    record: JobRecord,
    manifests: list[Manifest],
    faults: list[Fault],
    changed: str | None,
) -> tuple[list[str], int]:
    """Shut out each machine that made a faulty image, and owe all images of the machine in this job again.

    A damaged file shuts out no machine: only the lease of the file is owed again. Nor does a picture of a
    photograph, because another worker may have stored a wrong cut-out, which is deleted. ``changed``: what
    `changed_since` returned; unless it is None, no machine is shut out. Returns the machines that are shut
    out, and the number of images that are owed again.
    """
    why = faults[0].what if faults else "manifests are missing or cannot be read"
    lies = () if changed or record.photographs else [fault for fault in faults if not fault.damaged]
    machines = sorted(filter(None, {machine_of(fault.folder) for fault in lies}))
    for machine in machines:
        shut_out(store, ledger, machine, record.id, why)
    if record.photographs:
        images = JobImages(store, record)
        for photo in {one for fault in faults for one in photos_of(images[fault.index].photo or "")}:
            delete_cut_outs(store, record.tenant, photo)
    folders = {manifest.folder for manifest in manifests if machine_of(manifest.folder) in machines}
    folders |= {fault.folder for fault in faults}
    count = withdraw(store, ledger, record, folders, f"an audit: {why}")
    retry_job(store, ledger, settings, record.tenant, record.id)
    return machines, count


def audit_piece(
    store: Store,
    ledger: Ledger,
    settings: Settings,
    piece: Piece,
    machine: str,
    model: SavedModel | Studio,
    engine: Engine,
) -> list[Fault]:
    """Make the images of a piece again on ``machine``, and return the faults that it finds.

    The machine that finds faults may itself be wrong. So the first such machine accuses the other one, and a
    third machine decides which of the two is shut out. None is shut out for pictures of photographs, but if
    the third machine finds them wrong too, they are made again. Returns [] for a job without an end: it is
    being retried, so its images are made again already.
    """
    record = load_record(store, piece.tenant, piece.job)
    if load_state(store, record) is None:
        return []
    faults = [fault for fault in check_sample(store, record, model, engine, piece.images) if fault]
    state = load_state(store, record)
    manifests = published_whole(store, record)
    standing = {manifest.folder for manifest in manifests}
    if state is None or not standing.issuperset(folder for _, folder in piece.images):
        return []  # images were taken back or deleted meanwhile
    if not piece.accuser and not all(fault.damaged for fault in faults):
        images = [(fault.index, fault.folder) for fault in faults]
        queue_pieces(ledger, [piece.model_copy(update={"images": images, "accuser": machine})])
    elif faults:
        mend(store, ledger, settings, record, manifests, faults, changed_since(store, state, manifests))
    elif piece.accuser and not record.photographs:
        shut_out(
            store, ledger, piece.accuser, record.id, "it found images wrong that two machines make alike"
        )
    return faults
