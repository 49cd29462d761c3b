"""Makes the pictures of a lease from photographs: fetches each photograph, and learns from it once.

To learn is to find the product's matte and the region of its main colour. The store keeps the result beside
the uploads, under the model's version. Two workers that learn from one photograph store the same result.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache

from prodgen.errors import NotFound, ProdgenError
from prodgen.generation.request import Cancelled, Request
from prodgen.jobs.uploads import read_upload
from prodgen.photographs.learnt import Learnt
from prodgen.photographs.materials import Material
from prodgen.photographs.scenes import Background, read_background
from prodgen.photographs.studio import Source, Studio, StudioPicture
from prodgen.photographs.swatches import read_swatch
from prodgen.spec.order import ImageRequest
from prodgen.storage import keys
from prodgen.storage.base import Store

learning = threading.Semaphore(2)
"""Lets two threads decode and cut out photographs at once: each photograph may need 1 GB of memory."""


@lru_cache(4)
def _read_background(store: Store, tenant: str, digest: str, height: int, width: int) -> Background:
    data = read_upload(store, tenant, digest, "background")
    with learning:
        return read_background(data, height, width)


@lru_cache(4)
def _read_swatch(store: Store, tenant: str, digest: str) -> Material:
    data = read_upload(store, tenant, digest, "swatch")
    with learning:
        return read_swatch(data)


class PictureResponse:
    """The pictures of a lease. Each is made when the caller's iteration reaches it."""

    complete = True
    """True, because this response does not wait for the engine: the caller's thread makes the pictures."""

    def __init__(self, store: Store, studio: Studio, request: Request) -> None:
        self.request = request
        self._store, self._studio, self._cancelled = store, studio, False

    def cancel(self) -> None:
        """Make no further pictures: the iteration raises `Cancelled` before the next picture."""
        self._cancelled = True

    def __iter__(self) -> Iterator[StudioPicture]:
        request = self.request
        images = self._until_cancelled(request.images)
        yield from self._studio.pictures(
            images,
            self._source,
            self._background,
            self._swatch,
            request.finish,
            request.format,
            request.marks,
        )

    def _until_cancelled(self, images: Sequence[ImageRequest]) -> Iterator[ImageRequest]:
        for image in images:
            if self._cancelled:
                raise Cancelled
            yield image

    def _background(self, digest: str, height: int, width: int) -> Background:
        return _read_background(self._store, self.request.tenant, digest, height, width)

    def _swatch(self, digest: str) -> Material:
        return _read_swatch(self._store, self.request.tenant, digest)

    def _source(self, photo: str, matte: str | None) -> Source:
        """Return a photograph and what is learnt from it, read from the store or else learnt and stored now.

        ``photo``: the sha256 of an upload. ``matte``: the sha256 of a person's matte, or None. Raises
        ProdgenError if one of the two is no longer among the uploads.
        """
        tenant, version = self.request.tenant, self._studio.digest
        data = read_upload(self._store, tenant, photo, "photograph")
        key = keys.cut_out(tenant, version, photo, matte)
        with suppress(NotFound, ProdgenError):  # a broken one is learnt again
            return Source(data, Learnt.from_png(self._store.get(key)))
        own = read_upload(self._store, tenant, matte, "matte") if matte else None
        with learning:
            learnt = self._studio.learn(data, own)
        png = learnt.to_png()
        self._store.put(key, png, "image/png")
        return Source(data, Learnt.from_png(png))
