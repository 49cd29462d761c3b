"""Check, before an order is accepted, that its mattes can be used with their photographs."""

import io
import threading
from collections.abc import Iterable
from functools import partial

from PIL import Image

from prodgen.errors import NotFound, ProdgenError
from prodgen.jobs.heads import HEAD, read_head
from prodgen.spec.matte import Source, file_fault, marks_product, size_fault, sources_of
from prodgen.spec.order import Item
from prodgen.spec.photograph import picture_fault, picture_size
from prodgen.storage import keys
from prodgen.storage.base import Store, in_threads

DECODED = 256
"""The most mattes that are decoded before an order is accepted. A worker reports faults of other mattes."""
decoding = threading.Lock()
"""Held while a matte or a mask is decoded, because each takes up to 100 MB."""


class Mattes:
    """Checks an order's mattes. ``side``: the longer side, in pixels, to which photographs are shrunk."""

    def __init__(self, store: Store, tenant: str, side: int) -> None:
        self._store, self._tenant, self._side = store, tenant, side
        self._known: dict[Source, str | None] = {}

    def look_up(self, items: Iterable[Item]) -> None:
        """Find the faults of the items' mattes, each with its photograph. Skips known mattes."""
        named = (source for item in items if item.photo and item.matte for source in _sources(item))
        new = [source for source in dict.fromkeys(named) if source[1] and source not in self._known]
        free = max(0, DECODED - len(self._known))
        faults = [
            *in_threads(self._look_at, new[:free]),
            *in_threads(partial(self._look_at, decode=False), new[free:]),
        ]
        self._known.update(zip(new, faults, strict=True))

    def check(self, item: Item) -> None:
        """Raise ProdgenError if a matte of the item cannot be used. Call `look_up` with the item before."""
        if item.matte is None:
            return
        sources = _sources(item)
        if not sources:
            raise ProdgenError(
                "matte and photo name different numbers of pictures; write one matte for each photograph, "
                "with + between them, and nothing where a photograph has none",
                param="matte",
            )
        for source in sources:
            if fault := self._known.get(source):
                raise ProdgenError(fault, param="matte")

    def fault(self, photo: str, matte: str, decode: bool = True) -> str | None:
        """Return why the upload ``matte`` cannot be the matte of ``photo``; None if it can.

        Without ``decode``, checks only the kind and the size of the picture. Raises NotFound if there is no
        upload ``matte``.
        """
        data = self._head(matte)  # may be the whole file
        if fault := picture_fault(data):
            return fault
        try:
            size, own = picture_size(io.BytesIO(data)), picture_size(io.BytesIO(self._head(photo)))
        except NotFound:
            return None  # the check of photographs reports this fault
        if size is None or own is None:
            return None  # the same: without the photograph's size, a matte of any size would be decoded
        if (fault := size_fault(size, own, self._side)) or not decode:
            return fault
        if len(data) == HEAD:
            data = self._store.get(keys.upload(self._tenant, matte))
        with decoding:
            return file_fault(data)

    def _look_at(self, source: Source, decode: bool = True) -> str | None:
        photo, matte = source[0], source[1] or ""
        try:
            fault = self.fault(photo, matte, decode)
        except NotFound:
            return f"there is no upload {matte}; send the matte to /v1/uploads first"
        return f"the matte {matte} {fault}" if fault else None

    def _head(self, digest: str) -> bytes:
        return read_head(self._store, keys.upload(self._tenant, digest))


def stored_matte(cut_out: bytes) -> bytes | None:
    """Return the matte of a stored cut-out (a PNG) as a grey PNG, or None if no product was found in it."""
    with Image.open(io.BytesIO(cut_out), formats=["PNG"]) as image:
        levels = image.getchannel(0)
    if not marks_product(levels):
        return None
    buffer = io.BytesIO()
    levels.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _sources(item: Item) -> list[Source]:
    """Return (photograph, matte) for each photograph of an item; [] if their numbers differ."""
    try:
        return sources_of(item.photo or "", item.matte)
    except ValueError:
        return []
