"""Images from Python, with no service anywhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Self

from PIL import Image
from pydantic import ValidationError

from prodgen.generation.encode import decode, to_image
from prodgen.generation.engine import Engine, Request, Ticket
from prodgen.generation.manifest import describe
from prodgen.models import SavedModel, load_model
from prodgen.spec.explain import explain
from prodgen.spec.image import resolve
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.order import Expansion, JobSpec

_CHUNK = 1024
_WORTH_TUNING = 4096
"""Images of an order that repay the second that tuning takes."""


@dataclass(frozen=True)
class Generated:
    """Images and, for each, the manifest line that makes it again."""

    images: list[Image.Image]
    manifest: list[ManifestLine]


class Pipeline:
    """A model ready to make images, until it is closed.

    >>> Pipeline.from_pretrained("fashion-mnist")(category="sneaker", count=16, seed=7).images
    """

    def __init__(self, model: SavedModel, engine: Engine) -> None:
        self.model, self.engine = model, engine
        self._tuned = False

    @classmethod
    def from_pretrained(cls, ref: str | Path, device: str | None = None) -> Self:
        """The pipeline of a bundled name, a folder, or a hub's ``owner/name``."""
        engine = Engine(device)
        try:
            return cls(load_model(ref, device=engine.device), engine)
        except BaseException:
            engine.close()
            raise

    def close(self) -> None:
        """End its threads."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(
        self, *, count: int = 1, seed: int = 0, truncation: float = 1.0, **options: Any
    ) -> Generated:
        """``count`` images of every combination of the attributes; ``finish`` and ``output`` as in a job.

        Raises ProdgenError for an attribute or value that the model does not have.
        """
        parts = {k: options.pop(k) for k in ("finish", "output") if k in options}
        spec = make_spec(
            model=self.model.ref, count=count, seed=seed, truncation=truncation, attributes=options, **parts
        )
        made = list(self.stream(spec))
        return Generated([to_image(decode(data)) for _, data in made], [line for line, _ in made])

    def count(self, spec: JobSpec) -> int:
        """How many images the order makes; raises ProdgenError if the model cannot make it."""
        return Expansion(spec, spec.items, self.model.config.attributes).total

    def outline(self, spec: JobSpec) -> Iterator[ManifestLine]:
        """The manifest of an order that is not made yet: its lines without the right sha256."""
        expansion = Expansion(spec, spec.items, self.model.config.attributes)
        for start in range(0, expansion.total, _CHUNK):
            request = self._request(spec, expansion, start)
            yield from (describe(request, image, b"") for image in request.images)

    def stream(self, spec: JobSpec) -> Iterator[tuple[ManifestLine, bytes]]:
        """The files of an order, one by one, each with its manifest line."""
        expansion = Expansion(spec, spec.items, self.model.config.attributes)
        if expansion.total >= _WORTH_TUNING and not self._tuned:
            self.engine.forward.tune(self.model)
            self._tuned = True
        requests = (self._request(spec, expansion, at) for at in range(0, expansion.total, _CHUNK))
        for ticket in self._one_ahead(requests):
            for image, data in zip(ticket.request.images, ticket, strict=True):
                yield describe(ticket.request, image, data), data

    def _one_ahead(self, requests: Iterator[Request]) -> Iterator[Ticket]:
        """A ticket for each, the next already submitted, so that the device does not wait for the caller."""
        ahead: Ticket | None = None
        try:
            for request in chain(requests, [None]):
                now, ahead = ahead, self.engine.submit(request) if request else None
                if now:
                    yield now
        finally:
            if ahead:
                ahead.cancel()

    def _request(self, spec: JobSpec, expansion: Expansion, start: int) -> Request:
        images = [expansion[k] for k in range(start, min(start + _CHUNK, expansion.total))]
        return Request(
            self.model,
            resolve(self.model.config.attributes, images),
            spec.truncation,
            spec.finish,
            spec.output.format,
        )


def make_spec(**fields: Any) -> JobSpec:
    """A JobSpec; raises ProdgenError with one sentence for what is wrong."""
    try:
        return JobSpec.model_validate(fields)
    except ValidationError as error:
        raise explain(error) from None
