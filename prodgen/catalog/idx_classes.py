"""What the labels of a folder of IDX files mean: MNIST, Fashion-MNIST and others share their file names."""

import hashlib
from pathlib import Path

from prodgen.catalog.idx import PREFIXES, find_idx, read_content
from prodgen.errors import ProdgenError

NAMES = "names.txt"

_OFFICIAL = {
    "9018921c3c673c538a1fc5bad174d6f9": "fashion-mnist",
    "15d484375f8d13e6eb1aabb0c3f46965": "fashion-mnist",
    "a25bea736e30d166cdddb491f175f624": "mnist",
    "27ae3e4e09519cfbb04c329615203637": "mnist",
}
"""MD5 of the official label files, unpacked, so that it does not matter who packed them."""


def idx_classes(folder: Path) -> str | tuple[str, ...]:
    """A key of `prodgen.catalog.idx.CLASSES`, or the names themselves, for `load_idx`.

    In this order: official label files are known by their checksum; ``names.txt`` beside the files has a name
    a line, from label 0 on; a folder called something with "fashion" holds Fashion-MNIST; all else is digits.
    """
    official = _by_checksum(folder)
    if official:
        return official
    if (folder / NAMES).is_file():
        return _read_names(folder / NAMES)
    return "fashion-mnist" if "fashion" in folder.resolve().name.lower() else "mnist"


def _by_checksum(folder: Path) -> str | None:
    for prefix in PREFIXES.values():
        path = find_idx(folder, f"{prefix}-labels-idx1-ubyte")
        if path is not None:
            return _OFFICIAL.get(hashlib.md5(read_content(path), usedforsecurity=False).hexdigest())
    return None


def _read_names(path: Path) -> tuple[str, ...]:
    lines = read_content(path).decode("utf-8-sig", errors="replace").splitlines()
    names = tuple(line.strip() for line in lines if line.strip())
    if not names or len(set(names)) < len(names):
        raise ProdgenError(f"{path} should hold a name a line, each once, from label 0 on")
    return names
