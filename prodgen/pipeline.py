"""Generate images from Python, without a service."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from PIL import Image
from pydantic import ValidationError

from prodgen.errors import ProdgenError
from prodgen.generation.engine import Engine
from prodgen.generation.formula import file_of, request_of
from prodgen.generation.request import Request, Response, manifest_line
from prodgen.models import SavedModel, load_model
from prodgen.spec.formula import Formula, morph_of
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.order import Expansion, JobSpec, resolve_attributes
from prodgen.spec.prompt import read_order
from prodgen.spec.redrawing import Found
from prodgen.spec.validation_errors import explain

if TYPE_CHECKING:
    from prodgen.photographs.cutters import Cutter

_CHUNK = 1024
_WORTH_TUNING = 4096
"""The minimum number of images in an order for which the engine is tuned first. Tuning takes a second."""


@dataclass(frozen=True)
class Generated:
    """Images, and for each image a manifest line from which the same image can be generated again."""

    images: list[Image.Image]
    manifest: list[ManifestLine]


@dataclass(frozen=True)
class Redrawn:
    """``data``: the file of a redrawn picture. ``found``: the latent, among others, found for the picture."""

    data: bytes
    found: Found


class Pipeline:
    """A loaded model that generates images until it is closed. Does not change torch's global settings.

    >>> Pipeline.from_pretrained("fashion-mnist")(category="sneaker", count=16, seed=7).images
    """

    def __init__(self, model: SavedModel, engine: Engine) -> None:
        self.model, self.engine = model, engine
        self._tuned = False

    @classmethod
    def from_pretrained(cls, ref: str | Path, device: str | None = None) -> Self:
        """Load a model by its bundled name, its folder, or its ``owner/name`` on the Hugging Face hub."""
        engine = Engine(device)
        try:
            return cls(load_model(ref, device=engine.device), engine)
        except BaseException:
            engine.close()
            raise

    def close(self) -> None:
        """End the engine's threads. The pipeline cannot generate images after this call."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(
        self, prompt: str | None = None, *, seed: int = 0, truncation: float = 1.0, **options: Any
    ) -> Generated:
        """Generate ``count`` images (default: 1) for each combination of the attributes in ``options``.

        ``prompt`` names attributes, a count and a background in words. If ``options`` names the same thing,
        ``options`` counts. ``count``, ``finish`` and ``output`` in ``options`` have the same form as in a
        job. Raises ProdgenError for an attribute or value that the model does not have.
        """
        parts = {k: options.pop(k) for k in ("count", "finish", "output") if k in options}
        fields: dict[str, Any] = {"seed": seed, "truncation": truncation, "attributes": options}
        wish = make_spec(model=self.model.id, prompt=prompt, **fields, **parts)
        made = list(self.stream(read_order(wish, self.model.config)[0]))
        return Generated([_open(data) for _, data in made], [line for line, _ in made])

    def morph(
        self,
        first: ManifestLine,
        second: ManifestLine,
        *,
        steps: int | None = 8,
        share: float = 0.5,
        only: Collection[str] = (),
        format: str = "png",
        finish: dict[str, Any] | None = None,
    ) -> bytes:
        """Return the file of a morph from the image ``first`` to ``second``, a row of ``steps`` mixes.

        If ``steps`` is None, returns one mix, with ``share`` of the second image. WebP and GIF are looping
        animations; in other formats the images lie side by side. ``only``: the parts that change, ``look``
        (the latent vector) or attributes; empty: every part. The truncation is that of ``first``.
        """
        fields: dict[str, Any] = {"format": format, "finish": finish or {}}
        pair = (Formula.of(first), Formula.of(second))
        return self.render(morph_of(*pair, steps=steps, share=share, only=only, **fields))

    def redraw(
        self,
        picture: bytes,
        changes: Mapping[str, str] | None = None,
        *,
        was: Mapping[str, str] | None = None,
        strength: float = 1.0,
        seed: int = 0,
        format: str = "png",
        finish: dict[str, Any] | None = None,
        cutter: "Cutter | None" = None,
    ) -> Redrawn:
        """Redraw the picture in a file. Returns the new file, and what was found for the picture.

        ``changes``: attributes to change. ``strength``: how much, from 0 to 1. ``was``: attributes that the
        picture has; the other attributes are read from it. With another ``seed``, the search for the latent
        starts at another point. Raises ProdgenError if the file shows no product.
        """
        from prodgen.photographs.cutters import load_cutter
        from prodgen.photographs.redraw import redraw

        schema = self.model.config.attributes
        given = {f"picture.{name}": value for name, value in (was or {}).items()}
        digest = hashlib.sha256(picture).hexdigest()
        parameters = {**(changes or {}), **given, "picture": digest, "strength": str(strength)}
        formula = Formula.read(self.model.id, schema, (seed, 0, "png"), parameters.items())
        formula = self._checked(formula, format, finish)
        known = formula.picture.attributes if formula.picture else {}
        forward = self.engine.forward
        found = redraw(forward, self.model, picture, known, cutter or load_cutter(), seed).found
        return Redrawn(self.render(formula, found), found)

    def render(self, formula: Formula, found: Found | None = None) -> bytes:
        """Return the file of the image that a formula names.

        ``found``: what was found for the formula's picture; None without a picture. Raises ProdgenError for a
        formula of another model.
        """
        if formula.model != self.model.id:
            raise ProdgenError(f"the image is one of {formula.model}, not of {self.model.id}", param="model")
        return file_of(formula, self.engine.submit(request_of(self.model, formula, found=found)))

    def _checked(self, formula: Formula, format: str, finish: dict[str, Any] | None) -> Formula:
        try:
            return Formula.model_validate({**formula.model_dump(), "format": format, "finish": finish or {}})
        except ValidationError as error:
            raise explain(error) from None

    def count(self, spec: JobSpec) -> int:
        """Return how many images the order asks for; raises ProdgenError if the model cannot make them."""
        return self._expansion(spec).total

    def planned_manifest(self, spec: JobSpec) -> Iterator[ManifestLine]:
        """Yield an order's manifest lines without generating images. Each has the sha256 of an empty file."""
        for request in self._requests(spec):
            yield from (manifest_line(request, image, b"") for image in request.images)

    def stream(self, spec: JobSpec) -> Iterator[tuple[ManifestLine, bytes]]:
        """Generate the images of an order one by one; yield the manifest line and the file of each."""
        if self.count(spec) >= _WORTH_TUNING and not self._tuned:
            self.engine.forward.tune(self.model)
            self._tuned = True
        for response in self._submit_ahead(self._requests(spec)):
            for image, data in zip(response.request.images, response, strict=True):
                yield manifest_line(response.request, image, data), data

    def _submit_ahead(self, requests: Iterator[Request]) -> Iterator[Response]:
        """Yield the response to each request, in order.

        Submits the next request before it yields a response, so that the device always has work.
        """
        ahead: Response | None = None
        try:
            for request in chain(requests, [None]):
                now, ahead = ahead, self.engine.submit(request) if request else None
                if now:
                    yield now
        finally:
            if ahead:
                ahead.cancel()

    def _expansion(self, spec: JobSpec) -> Expansion:
        if spec.quality_gate:
            raise ProdgenError("quality_gate is for orders of a service; leave it out", param="quality_gate")
        if any(item.picture for item in spec.items or ()):
            raise ProdgenError(
                "pictures in items are for orders of a service; use Pipeline.redraw", param="items"
            )
        self.model.config.check_finish(spec.finish)
        return Expansion(spec, spec.items, self.model.config.attributes)

    def _requests(self, spec: JobSpec) -> Iterator[Request]:
        expansion, schema = self._expansion(spec), self.model.config.attributes
        for start in range(0, expansion.total, _CHUNK):
            images = [expansion[k] for k in range(start, min(start + _CHUNK, expansion.total))]
            resolved = resolve_attributes(schema, images)
            yield Request(
                self.model,
                resolved,
                spec.truncation,
                spec.finish,
                spec.output.format,
                marks=spec.output.marks != "none",
            )


def _open(data: bytes) -> Image.Image:
    """Return the image in a file. Its ``info["xmp"]`` has the marks, so that the caller can save them too."""
    image = Image.open(BytesIO(data))
    image.load()
    return image


def make_spec(**fields: Any) -> JobSpec:
    """Return the JobSpec with these fields. Raises ProdgenError with one sentence if a field is wrong."""
    try:
        return JobSpec.model_validate(fields)
    except ValidationError as error:
        raise explain(error) from None
