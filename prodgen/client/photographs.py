"""Read an order file that names photographs and other pictures in a folder, and upload the pictures."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol

from prodgen.errors import ProdgenError
from prodgen.jobs.order_csv import fault
from prodgen.jobs.order_file import MAX_BYTES, read_order
from prodgen.spec.attributes import PICTURED, RequestedValues
from prodgen.spec.order import Item
from prodgen.spec.photograph import (
    MOST_TOGETHER,
    TOGETHER,
    end_fault,
    is_file_name,
    photos_of,
    picture_fault,
)
from prodgen.spec.spelling import fold

UPLOADS = 4
"""Number of pictures that are uploaded at the same time."""

Progress = Callable[[str, int, int], None]
"""Progress callback: (what is done, how many are done, how many in total)."""


class Uploads(Protocol):
    """A gateway that takes uploads, such as `prodgen.client.Client`."""

    def missing(self, digests: Iterable[str]) -> set[str]:
        """Return the digests of files that the gateway does not have."""

    def send(self, data: bytes) -> str:
        """Upload ``data`` and return its sha256."""


class PhotoOrder(NamedTuple):
    """An order as ``jsonl``, with a digest for each picture, and in ``files`` the path for each digest."""

    jsonl: bytes
    files: dict[str, Path]


class PhotoFolder:
    """Finds pictures in a folder by name. ``files``: by digest, the path of each picture found so far."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ProdgenError(f"there is no folder {folder}", param="photos")
        self.files: dict[str, Path] = {}
        self._folder, self._digests = folder, dict[str, str]()
        self._named: defaultdict[str, list[Path]] = defaultdict(list)
        for path in sorted(folder.rglob("*")):
            if not path.is_dir():
                self._named[path.name].append(path)

    def digest(self, name: str) -> str:
        """Return the sha256 of the picture ``name``: a file name, or a path within the folder.

        Raises ProdgenError if there is no such file or more than one, if the file is a link to outside the
        folder, too large, or not a complete picture.
        """
        if name not in self._digests:
            path = self._find(name)
            data = path.read_bytes()
            if len(data) > MAX_BYTES:
                raise ProdgenError(f"{path} is larger than {MAX_BYTES >> 20} MiB; make it smaller")
            if fault := picture_fault(data) or end_fault(data):
                raise ProdgenError(f"{path} {fault}")
            digest = self._digests[name] = hashlib.sha256(data).hexdigest()
            self.files[digest] = path
        return self._digests[name]

    def digests(self, column: str, names: str) -> str:
        """Replace each file name in ``names``, such as ``a.jpg+b.jpg``, by its digest; return the text.

        If a file has exactly the name ``names``, the ``+`` is a part of its name. In the column ``matte`` a
        name may be empty, as in ``a.png+``. Raises ProdgenError as `digest` does, and for too many files.
        """
        if names in self._named or (self._folder / names).is_file():
            return self.digest(names)
        listed = [name.strip() for name in photos_of(names)]
        if len(listed) > MOST_TOGETHER:
            raise ProdgenError(f"one picture shows at most {MOST_TOGETHER} products, not {len(listed)}")
        return TOGETHER.join("" if column == "matte" and not one else self.digest(one) for one in listed)

    def _find(self, name: str) -> Path:
        found = [self._folder / name] if "/" in name else self._named.get(name, [])
        if len(found) > 1:
            places = ", ".join(str(path.relative_to(self._folder)) for path in found)
            raise ProdgenError(
                f"{self._folder} has {len(found)} files named {name}: {places}; write the path of one"
            )
        if not found or not found[0].resolve().is_relative_to(self._folder.resolve()):
            where = "leads out of" if found or self._folder.joinpath(name).is_symlink() else "is not in"
            raise ProdgenError(f"the picture {name!r} {where} the folder {self._folder}")
        if not found[0].is_file():
            raise ProdgenError(f"the picture {name!r} is not in the folder {self._folder}")
        return found[0]


def read_photo_order(
    order: Path, photos: Path, attributes: Iterable[str], columns: Mapping[str, str] | None = None
) -> PhotoOrder:
    """Read an order file whose photos, mattes, scenes and materials are files in the folder ``photos``.

    Raises ProdgenError, which names the row, for the first row with a fault or without a usable picture. Rows
    keep their numbers in the JSONL, so that an error of the gateway names the right row of ``order``.
    """
    folder, lines = PhotoFolder(photos), list[str]()
    with order.open("rb") as file:
        for item in read_order(file, attributes, columns, picture_id=folder.digests):
            if isinstance(item, ProdgenError):
                raise item
            if item.photo is None:
                where = f"row {item.row}, column photo"
                raise ProdgenError(f"{where}: the row names no photograph of {photos}", param=where)
            lines += [""] * ((item.row or 1) - 1 - len(lines))
            lines.append(_with_pictures(item, folder).model_dump_json(exclude_none=True))
    return PhotoOrder("\n".join([*lines, ""]).encode(), folder.files)


def name_pictures(
    attributes: RequestedValues, digest: Callable[[str, str], str]
) -> dict[str, str | list[str]]:
    """Return the attributes with each name of a picture file replaced by ``digest(attribute, name)``.

    Only the attributes in `PICTURED` may name picture files.
    """
    named = dict(attributes)
    for name, values in attributes.items():
        if fold(name) in PICTURED:
            listed = [values] if isinstance(values, str) else values
            named[name] = [digest(fold(name), value) if is_file_name(value) else value for value in listed]
    return named


def _with_pictures(item: Item, folder: PhotoFolder) -> Item:
    def digest(attribute: str, name: str) -> str:
        try:
            return folder.digest(name)
        except ProdgenError as error:
            raise fault(item.row or 0, attribute, str(error)) from None

    return item.model_copy(update={"attributes": name_pictures(item.attributes, digest)})


def send_photos(gateway: Uploads, files: Mapping[str, Path], progress: Progress) -> None:
    """Upload the files (path by digest) that the gateway lacks.

    Raises ProdgenError if the content of a file no longer fits its digest.
    """
    missing = sorted(gateway.missing(files)) if files else []

    def send(digest: str) -> None:
        if gateway.send(files[digest].read_bytes()) != digest:
            raise ProdgenError(f"{files[digest]} changed while it was sent; order again")

    with ThreadPoolExecutor(UPLOADS) as pool:
        for done, _ in enumerate(pool.map(send, missing), 1):
            progress("Sending pictures", done, len(missing))
