"""Versions are removed, with whatever of their content no other data set of the tenant needs.

A version means nothing any more once its manifest is a note of what is going (``{version}-removed.json``).
Then its chunks go, its list of files last, then the note: what breaks off half way goes on when it is asked
for again.

Whoever makes a version holds the same lock while it looks for the chunks and writes the manifest. A removal
looks at the manifests again in every lock in which it deletes, so that a version is made with all its chunks
there and they stay, or it is not made. Each lock is short: others get theirs in between.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from prodgen.datasets.chunks import find_chunks
from prodgen.datasets.listing import read_listing
from prodgen.datasets.lock import Lock
from prodgen.datasets.versions import Dataset, find_manifests, load, manifests
from prodgen.errors import Conflict, NotFound, ProdgenError
from prodgen.storage import keys
from prodgen.storage.base import Store

BATCH = 2000
"""Chunks that one lock deletes."""
PAUSE = 0.2
"""Seconds between two turns: others look ten times a second whether it is theirs."""
LATELY = timedelta(hours=1)
"""What was sent again so lately, after the version was made, was sent for something else: an order, say."""
_NOTE = "-removed"


class Removed(NamedTuple):
    """The versions that are gone, and the bytes that this made free."""

    versions: list[str]
    bytes: int


def remove_dataset(
    store: Store, tenant: str, ref: str, lock: Lock, check: Callable[[Sequence[Dataset]], None]
) -> Removed:
    """Remove ``name@version``, or all versions of ``name``, with what only they need of the uploads.

    ``lock`` is the tenant's `dataset_lock`; ``check`` raises Conflict, nothing removed, if a version must
    stay. Raises NotFound, which lists what there is.
    """
    if ref.endswith("@"):
        raise ProdgenError(f"{ref!r} ends before the version; all of them are {ref[:-1]!r}", param="dataset")
    with lock():
        going = _set_aside(store, tenant, ref, check)
    freed = _sweep(store, tenant, going, lock)
    store.delete([_note(dataset) for dataset in going])
    return Removed([dataset.id for dataset in going], freed)


def _set_aside(
    store: Store, tenant: str, ref: str, check: Callable[[Sequence[Dataset]], None]
) -> list[Dataset]:
    """Let the versions mean nothing -> they, and what a removal has left; ``created`` is the store's word."""
    try:
        found = find_manifests(store, tenant, ref)
        left = _left(store, tenant, ref)
    except NotFound:
        found, left = [], _left(store, tenant, ref)
        if not left:
            raise
    going = [d.model_copy(update={"created": info.modified}) for info in found for d in load(store, [info])]
    check(going)
    for dataset in going:
        store.put(_note(dataset), dataset.model_dump_json().encode(), "application/json")
        judges = f"{keys.judges(tenant, dataset.name)}{dataset.version}-"
        store.delete([info.key for info in store.list(judges)])
    store.delete([info.key for info in found])
    return [*{dataset.version: dataset for dataset in [*left, *going]}.values()]


def _sweep(store: Store, tenant: str, going: list[Dataset], lock: Lock) -> int:
    """Delete what nobody needs of their content -> the bytes of it."""
    doomed: dict[str, datetime] = {}
    for dataset in sorted(going, key=lambda dataset: dataset.created):
        doomed[dataset.listing] = dataset.created
        with suppress(NotFound):  # all else went before the list
            doomed |= dict.fromkeys(_content(store, dataset, broken=True), dataset.created)
    seen = set[str]()
    _spare(store, tenant, doomed, seen)  # most of it now, while nobody has to wait
    lists = {dataset.listing for dataset in going}
    chunks = sorted(doomed.keys() - lists)
    freed = 0
    for batch in [*(chunks[k : k + BATCH] for k in range(0, len(chunks), BATCH)), sorted(lists)]:
        with lock():
            _spare(store, tenant, doomed, seen)
            freed += _delete(store, tenant, {digest: doomed[digest] for digest in batch if digest in doomed})
        time.sleep(PAUSE if len(chunks) > BATCH else 0)
    return freed


def _spare(store: Store, tenant: str, doomed: dict[str, datetime], seen: set[str]) -> None:
    """Take out what other versions need, unless they were ``seen`` before."""
    for info in manifests(store, tenant):
        if info.key in seen:
            continue
        with suppress(
            NotFound
        ):  # without its list, or its manifest by now, it cannot be used: nor is it seen
            for dataset in load(store, [info]):
                for digest in _content(store, dataset):
                    doomed.pop(digest, None)
                seen.add(info.key)


def _content(store: Store, dataset: Dataset, *, broken: bool = False) -> set[str]:
    """The list of files and the chunks; raises NotFound if there is no list.

    Raises Conflict for one that cannot be read, or, if it may be ``broken``, leaves its chunks out.
    """
    data = store.get(keys.upload(dataset.tenant, dataset.listing))
    try:
        return {dataset.listing, *(digest for file in read_listing(data) for digest in file.chunks)}
    except ProdgenError as error:
        if broken:
            return {dataset.listing}
        raise Conflict(
            f"the list of files of {dataset.id} is broken, so nobody knows what it needs: "
            "remove that one first"
        ) from error


def _delete(store: Store, tenant: str, batch: dict[str, datetime]) -> int:
    lately = datetime.now(UTC) - LATELY
    there = find_chunks(store, tenant, batch)
    old = [i for digest, i in there.items() if i.modified <= batch[digest] or i.modified < lately]
    store.delete([info.key for info in old])
    return sum(info.size for info in old)


def _left(store: Store, tenant: str, ref: str) -> list[Dataset]:
    """What a removal has noted, and not come to the end of."""
    name, _, version = ref.partition("@")
    ending = f"/{version}{_NOTE}.json" if version else f"{_NOTE}.json"
    found = [info for info in store.list(keys.datasets(tenant, name)) if info.key.endswith(ending)]
    return load(store, found)


def _note(dataset: Dataset) -> str:
    return keys.dataset(dataset.tenant, dataset.name, f"{dataset.version}{_NOTE}")
