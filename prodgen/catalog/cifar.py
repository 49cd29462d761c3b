"""CIFAR-10 (Krizhevsky 2009): the binary and the python version, unpacked or in their archives."""

import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog import cifar_pickle
from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import NotFound, ProdgenError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MOST_BYTES = 64 << 20
"""Of one file; the official ones have 31 million."""

_BATCHES = {"train": tuple(f"data_batch_{k}" for k in range(1, 6)), "test": ("test_batch",)}
_RECORD = 1 + cifar_pickle.PIXELS

Batch = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Pixels (N, 3072) and labels (N,)."""


class Version(NamedTuple):
    """One of the ways in which the data set is given out."""

    archive: str
    folder: str
    suffix: str
    meta: str
    read_batch: Callable[[bytes, str], Batch]
    read_names: Callable[[bytes, str], list[str]]


def _read_binary(raw: bytes, where: str) -> Batch:
    if not raw or len(raw) % _RECORD:
        raise ProdgenError(f"{where} is not whole: its {len(raw)} bytes are no multiple of {_RECORD}")
    records = np.frombuffer(raw, np.uint8).reshape(-1, _RECORD)
    return records[:, 1:], records[:, 0]


def _read_text(raw: bytes, _: str) -> list[str]:
    return raw.decode(errors="replace").split()


VERSIONS = (
    Version(
        "cifar-10-binary.tar.gz", "cifar-10-batches-bin", ".bin", "batches.meta.txt", _read_binary, _read_text
    ),
    Version(
        "cifar-10-python.tar.gz",
        "cifar-10-batches-py",
        "",
        "batches.meta",
        cifar_pickle.read_batch,
        cifar_pickle.read_names,
    ),
)


def load_cifar(folder: Path, split: str = "train") -> Catalogue:
    """The images (N, 32, 32, 3) and categories of one split (``train`` or ``test``).

    The folder holds the files, their own folder, or the archive as it was downloaded.
    """
    version, place = _located(folder)
    files = [name + version.suffix for name in _BATCHES[split]]
    found = _contents(place, {*files, version.meta})
    missing = [name for name in files if name not in found]
    if missing:
        raise NotFound(f"{place} is not whole: it has no {', '.join(missing)}")
    batches = [version.read_batch(found[name], f"{place}/{name}") for name in files]
    pixels, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    names: tuple[str, ...] = CLASSES
    if version.meta in found:
        names = tuple(version.read_names(found[version.meta], f"{place}/{version.meta}"))
    if labels.max(initial=0) >= len(names):
        raise ProdgenError(f"{place} has a label {labels.max()}, but names for only {len(names)} classes")
    images = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return Catalogue(images, {"category": labels.astype(np.int64)}, {"category": names})


def cifar_splits(folder: Path) -> list[str]:
    """The splits in the folder; none if it does not hold CIFAR-10. An archive has both."""
    located = _locate(folder)
    if located is None:
        return []
    version, place = located
    return [split for split in _BATCHES if place.is_file() or _has(version, place, split)]


def cifar_files(folder: Path) -> list[Path]:
    """The files that `load_cifar` reads, of all splits."""
    version, place = _located(folder)
    if place.is_file():
        return [place]
    names = [*(name + version.suffix for batch in _BATCHES.values() for name in batch), version.meta]
    return [place / name for name in names if (place / name).is_file()]


def _locate(folder: Path) -> tuple[Version, Path] | None:
    for version in VERSIONS:
        for place in (folder, folder / version.folder):
            if any(_has(version, place, split) for split in _BATCHES):
                return version, place
        if (folder / version.archive).is_file():
            return version, folder / version.archive
    return None


def _located(folder: Path) -> tuple[Version, Path]:
    located = _locate(folder)
    if located is None:
        archives = " or ".join(version.archive for version in VERSIONS)
        raise NotFound(f"{folder} does not hold CIFAR-10; it should have {archives}, unpacked or not")
    return located


def _has(version: Version, place: Path, split: str) -> bool:
    return any((place / (name + version.suffix)).is_file() for name in _BATCHES[split])


def _contents(place: Path, names: set[str]) -> dict[str, bytes]:
    """The bytes of those of ``names`` that are in a folder or an archive."""
    try:
        if place.is_file():
            return _unpacked(place, names)
        paths = [place / name for name in names if (place / name).is_file()]
        for path in paths:
            _check_size(path, path.stat().st_size)
        return {path.name: path.read_bytes() for path in paths}
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ProdgenError(f"{place} is not a whole archive: {error}; download it again") from None
    except OSError as error:
        raise ProdgenError(f"{place} cannot be read: {error.strerror or error}") from None


def _unpacked(archive: Path, names: set[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(archive, "r|gz") as tar:  # one pass, nothing goes to disk
        for member in tar:
            _check_size(archive / member.name, member.size)
            name = PurePosixPath(member.name).name
            content = tar.extractfile(member) if member.isfile() and name in names else None
            if content:
                found[name] = content.read()
            if found.keys() == names:
                break
    return found


def _check_size(path: Path, size: int) -> None:
    if size > MOST_BYTES:
        raise ProdgenError(f"{path} has {size:,} bytes; no file of CIFAR-10 has more than {MOST_BYTES:,}")
