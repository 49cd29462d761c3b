"""The diff of an order: its images beside those of the same order by another version of the model.

Image k of one order is compared with image k of the other. The choices of people are stored in the folder of
the newer order, and are deleted with that order.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Literal, NamedTuple

from pydantic import BaseModel

from prodgen.errors import NotFound, ProdgenError
from prodgen.jobs import delivery
from prodgen.jobs.items import read_items
from prodgen.jobs.record import JobRecord, find_record
from prodgen.jobs.submission import submit
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import CHANGING, lock
from prodgen.registry.versions import resolve
from prodgen.settings import Settings
from prodgen.spec.change import measure_change
from prodgen.spec.manifest import ManifestLine
from prodgen.storage import keys
from prodgen.storage.base import Store, in_threads

Choice = Literal["new", "old"]
"""The picture of a pair that people want: the picture of the newer or of the older order."""


class Choices(BaseModel, frozen=True):
    """choices/{older job}.json: choices by the index of the pair. A pair without a choice is undecided."""

    choices: dict[int, Choice] = {}


class Pair(NamedTuple):
    """The pictures of one product by the older and by the newer order."""

    old: ManifestLine
    new: ManifestLine


def order_again(
    store: Store,
    ledger: Ledger,
    settings: Settings,
    record: JobRecord,
    model: str,
    idempotency_key: str,
    *,
    request_id: str | None = None,
) -> tuple[JobRecord, bool]:
    """Place the order ``record`` again with the version ``model``. Returns its job, and whether that is new.

    The new job has no deadline and no webhook. Raises ProdgenError if the version cannot make the order, if
    the order is by this version already, and for an order that replaces rejected images.
    """
    if resolve(store, model, record.tenant).id == record.model:
        raise ProdgenError(
            f"job {record.id} is by {record.model} already; name another version", param="model"
        )
    if record.replaces:
        raise ProdgenError(
            f"job {record.id} makes rejected images of job {record.replaces.job}; order that job again"
        )
    items = read_items(store, record) if record.items and not record.spec.upload else None
    changes = {"model": model, "items": items, "finish_by": None, "webhook": None}
    spec = record.spec.model_copy(update=changes)
    services = (store, ledger, settings)
    made = submit(*services, record.tenant, spec, idempotency_key, request_id=request_id, again_of=record.id)
    store.put(keys.job(record.tenant, record.id, "again", made[0].id), b"", "text/plain")
    return made


def orders_again(store: Store, record: JobRecord) -> Iterator[JobRecord]:
    """Yield the jobs that repeat the order ``record`` with another version. Skips deleted jobs."""
    for name in store.names(keys.job(record.tenant, record.id, "again/")):
        if found := find_record(store, record.tenant, name):
            yield found


def pairs(
    store: Store, old: JobRecord, new: JobRecord, after: int = -1, limit: int = 100
) -> tuple[list[Pair], int | None]:
    """Return up to ``limit`` pairs above index ``after``, and the ``after`` of the next page, if any.

    Skips an image that one of the orders has not made. A pair has the newest replacement of a rejected image.
    Raises ProdgenError unless both are orders of the same products.
    """
    if old.id == new.id or old.total != new.total:
        raise ProdgenError(
            f"job {new.id} is not job {old.id} by another version; compare two orders of the same products",
            param="other",
        )
    theirs, following = delivery.page(store, new, after, limit, newest=True)
    if not theirs:
        return [], following
    ours: dict[int, ManifestLine] = {}
    for _, numbered in groupby(enumerate(theirs), lambda one: one[1].index - one[0]):  # indices without a gap
        run = [line.index for _, line in numbered]
        before, _ = delivery.page(store, old, run[0] - 1, len(run), newest=True)
        ours |= {line.index: line for line in before}
    found = [Pair(ours[line.index], line) for line in theirs if line.index in ours]
    for one in found:
        if one.old.sku != one.new.sku:
            raise ProdgenError(
                f"image {one.new.index} is of {one.old.sku} in one job and of {one.new.sku} in the other; "
                "compare two orders of the same products",
                param="other",
            )
    return found, following


def measure(
    store: Store, old: JobRecord, new: JobRecord, found: Sequence[Pair]
) -> Sequence[tuple[float, float]]:
    """Return how much each pair has changed; see `measure_change`. Measures each page of pairs only once.

    The results are stored in the folder of the newer order, under a digest of the pictures of the page.
    """
    pictures = "".join(one.sha256 for pair in found for one in pair)
    name = f"{hashlib.sha256(pictures.encode()).hexdigest()[:32]}.json"
    key = keys.job(new.tenant, new.id, "changes", old.id, name)
    with suppress(NotFound):
        return [(change, colour) for change, colour in json.loads(store.get(key))]
    measured = list(
        in_threads(lambda pair: measure_change(*(delivery.read_image(store, one) for one in pair)), found)
    )
    if measured:
        store.put(key, json.dumps(measured).encode(), "application/json")
    return measured


def load_choices(store: Store, old: JobRecord, new: JobRecord) -> dict[int, Choice]:
    """Return the choices that people have made, by the index of the pair."""
    with suppress(NotFound):
        return Choices.model_validate_json(store.get(_key(old, new))).choices
    return {}


def choose(
    store: Store, ledger: Ledger, old: JobRecord, new: JobRecord, images: Iterable[int], choice: Choice | None
) -> dict[int, Choice]:
    """Record a choice for the pairs ``images`` (None: undecided again). Return all choices, by index.

    Raises NotFound for an index that the order does not have.
    """
    with lock(ledger, new.id, CHANGING):
        choices = load_choices(store, old, new)
        for index in images:
            if not 0 <= index < new.total:
                raise NotFound(f"job {new.id} has no image {index}", param="images")
            if choice:
                choices[index] = choice
            else:
                choices.pop(index, None)
        data = Choices(choices=choices).model_dump_json().encode()
        store.put(_key(old, new), data, "application/json")
    return choices


def _key(old: JobRecord, new: JobRecord) -> str:
    return keys.job(new.tenant, new.id, "choices", f"{old.id}.json")
