"""List the pictures of a folder. The names of its subfolders give each picture's split and category."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from prodgen.catalog.picture_files import EXTENSIONS, first_names, printable
from prodgen.errors import NotFound, ProdgenError
from prodgen.spec.spelling import normalise

SPLITS = ("train", "validation", "test")
SPLIT_NAMES = {split: split for split in SPLITS} | {"val": "validation", "valid": "validation"}
"""The split that a folder name or table cell means, by the name or the cell in lower case."""
LONG_NAMES = {"training": "train", "testing": "test"}
"""Folder names that mean a split only if all folders beside them mean a split too: ``training`` may also be a
category, such as clothes for sport."""


class Picture(NamedTuple):
    """A picture: its path within the data set's folder, its split, and its known attributes by name.

    The split is "" until it is known.
    """

    file: str
    split: str
    known: dict[str, str]


class Listing(NamedTuple):
    """The pictures of a folder; ``values`` has the sorted values of each attribute, from all splits.

    ``held_out`` is the number of test pictures if the folder names no splits, otherwise 0.
    """

    pictures: list[Picture]
    values: dict[str, tuple[str, ...]]
    held_out: int = 0


def list_folders(folder: Path) -> Listing:
    """List the pictures of a folder laid out as ``{split}/{category}/``, ``{category}/``, or without folders.

    Pictures outside category folders have no category; pictures outside split folders have no split.
    Raises ProdgenError for a folder that mixes these layouts or has no picture.
    """
    below = _folders(folder)
    names = SPLIT_NAMES | LONG_NAMES
    if any(path.name.lower() not in names for path in below):
        names = SPLIT_NAMES
    divided = [path for path in below if path.name.lower() in names]
    others = [path for path in below if path not in divided]
    if divided and (others or _loose(folder)):
        beside = f"the folder {printable(others[0].name)}" if others else "pictures"
        raise ProdgenError(
            f"{printable(folder)} has {beside} beside {divided[0].name}; a data set with splits should have "
            f"nothing but {', '.join(SPLITS)}"
        )
    parts = [(names[path.name.lower()], path) for path in divided] or [("", folder)]
    pictures = [picture for split, part in parts for picture in _list_part(folder, split, part)]
    if not pictures:
        raise NotFound(f"{printable(folder)} holds no picture; {_found(folder)}")
    categories = {_category(path) for _, part in parts for path in _folders(part)}
    return Listing(pictures, {"category": tuple(sorted(categories))} if categories else {})


def _list_part(folder: Path, split: str, part: Path) -> Iterator[Picture]:
    loose, categories = _loose(part), _folders(part)
    if loose and categories:
        raise ProdgenError(
            f"{printable(part)} has pictures ({first_names(loose)}) beside folders "
            f"({first_names([path.name for path in categories])}); put each picture into the folder of its "
            "category, or list the pictures in attributes.csv"
        )
    for name in loose:
        yield Picture(str((part / name).relative_to(folder)), split, {})
    for path in categories:
        for file in visible_files(path):
            if _is_picture(file):
                yield Picture(str(file.relative_to(folder)), split, {"category": _category(path)})


def _category(path: Path) -> str:
    return normalise(path.name)


def _folders(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if _is_visible(path.name) and path.is_dir())
    return sorted(path for path in found if not _leads_around(path))


def _loose(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if _is_picture(path))


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield all visible files below a folder, sorted by path; follows links, but enters each folder once.

    A link to a folder that contains the link is not followed; the link itself is yielded, like a file.
    """
    seen = set()
    for root, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        if os.path.realpath(root) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(root))
        circles = [name for name in folders if _leads_around(Path(root, name))]
        folders[:] = sorted(name for name in folders if _is_visible(name) and name not in circles)
        yield from (Path(root, name) for name in sorted([*files, *circles]) if _is_visible(name))


def _leads_around(path: Path) -> bool:
    """Return whether a path is a link to a folder that contains the link."""
    return path.is_symlink() and path.parent.resolve().is_relative_to(path.resolve())


def _raise(error: OSError) -> None:
    raise error


def _is_visible(name: str) -> bool:
    return not name.startswith((".", "__MACOSX", "@eaDir"))


def _is_picture(path: Path) -> bool:
    return _is_visible(path.name) and path.suffix.lower() in EXTENSIONS and path.is_file()


def _found(folder: Path) -> str:
    kinds = Counter(path.suffix.lower() or "nameless kind" for path in visible_files(folder))
    if not kinds:
        return "it is empty"
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
    return f"its files are: {counts}"
