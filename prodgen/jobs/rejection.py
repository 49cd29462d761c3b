"""Make rejected images of an order again: place a small order for the next attempt at each rejected image.

The ledger counts each image of an order once, so the order itself, its root and its archive do not change.
The new order names the images that it replaces, and an empty object in the folder of the first order names
each replacement. Readers ignore it until the new image is made.
"""

from collections.abc import Sequence

from prodgen.errors import NotFound, ProdgenError
from prodgen.jobs.delivery import find_image, replacements
from prodgen.jobs.limits import INTERACTIVE_IMAGES
from prodgen.jobs.record import JobRecord, Replaces, find_record, load_control
from prodgen.jobs.submission import resubmit, submit
from prodgen.ledger.ledger import Ledger
from prodgen.settings import Settings
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.names import stable_id
from prodgen.spec.order import Item, JobSpec, Latent
from prodgen.storage import keys
from prodgen.storage.base import Store, in_threads


def reject_images(
    store: Store,
    ledger: Ledger,
    settings: Settings,
    record: JobRecord,
    indices: Sequence[int],
    idempotency_key: str,
    *,
    request_id: str | None = None,
) -> tuple[JobRecord, bool]:
    """Order the next attempt at the images ``indices`` of an order.

    Returns the job that makes them, and whether this call has created it. Raises NotFound for an image that
    is not made yet, and ProdgenError for pictures of photographs, which are the same in every attempt.
    """
    if record.photographs:
        raise ProdgenError(
            "pictures of photographs are the same in every attempt; order other colours or scenes",
            param="images",
        )
    replaces = Replaces(job=record.id, images=sorted(set(indices)))
    job, before = stable_id(record.tenant, idempotency_key), replacements(store, record)
    lines = list(in_threads(lambda index: _line(store, record, index), replaces.images))
    tried = {index: max(one.attempt for one in several) for index, several in before.items()}
    attempts = [tried.get(line.index, line.attempt) + 1 for line in lines]
    earlier = find_record(store, record.tenant, job)
    if earlier is None:
        spec = _order(store, record, [_item(*pair) for pair in zip(lines, attempts, strict=True)])
        again, new = submit(
            store,
            ledger,
            settings,
            record.tenant,
            spec,
            idempotency_key,
            request_id=request_id,
            replaces=replaces,
        )
    else:
        again, new = resubmit(store, ledger, earlier, same=earlier.replaces == replaces), False
    if job not in {one.job for several in before.values() for one in several}:
        for place, (line, attempt) in enumerate(zip(lines, attempts, strict=True)):
            key = keys.replacement(record.tenant, record.id, line.index, attempt, job, place)
            store.put(key, b"", "text/plain")
    return again, new


def _line(store: Store, record: JobRecord, index: int) -> ManifestLine:
    found = find_image(store, record, index)
    if found is None:
        raise NotFound(f"job {record.id} has no finished image {index}", param="images")
    if found.deleted:
        raise NotFound(f"image {index} of job {record.id} was deleted", param="images")
    if found.picture:
        raise ProdgenError(
            "an image that starts from a picture is the same in every attempt; order another strength",
            param="images",
        )
    return found


def _item(line: ManifestLine, attempt: int) -> Item:
    latent = Latent(seed=line.seed, draw=line.draw, attempt=attempt)
    return Item(
        sku=line.sku or f"image {line.index}", attributes={**line.attributes}, latent=latent, mix=line.mix
    )


def _order(store: Store, record: JobRecord, items: list[Item]) -> JobSpec:
    """Return an order of ``items`` with the version, finish, output and title of the order ``record``."""
    spec = record.spec
    return JobSpec(
        model=record.model,
        items=items,
        truncation=spec.truncation,
        finish=spec.finish,
        output=spec.output.model_copy(update={"packaging": record.packaging}),
        priority="interactive" if len(items) <= INTERACTIVE_IMAGES else "bulk",
        keep=record.kept(load_control(store, record)),
        title=spec.title,
    )
