"""A request for images to the engine, and the response from which the caller reads the files."""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from prodgen import traces
from prodgen.generation.upscale import upscaler_version
from prodgen.spec.finish import Finish, file_name
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.model_config import ModelConfig
from prodgen.spec.order import ImageRequest
from prodgen.spec.provenance import GENERATED, make_xmp
from prodgen.spec.quality import Quality

NO_FINISH = Finish()

MAX_AHEAD = 1 << 26
"""Number of pixels of one request that the engine may generate before the caller takes the files."""

File = tuple[bytes, str | None, tuple[str, ...] | None]
"""The file of an image; for a picture of a photograph also ``review`` and ``findings`` of `manifest_line`."""


class Model(Protocol):
    """A version of a model: a generator, or a model that makes pictures of photographs."""

    @property
    def id(self) -> str:
        """``name@digest``."""

    @property
    def config(self) -> ModelConfig:
        """The version's config.json."""


@dataclass(frozen=True)
class Request:
    """A request for images of one model with one finish. `Engine` takes requests for a `SavedModel` only.

    Requests with a higher ``priority`` are served first. The tenants are served in turn.
    """

    model: Model
    images: Sequence[ImageRequest]
    truncation: float = 1.0
    finish: Finish = NO_FINISH
    format: str = "png"
    priority: int = 0
    tenant: str = ""
    marks: bool = True
    """Whether each file contains the recipe of its image."""
    quality: Quality | None = None
    """The threshold of the quality gate, or None if the images need not pass it."""

    @property
    def pixels(self) -> int:
        """Number of pixels of one image."""
        return self.model.config.side(self.finish) ** 2

    @property
    def opaque_finish(self) -> Finish:
        """The finish, with a white background if the model has transparency and the format has none."""
        if self.format not in ("jpeg", "gif") or self.finish.background or self.model.config.channels < 4:
            return self.finish
        return self.finish.model_copy(update={"background": "#ffffff"})


class Cancelled(Exception):
    """Raised by iteration over a response whose request was cancelled before all images were made."""


class Response:
    """The files of a submitted request. Iterate over it once: it yields the images' files, in order.

    A caller that stops iterating before the end cancels the request. The engine makes only a limited number
    of images in advance; ``on_taken`` is called whenever the caller takes files, so the engine can continue.
    """

    def __init__(self, request: Request, on_taken: Callable[[], None]) -> None:
        self.request = request
        self.traceparent = traces.traceparent()
        """The trace context of the caller."""
        self._on_taken = on_taken
        self._chunks: deque[Future[list[bytes]]] = deque()
        self._begun = 0
        self._taken = 0
        self.cancelled = False
        self._changed = threading.Condition()
        self.images: list[ImageRequest] = []
        """The images that the engine has made, in order, each by the attempt that the quality gate chose."""
        self._max_ahead = max(1, MAX_AHEAD // request.pixels)

    def cancel(self) -> None:
        """Stop making images. Iteration raises `Cancelled` after the files that are already queued."""
        with self._changed:
            self.cancelled = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[bytes]:
        try:
            while self._taken < len(self.request.images):
                yield from self._next_files()
        finally:
            if self._taken < len(self.request.images):
                self.cancel()

    def _next_files(self) -> list[bytes]:
        with self._changed:
            self._changed.wait_for(lambda: self._chunks or self.cancelled)
            if not self._chunks:
                raise Cancelled
            chunk = self._chunks.popleft()
        files = chunk.result()
        self._taken += len(files)
        self._on_taken()
        return files

    @property
    def complete(self) -> bool:
        """Whether the caller has taken every file."""
        return self._taken == len(self.request.images)

    # The engine's device thread calls the methods below.

    @property
    def has_more(self) -> bool:
        """Whether images of this request are left for the engine to begin. False after cancellation."""
        return not self.cancelled and self._begun < len(self.request.images)

    def room(self) -> int:
        """Return how many more images the engine may begin before the caller takes files."""
        return self._max_ahead - (self._begun - self._taken)

    def begin(self, count: int) -> Sequence[ImageRequest]:
        """Return the next images to make: ``count`` images, or fewer if fewer are left."""
        images = self.request.images[self._begun : self._begun + count]
        self._begun += len(images)
        return images

    def add(self, chunk: "Future[list[bytes]]") -> None:
        """Append ``chunk``: a future, whose result is the list of the next files."""
        with self._changed:
            self._chunks.append(chunk)
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """Stop making images. Iteration raises ``error`` after the files that are already queued."""
        failed: Future[list[bytes]] = Future()
        failed.set_exception(error)
        self.add(failed)
        self.cancel()


def xmp_packets(request: Request, images: Sequence[ImageRequest]) -> Iterator[bytes]:
    """Yield the XMP packet of each generated image: all that is needed to make the image again, and no more.

    The packet has ``draw``, the number that the image depends on. It has neither index nor SKU, which belong
    to the order. Yields b"" for each image if the request has no marks.
    """
    common: dict[str, Any] = {"model": request.model.id}
    if finish := request.finish.model_dump(exclude_defaults=True):
        common["finish"] = finish
    if request.finish.upscale:
        common["upscaler"] = upscaler_version()
    if request.truncation != 1.0:
        common["truncation"] = request.truncation
    for image in images:
        recipe = common | {"attributes": image.attributes}
        # The marks of an image that starts from a picture have no seed: the image cannot be made from a seed.
        start = image.start and {"picture": image.start.model_dump(mode="json")}
        recipe |= start or {"seed": image.seed, "draw": image.draw}
        if image.attempt:
            recipe["attempt"] = image.attempt
        if image.mix:
            recipe["mix"] = image.mix.model_dump(exclude_defaults=True)
        yield make_xmp(GENERATED, recipe) if request.marks else b""


def manifest_line(
    request: Request,
    image: ImageRequest,
    data: bytes,
    review: str | None = None,
    findings: tuple[str, ...] | None = None,
    **where: Any,
) -> ManifestLine:
    """Return an image's manifest line. ``data``: the bytes of its file.

    ``review``: why the picture of a photograph is not trusted. ``findings``: the rules that the picture
    breaks. ``where``: the fields object, offset and length, if the file lies inside an object of a store.
    """
    common = {
        "model": request.model.id,
        "truncation": request.truncation,
        "finish": request.finish,
        "upscaler": upscaler_version() if request.finish.upscale else None,
        "format": request.format,
        "precision": request.model.config.precision,
    }
    own = _own_fields(request, image, data, review, findings)
    return ManifestLine.model_validate(common | own | where)


def manifest_lines(request: Request, files: Iterable[File]) -> list[ManifestLine]:
    """Return the manifest lines of all images of a request, in half of the time that `manifest_line` takes.

    Validates only the first line. The other lines differ from it only in values that prodgen has made itself.
    """
    lines = list[ManifestLine]()
    for image, file in zip(request.images, files, strict=True):
        if lines:
            lines.append(lines[0].model_copy(update=_own_fields(request, image, *file)))
        else:
            lines.append(manifest_line(request, image, *file))
    return lines


def _own_fields(
    request: Request,
    image: ImageRequest,
    data: bytes,
    review: str | None = None,
    findings: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    """Return the fields that differ between the manifest lines of a request."""
    return {
        "index": image.index,
        "sku": image.sku,
        "seed": image.seed,
        "draw": image.draw,
        "attempt": image.attempt,
        "attributes": image.attributes,
        "mix": image.mix,
        "picture": image.start,
        "photo": image.photo,
        "matte": image.matte,
        "quality": image.gated,
        "review": review,
        "findings": findings,
        "file": file_name(image.index, request.format, image.sku, image.repeat),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
