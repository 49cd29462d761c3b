"""List the images of an order that could not be made, and why."""

from bisect import bisect_left

from pydantic import BaseModel

from prodgen.errors import Conflict
from prodgen.jobs.items import JobImages
from prodgen.jobs.record import JobRecord, load_state
from prodgen.ledger.ledger import Ledger
from prodgen.registry.versions import load_config, version_exists
from prodgen.spec.order import CELL, resolve_attributes
from prodgen.storage.base import Store


class Failure(BaseModel, frozen=True):
    """An image that could not be made.

    ``error`` is that of its ``cell``: another image of the cell may have caused it. ``attempts`` counts how
    often the cell was tried without other cells since the order, or its last retry. Null: not known.
    """

    index: int
    sku: str | None
    attributes: dict[str, str]
    photo: str | None
    cell: int
    attempts: int | None
    error: str | None


def failures(
    store: Store, ledger: Ledger, record: JobRecord, after: int = -1, limit: int = 100
) -> tuple[list[Failure], int | None]:
    """Return up to ``limit`` failed images above index ``after``, and the ``after`` of the next page.

    Raises Conflict if the model is removed, because the model decides which attributes each image has.
    """
    state = load_state(store, record)
    progress = None if state else ledger.progress(record.id)
    end, dead = state or progress, state.dead if state else ledger.dead(record.id)
    if end is None or not dead:
        return [], None
    if not version_exists(store, record.model_prefix):
        raise Conflict(
            f"{record.model} is removed, so failures of job {record.id} cannot be listed", param="job"
        )
    errors = state.errors if state else ledger.errors(record.id)
    indices = list[int]()
    for cell in dead[bisect_left(dead, (after + 1) // CELL) :]:
        indices += [index for index in record.indices(cell, 1) if index > after]
        if len(indices) > limit:
            break
    images = JobImages(store, record)
    schema = load_config(store, record.model_prefix).attributes
    page = list[Failure]()
    for image in resolve_attributes(schema, [images[index] for index in indices[:limit]]):
        cell = image.index // CELL
        known = errors.get(cell)
        page.append(
            Failure(
                index=image.index,
                sku=image.sku,
                attributes=image.attributes,
                photo=image.photo,
                cell=cell,
                attempts=known.attempts if known else None,
                error=known.error if known else end.error,
            )
        )
    return page, indices[limit - 1] if len(indices) > limit else None
