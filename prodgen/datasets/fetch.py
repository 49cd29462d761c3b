"""A version becomes a folder again."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prodgen.datasets.listing import Chunk, ListedFile, read_listing
from prodgen.datasets.versions import Dataset
from prodgen.errors import NotFound, ProdgenError
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.cache import mark_used
from prodgen.storage.download import move_into_place

DOWNLOADS = 8

Progress = Callable[[int, int], None]
"""Hears (bytes done, bytes in all)."""


def fetch_dataset(store: Store, dataset: Dataset, cache: Path, progress: Progress | None = None) -> Path:
    """The folder under ``cache`` with the files as they were pushed, downloaded unless it is there.

    Every chunk is held against its sha256; one that does not match, or is gone, raises ProdgenError. The
    folder is called by the digest of its whole content, so any number of processes, tenants and names may
    share the cache; `evict` bounds it. One that lost something is fetched again.
    """
    target = cache / dataset.listing
    try:
        files = read_listing(_get(store, dataset, dataset.listing, None, "the list of its files"))
        mark_used(target)
        if _is_whole(target, files):
            return target
        cache.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=cache))
        try:
            _download(store, dataset, files, partial, progress)
            move_into_place(partial, target, lambda: _is_whole(target, files))
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except NotFound as error:
        raise ProdgenError(f"{dataset.id} is incomplete in the store: {error}") from error
    return target


def _download(
    store: Store, dataset: Dataset, files: Sequence[ListedFile], folder: Path, progress: Progress | None
) -> None:
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def bring(work: tuple[ListedFile, Chunk]) -> int:
        file, chunk = work
        data = _get(store, dataset, chunk.sha256, chunk.length, file.path)
        with (folder / file.path).open("r+b") as place:
            place.seek(chunk.offset)
            place.write(data)
        return chunk.length

    done = 0
    with ThreadPoolExecutor(DOWNLOADS) as pool:
        for length in pool.map(bring, [(file, chunk) for file in files for chunk in file.cut()]):
            done += length
            mark_used(folder)
            if progress:
                progress(done, dataset.bytes)


def _get(store: Store, dataset: Dataset, digest: str, length: int | None, what: str) -> bytes:
    data = store.get(keys.upload(dataset.tenant, digest), 0, length)
    if hashlib.sha256(data).hexdigest() != digest:
        raise ProdgenError(f"{dataset.id} is corrupt in the store: {what} has other bytes than were pushed")
    return data


def _is_whole(folder: Path, files: Sequence[ListedFile]) -> bool:
    """Whether nothing is missing: folders are moved there whole, but a machine that crashes may cut files."""
    try:
        return all((folder / file.path).stat().st_size == file.bytes for file in files)
    except OSError:
        return False
