"""What a folder of pictures holds: each picture with its split and what is known of it."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from prodgen.catalog.pictures import EXTENSIONS, first, shown
from prodgen.errors import NotFound, ProdgenError

SPLITS = ("train", "validation", "test")
SPLIT_NAMES = {split: split for split in SPLITS} | {"val": "validation", "valid": "validation"}
"""What people call them, in small letters."""
LONG_NAMES = {"training": "train", "testing": "test"}
"""The same, unless other folders lie beside them: then they may be kinds of sport."""


class Picture(NamedTuple):
    """``file`` is the path within the folder; ``known`` has the attributes that are known."""

    file: str
    split: str
    known: dict[str, str]


class Listing(NamedTuple):
    """``values``: every value of every attribute, in all splits, sorted; also those without a picture."""

    pictures: list[Picture]
    values: dict[str, tuple[str, ...]]


def list_folders(folder: Path) -> Listing:
    """The pictures by the folders that they lie in: ``{split}/{category}/``, ``{category}/``, or none.

    Pictures that lie loose have no category; those without a split are ``train``. Raises ProdgenError for a
    folder that mixes the ways, or holds no picture.
    """
    below = _folders(folder)
    names = SPLIT_NAMES | LONG_NAMES
    if any(path.name.lower() not in names for path in below):
        names = SPLIT_NAMES
    divided = [path for path in below if path.name.lower() in names]
    others = [path for path in below if path not in divided]
    if divided and (others or _loose(folder)):
        beside = f"the folder {shown(others[0].name)}" if others else "pictures"
        raise ProdgenError(
            f"{shown(folder)} has {beside} beside {divided[0].name}; the folder of a data set with splits "
            f"should hold nothing but {', '.join(SPLITS)}"
        )
    parts = [(names[path.name.lower()], path) for path in divided] or [("train", folder)]
    pictures = [picture for split, part in parts for picture in _list_part(folder, split, part)]
    if not pictures:
        raise NotFound(f"{shown(folder)} holds no picture; {_found(folder)}")
    categories = {_category(path) for _, part in parts for path in _folders(part)}
    return Listing(pictures, {"category": tuple(sorted(categories))} if categories else {})


def _list_part(folder: Path, split: str, part: Path) -> Iterator[Picture]:
    loose, categories = _loose(part), _folders(part)
    if loose and categories:
        raise ProdgenError(
            f"{shown(part)} has pictures ({first([shown(name) for name in loose])}) beside folders "
            f"({first([shown(path.name) for path in categories])}); put each picture into the folder of its "
            "category, or list them in attributes.csv"
        )
    for name in loose:
        yield Picture(str((part / name).relative_to(folder)), split, {})
    for path in categories:
        for file in _files(path):
            if _is_picture(file):
                yield Picture(str(file.relative_to(folder)), split, {"category": _category(path)})


def _category(path: Path) -> str:
    # Composed, as people type it: some file systems take a name's accents apart.
    return unicodedata.normalize("NFC", path.name)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _is_visible(path.name) and path.is_dir())


def _loose(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if _is_picture(path))


def _files(folder: Path) -> Iterator[Path]:
    """Every visible file at any depth, in order; links are followed, each folder once."""
    seen = set()
    for root, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        if os.path.realpath(root) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(root))
        folders[:] = sorted(filter(_is_visible, folders))
        yield from (Path(root, name) for name in sorted(files) if _is_visible(name))


def _raise(error: OSError) -> None:
    raise error


def _is_visible(name: str) -> bool:
    return not name.startswith((".", "__MACOSX", "@eaDir"))


def _is_picture(path: Path) -> bool:
    return _is_visible(path.name) and path.suffix.lower() in EXTENSIONS and path.is_file()


def _found(folder: Path) -> str:
    kinds = Counter(path.suffix.lower() or "nameless kind" for path in _files(folder))
    if not kinds:
        return "it is empty"
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
    return f"its files are: {counts}"
