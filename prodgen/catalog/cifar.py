"""Read CIFAR-10 (Krizhevsky 2009): its binary or python version, unpacked or as the original archive."""

import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.catalogue import Catalogue
from prodgen.catalog.cifar_pickle import PIXELS, read_batch, read_names
from prodgen.errors import NotFound, ProdgenError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MAX_BYTES = 64 << 20
"""Largest size, in bytes, of a file that `load_cifar` reads; the official files have 31 million bytes."""

_BATCHES = {"train": tuple(f"data_batch_{k}" for k in range(1, 6)), "test": ("test_batch",)}
_RECORD = 1 + PIXELS

Batch = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Pixels (N, 3072) and labels (N,)."""


class Variant(NamedTuple):
    """A published version of CIFAR-10: the names of its files and the functions that read the files."""

    archive: str
    folder: str
    suffix: str
    meta: str
    read_batch: Callable[[bytes, str], Batch]
    read_names: Callable[[bytes, str], list[str]]

    def batches(self, split: str) -> list[str]:
        """Return the names of the files that hold the images of a split."""
        return [name + self.suffix for name in _BATCHES[split]]

    def has(self, place: Path, split: str) -> bool:
        """Return whether the folder ``place`` has at least one file with images of a split."""
        return any((place / name).is_file() for name in self.batches(split))


def _read_binary(raw: bytes, where: str) -> Batch:
    if not raw or len(raw) % _RECORD:
        raise ProdgenError(f"{where} is not whole: its {len(raw)} bytes are no multiple of {_RECORD}")
    records = np.frombuffer(raw, np.uint8).reshape(-1, _RECORD)
    return records[:, 1:], records[:, 0]


def _read_text(raw: bytes, _: str) -> list[str]:
    return raw.decode(errors="replace").split()


VARIANTS = (
    Variant(
        "cifar-10-binary.tar.gz", "cifar-10-batches-bin", ".bin", "batches.meta.txt", _read_binary, _read_text
    ),
    Variant("cifar-10-python.tar.gz", "cifar-10-batches-py", "", "batches.meta", read_batch, read_names),
)


def load_cifar(folder: Path, split: str = "train") -> Catalogue:
    """Load the images (N, 32, 32, 3) and categories of one split (``train`` or ``test``).

    ``folder`` holds the unpacked files, the folder that the archive unpacks to, or the archive.
    """
    variant, place = _locate(folder)
    files = variant.batches(split)
    found = _contents(place, {*files, variant.meta})
    missing = [name for name in files if name not in found]
    if missing:
        raise NotFound(f"{place} is not whole: it has no {', '.join(missing)}")
    batches = [variant.read_batch(found[name], f"{place}/{name}") for name in files]
    pixels, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    names: tuple[str, ...] = CLASSES
    if variant.meta in found:
        names = tuple(variant.read_names(found[variant.meta], f"{place}/{variant.meta}"))
    if labels.max(initial=0) >= len(names):
        raise ProdgenError(f"{place} has a label {labels.max()}, but names for only {len(names)} classes")
    images = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return Catalogue(images, {"category": labels.astype(np.int64)}, {"category": names})


def cifar_splits(folder: Path) -> list[str]:
    """Return the splits that a folder holds: both if it has an archive, none if it has no CIFAR-10."""
    try:
        variant, place = _locate(folder)
    except NotFound:
        return []
    return [split for split in _BATCHES if place.is_file() or variant.has(place, split)]


def cifar_files(folder: Path) -> list[Path]:
    """Return the paths of all files, or of the one archive, from which `load_cifar` reads the splits."""
    variant, place = _locate(folder)
    if place.is_file():
        return [place]
    names = [*variant.batches("train"), *variant.batches("test"), variant.meta]
    return [place / name for name in names if (place / name).is_file()]


def _locate(folder: Path) -> tuple[Variant, Path]:
    """Return the version of CIFAR-10 in a folder and the place of its files: a folder or an archive."""
    for variant in VARIANTS:
        for place in (folder, folder / variant.folder):
            if any(variant.has(place, split) for split in _BATCHES):
                return variant, place
        if (folder / variant.archive).is_file():
            return variant, folder / variant.archive
    archives = " or ".join(variant.archive for variant in VARIANTS)
    raise NotFound(f"{folder} does not hold CIFAR-10; it should have {archives}, unpacked or not")


def _contents(place: Path, names: set[str]) -> dict[str, bytes]:
    """Return the contents, by name, of those files of ``names`` that the folder or archive ``place`` has."""
    try:
        return dict(_read_files(place, names))
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ProdgenError(f"{place} is not a whole archive: {error}; download it again") from None
    except OSError as error:
        raise ProdgenError(f"{place} cannot be read: {error.strerror or error}") from None


def _read_files(place: Path, names: set[str]) -> Iterator[tuple[str, bytes]]:
    if place.is_dir():
        for path in (place / name for name in names if (place / name).is_file()):
            _check_size(path, path.stat().st_size)
            yield path.name, path.read_bytes()
        return
    missing = set(names)
    with tarfile.open(place, "r|gz") as tar:  # one pass, and nothing is written to disk
        while missing and (member := tar.next()):
            _check_size(place / member.name, member.size)
            name = PurePosixPath(member.name).name
            content = tar.extractfile(member) if member.isfile() and name in names else None
            if content:
                missing.discard(name)
                yield name, content.read()


def _check_size(path: Path, size: int) -> None:
    if size > MAX_BYTES:
        raise ProdgenError(f"{path} has {size:,} bytes; no file of CIFAR-10 has more than {MAX_BYTES:,}")
