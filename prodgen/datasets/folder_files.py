"""Find the files in a folder that belong to the data set: the files that training reads."""

from collections.abc import Iterator
from pathlib import Path

from prodgen.catalog.attributes_table import find_table
from prodgen.catalog.cifar import cifar_files
from prodgen.catalog.formats import kind, list_pictures
from prodgen.catalog.idx import CLASSES, NAMES, PREFIXES, find_idx, idx_classes
from prodgen.catalog.picture_files import printable
from prodgen.catalog.prepared_catalogue import DESCRIPTION, prepared_splits
from prodgen.datasets.listing import check_path
from prodgen.errors import ProdgenError

Content = Path | bytes
"""The content of a file, or the path of the file that holds it."""


def find_files(folder: Path) -> dict[str, Content]:
    """Return the content of each file of the data set, by the file's path within ``folder``.

    Adds a ``names.txt`` to IDX files without one, because their class names may depend on the folder's name.
    Raises ProdgenError for an invalid path, or for a link that leads out of the folder.
    """
    found = kind(folder)
    files: dict[str, Content] = {}
    for path in _FILES[found](folder):
        name = path.relative_to(folder).as_posix()
        check_path(name)
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ProdgenError(
                f"{printable(path)} is a link that leads out of the folder; put the file itself there"
            )
        files[name] = path
    if found == "idx" and NAMES not in files:
        classes = idx_classes(folder)
        names = CLASSES[classes] if isinstance(classes, str) else classes
        files[NAMES] = "".join(f"{name}\n" for name in names).encode()
    return files


def _prepared(folder: Path) -> Iterator[Path]:
    yield folder / DESCRIPTION
    for split in prepared_splits(folder):
        yield folder / f"{split}.npy"
        yield folder / f"{split}.jsonl"


def _idx(folder: Path) -> Iterator[Path]:
    for prefix in PREFIXES.values():
        for part in ("images-idx3-ubyte", "labels-idx1-ubyte"):
            path = find_idx(folder, f"{prefix}-{part}")
            if path:
                yield path
    if (folder / NAMES).is_file():
        yield folder / NAMES


def _pictures(folder: Path) -> Iterator[Path]:
    table = find_table(folder)
    if table:
        yield table
    for picture in list_pictures(folder).pictures:
        yield folder / picture.file


_FILES = {"prepared": _prepared, "idx": _idx, "cifar-10": cifar_files, "folder": _pictures}
