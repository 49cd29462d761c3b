"""Download a data set to a folder of the cache."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prodgen.datasets.listing import Chunk, ListedFile, read_listing
from prodgen.datasets.versions import Dataset
from prodgen.errors import NotFound, ProdgenError
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.cache import mark_used, new_folder

DOWNLOADS = 8

Progress = Callable[[int, int], None]
"""Called with (bytes downloaded, bytes in all)."""


def fetch_dataset(store: Store, dataset: Dataset, cache: Path, progress: Progress | None = None) -> Path:
    """Return the folder below ``cache`` with the data set's files; download them unless it is complete.

    Raises ProdgenError if a chunk is missing in the store or does not match its sha256. The folder is named
    by the digest of its content, so all processes, tenants and data sets may share the cache.
    """
    target = cache / dataset.listing
    try:
        files = read_listing(_get(store, dataset, dataset.listing, None, "the list of its files"))
        mark_used(target)
        if not _is_complete(target, files):
            with new_folder(target, lambda: _is_complete(target, files)) as partial:
                _download(store, dataset, files, partial, progress)
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

    def download_chunk(work: tuple[ListedFile, Chunk]) -> int:
        file, chunk = work
        data = _get(store, dataset, chunk.sha256, chunk.length, file.path)
        with (folder / file.path).open("r+b") as place:
            place.seek(chunk.offset)
            place.write(data)
        return chunk.length

    done = 0
    with ThreadPoolExecutor(DOWNLOADS) as pool:
        for length in pool.map(
            download_chunk, [(file, chunk) for file in files for chunk in file.iter_chunks()]
        ):
            done += length
            mark_used(folder)
            if progress:
                progress(done, dataset.bytes)


def _get(store: Store, dataset: Dataset, digest: str, length: int | None, what: str) -> bytes:
    data = store.get(keys.upload(dataset.tenant, digest), 0, length)
    if hashlib.sha256(data).hexdigest() != digest:
        raise ProdgenError(f"{dataset.id} is corrupt in the store: {what} has other bytes than were pushed")
    return data


def _is_complete(folder: Path, files: Sequence[ListedFile]) -> bool:
    """Return whether every file exists in its full size; a crash of the machine may have cut files short."""
    try:
        return all((folder / file.path).stat().st_size == file.bytes for file in files)
    except OSError:
        return False
