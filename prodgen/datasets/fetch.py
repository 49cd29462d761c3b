"""Download a data set to a folder of the cache."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prodgen.datasets.listing import ListedFile, read_listing
from prodgen.datasets.versions import Dataset
from prodgen.errors import NoRoom, NotFound, ProdgenError
from prodgen.files import DISK_FULL
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.storage.cache import check_room, mark_used, new_folder

DOWNLOADS = 8

Progress = Callable[[int, int], None]
"""Called with (bytes downloaded so far, bytes of the whole data set)."""


def fetch_dataset(
    store: Store,
    dataset: Dataset,
    cache: Path,
    progress: Progress | None = None,
    make_room: Callable[[int], None] | None = None,
) -> Path:
    """Return the folder in ``cache`` with the data set's files. Downloads them unless the folder is complete.

    ``make_room`` is called before a download, with the number of bytes. Raises ProdgenError if a chunk is
    missing in the store or does not match its sha256, and NoRoom if the disk is full; after these errors
    nothing stays on the disk. The folder is named by the digest of its content, so all processes, tenants and
    data sets may share the cache.
    """
    target = cache / dataset.listing
    try:
        files = read_listing(_get(store, dataset, dataset.listing, None, "the list of its files"))
        mark_used(target)
        if not _is_complete(target, files):
            size = sum(file.bytes for file in files)
            if make_room:
                make_room(size)
            with new_folder(target, lambda: _is_complete(target, files)) as partial:
                check_room(cache, size)
                _download(store, dataset, files, partial, progress)
    except NotFound as error:
        raise ProdgenError(f"{dataset.id} is incomplete in the store: {error}") from error
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise NoRoom(f"{cache} has no room for {dataset.id}: {error.strerror}") from error
    return target


def _download(
    store: Store, dataset: Dataset, files: Sequence[ListedFile], folder: Path, progress: Progress | None
) -> None:
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    places: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for file in files:
        for chunk in file.iter_chunks():
            places.setdefault((chunk.sha256, chunk.length), []).append((file.path, chunk.offset))

    def download_chunk(digest: str, length: int) -> int:
        """Download a chunk once, write it to each file that has it, and return the bytes written."""
        written = places[digest, length]
        data = _get(store, dataset, digest, length, written[0][0])
        for path, offset in written:
            check_room(folder.parent, length)  # other processes fill the disk, too
            with (folder / path).open("r+b") as opened:
                opened.seek(offset)
                opened.write(data)
        return length * len(written)

    done = 0
    with ThreadPoolExecutor(DOWNLOADS) as pool:
        downloads = [pool.submit(download_chunk, *chunk) for chunk in places]
        try:
            for download in downloads:
                done += download.result()
                mark_used(folder)
                if progress:
                    progress(done, dataset.bytes)
        finally:
            pool.shutdown(cancel_futures=True)  # after an error, no further chunk is downloaded


def _get(store: Store, dataset: Dataset, digest: str, length: int | None, what: str) -> bytes:
    data = store.get(keys.upload(dataset.tenant, digest), 0, length)
    if hashlib.sha256(data).hexdigest() != digest:
        raise ProdgenError(f"{dataset.id} is corrupt in the store: {what} has other bytes than were pushed")
    return data


def _is_complete(folder: Path, files: Sequence[ListedFile]) -> bool:
    """Return whether every file has its full size. A crash of the machine may have cut files short."""
    try:
        return all((folder / file.path).stat().st_size == file.bytes for file in files)
    except OSError:
        return False
