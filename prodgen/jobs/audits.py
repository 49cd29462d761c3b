"""Choose the images of an ended job that an audit makes again, and queue them for workers of other machines.

Redis holds the queue. An audit is a sample, so pieces that are lost with Redis, or with the worker that makes
them, are not made again.
"""

import logging
import random
import secrets
from collections.abc import Iterable
from itertools import groupby

from pydantic import BaseModel

from prodgen.jobs.machines import machine_of
from prodgen.jobs.manifests import Manifest, published_whole
from prodgen.jobs.record import JobRecord
from prodgen.ledger.entries import JobState
from prodgen.ledger.ledger import Ledger
from prodgen.spec.order import CELL
from prodgen.storage.base import Store

log = logging.getLogger(__name__)

PIECE = 64
"""The most images of a piece: a fraction of a second of work, so that orders do not wait for audits."""
PHOTO_PIECE = 8
"""The same for pictures of photographs, each of which may need a cut-out of half a second or more."""
MOST = 2000
"""The most pieces in the queue, which take 10 MB of Redis. The oldest pieces beyond it are dropped."""


class Piece(BaseModel, frozen=True):
    """Images of a job that one worker makes again. ``images``: the index and the lease's folder of each.

    ``accuser``: the machine that made the images again and found all of them wrong; None if no machine has.
    ``refused``: the machines that cannot make the images, because they lack something, such as the cutter.
    """

    tenant: str
    job: str
    images: list[tuple[int, str]]
    accuser: str | None = None
    refused: tuple[str, ...] = ()


def choose_sample(manifests: list[Manifest], count: int, seed: str) -> list[tuple[int, str]]:
    """Choose ``count`` random images, or all if there are fewer. Return their indices and lease folders.

    Every image has the same chance, and the same seed chooses the same images. The images are in the order in
    which ``manifests`` has them.
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
        found.append((manifest.first * CELL + number - ends[at] + manifest.images, manifest.folder))
    return found


def queue_audit(store: Store, ledger: Ledger, record: JobRecord, state: JobState, share: float) -> int:
    """Queue an audit of a ``share`` (0 to 1) of an ended job's images. Returns the number of audited images.

    If the share is 2.3 images, two or, by chance, three are audited, so that small jobs are audited too. No
    audit is queued for a cancelled job.
    """
    size = PHOTO_PIECE if record.photographs else PIECE
    count = int(state.done * share + secrets.randbelow(1 << 32) / (1 << 32))
    count = min(count, MOST * size)
    if not count or state.state == "cancelled":
        return 0
    seed = secrets.token_hex(8)
    sample = choose_sample(published_whole(store, record), count, seed)
    log.info("job %s: %d images are made again by an audit with the seed %s", record.id, len(sample), seed)
    pieces = list[Piece]()
    for _, images in groupby(sorted(sample, key=_machine), _machine):
        of_machine = list(images)
        for start in range(0, len(of_machine), size):
            piece = Piece(tenant=record.tenant, job=record.id, images=of_machine[start : start + size])
            pieces.append(piece)
    queue_pieces(ledger, pieces)
    return len(sample)


def queue_pieces(ledger: Ledger, pieces: Iterable[Piece]) -> None:
    """Queue pieces. A piece never goes to the machine that made its images, its ``accuser``, or a refuser."""
    texts = (f"{','.join(_not_for(one))} {one.model_dump_json()}" for one in pieces)
    ledger.queue_audits(texts, MOST)


def _not_for(piece: Piece) -> list[str]:
    return [_machine(piece.images[0]), *filter(None, (piece.accuser, *piece.refused))]


def take_piece(ledger: Ledger, worker: str) -> tuple[Piece, str] | None:
    """Take a piece from the queue for a worker.

    Returns the piece and the name of the worker's machine, or None if there is no piece for the worker.
    """
    if found := ledger.take_audit(worker):
        text, machine = found
        return Piece.model_validate_json(text.partition(" ")[2]), machine
    return None


def _machine(image: tuple[int, str]) -> str:
    return machine_of(image[1]) or "unknown"
