"""The formula of an image (all that the image depends on), and the address of an image."""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlencode

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
    model_validator,
)

from prodgen.errors import ProdgenError
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.finish import Finish, extension
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.order import ImageRequest, Mix, complete, resolve_attributes
from prodgen.spec.random_streams import MAX_SEED
from prodgen.spec.redrawing import Found, Picture, Start, known_attributes
from prodgen.spec.validation_errors import explain, explain_errors

Extension = Literal["png", "webp", "jpg", "avif", "gif"]
LOOPS = ("webp", "gif")
"""The formats in which a morph is an animation. In other formats, its images are side by side."""
STILLS = {".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg", ".avif": "avif"}
"""The format of a still image, by the extension of its file name."""
LOOK = "look"
"""The name of an image's latent vector in the argument ``only`` of `morph_of`, beside the attributes."""
OWN = ("size", "background", "truncation", "attempt", "mix", "share", "steps", "picture", "strength")
"""The parameters of an address that are not attributes of the model."""
SIGNED = ("tenant", "expires", "signature")
"""The parameters of a signed address that do not belong to the image."""
_PREFIX = "attribute."
"""Prefix of an attribute in an address: ``attribute.size=L``. Required if `OWN` or `SIGNED` has its name."""
_MIX = "mix."
"""Prefix of an attribute of the image that is mixed in: ``mix.colour=navy``."""
_PICTURE = "picture."
"""Prefix of an attribute of the picture that is redrawn: ``picture.category=shirt``."""
_LATENT = re.compile(r"(\d{1,16})/(\d{1,16})(?:/(\d{1,16}))?", re.ASCII)
MOST_PIXELS = 1 << 24
"""The most pixels of a morph, all images together."""


class Formula(BaseModel):
    """All that one image depends on. Equal formulas make equal images; ``model`` is ``name@version``.

    ``steps`` is the number of images of a morph, in which the share of ``mix`` grows from 0 to 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    seed: int = Field(ge=0, le=MAX_SEED)
    index: int = Field(ge=0, le=MAX_SEED)
    attempt: int = Field(default=0, ge=0, le=MAX_SEED)
    format: Literal["png", "webp", "jpeg", "avif", "gif"]
    attributes: dict[str, str]
    truncation: float = Field(default=1.0, gt=0, le=1)
    finish: Finish = Finish()
    mix: Mix | None = None
    steps: int | None = Field(default=None, ge=2, le=32)
    picture: Picture | None = None
    """The picture to redraw. If set, ``attributes`` holds only the attributes to change, and ``seed`` and
    ``index`` choose where the search for the picture's latent starts."""

    @model_validator(mode="after")
    def _check_morph(self) -> Self:
        if self.format == "gif" and not self.steps:
            raise ValueError("GIF files are loops; add mix and steps, or choose another format")
        if self.steps and self.mix is None:
            raise ValueError("steps lead from one image to another; name the other as mix=SEED/INDEX")
        if self.picture and (self.steps or self.attempt or self.truncation != 1.0):
            raise ValueError("an image that starts from a picture takes no steps, attempt or truncation")
        return self

    @model_serializer(mode="wrap")
    def _omit_unused(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out unused fields that earlier versions of prodgen lack, so that digests stay the same."""
        fields: dict[str, Any] = plain(self)
        return {k: v for k, v in fields.items() if v or k not in ("attempt", "mix", "steps", "picture")}

    @classmethod
    def read(
        cls,
        model: str,
        schema: AttributeSchema,
        place: tuple[int, int, Extension],
        parameters: Iterable[tuple[str, str]],
    ) -> Self:
        """Return the formula of an address. ``place``: the seed, the index and the extension.

        Attributes that ``parameters`` leave out are drawn as in an order. Raises ProdgenError for an unknown
        attribute, a repeated parameter or a wrong value.
        """
        seed, index, ending = place
        given: dict[str, str] = {}
        for name, value in parameters:
            if name in given:
                raise ProdgenError(f"{name} is there twice; an image has one {name}", param=name)
            given[name] = value
        own = {name for name in given if name in OWN or name.startswith((_MIX, _PICTURE))}
        wanted = schema.parse(
            {name.removeprefix(_PREFIX): value for name, value in given.items() if name not in own}
        )
        try:
            formula = cls.model_validate(
                {
                    "model": model,
                    "seed": seed,
                    "index": index,
                    "format": "jpeg" if ending == "jpg" else ending,
                    "attributes": {name: values[0] for name, values in wanted.items()},
                    "finish": {name: given[name] for name in ("size", "background") if name in given},
                    "mix": _mix(schema, given),
                    "picture": _picture(schema, given),
                    **{name: given[name] for name in ("truncation", "attempt", "steps") if name in given},
                }
            )
        except ValidationError as error:
            raise explain_errors(error.errors()) from None
        if formula.picture:
            return formula
        [image] = resolve_attributes(schema, [formula._image(formula.mix)])
        return formula.model_copy(update={"attributes": image.attributes, "mix": image.mix})

    @classmethod
    def of(cls, line: ManifestLine) -> Self:
        """Return the formula of the image of a manifest line. Raises ProdgenError for a redrawn picture."""
        if line.picture:
            raise ProdgenError(f"{line.file} starts from a picture, so it has no seed to make it from")
        fields = {name: getattr(line, name) for name in cls.model_fields if hasattr(line, name)}
        return cls.model_validate({**fields, "index": line.draw})

    @property
    def count(self) -> int:
        """The number of images in the file."""
        return self.steps or 1

    def images(self, found: Found | None = None) -> list[ImageRequest]:
        """Return the requests for the images of the file: one, or one for each step of a morph.

        ``found``: the latent and the attributes that the model has found for `picture`. Raises ProdgenError
        if there is a picture but no ``found``.
        """
        if self.picture:
            if found is None:
                raise ProdgenError("the latent of the picture must be found first", param="picture")
            image = self._image(self.mix).started(Start.of(self.picture, found))
            return [replace(image, mix=image.mix and complete(image.mix, image.attributes))]
        if self.mix is None or self.steps is None:
            return [self._image(self.mix)]
        shares = [step / (self.steps - 1) for step in range(self.steps)]
        return [self._image(self.mix.model_copy(update={"share": share})) for share in shares]

    def _image(self, mix: Mix | None) -> ImageRequest:
        """Return the request for this image, which is the image ``index`` of an order with the same seed."""
        return ImageRequest(self.index, self.seed, self.index, self.attributes, attempt=self.attempt, mix=mix)

    def check_pixels(self, side: int) -> None:
        """Raise ProdgenError if a morph of square images with this ``side`` has more than `MOST_PIXELS`."""
        if self.count > 1 and self.count * side**2 > MOST_PIXELS:
            raise ProdgenError(
                f"{self.count} images of {side} pixels are too large for one file", param="steps"
            )

    @property
    def digest(self) -> str:
        """The sha256 of the formula."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()

    @property
    def path(self) -> str:
        """The address of the image, without the host. Equal formulas have equal addresses."""
        given = {
            "size": self.finish.size,
            "background": self.finish.background,
            "truncation": None if self.truncation == 1.0 else self.truncation,
            "attempt": self.attempt or None,
            "steps": self.steps,
        }
        if mix := self.mix:
            given["mix"] = "/".join(map(str, (mix.seed, mix.draw, mix.attempt)[: 3 if mix.attempt else 2]))
            given["share"] = None if self.steps else mix.share
            others = mix.attributes.items() - self.attributes.items()
            given |= {f"{_MIX}{name}": value for name, value in sorted(others)}
        if picture := self.picture:
            given["picture"] = picture.sha256
            given["strength"] = None if picture.strength == 1.0 else picture.strength
            given |= {f"{_PICTURE}{name}": value for name, value in sorted(picture.attributes.items())}
        shown = {name: value for name, value in given.items() if value is not None}
        attributes = {_parameter(name): value for name, value in self.attributes.items()}
        place = f"{quote(self.model, safe='@')}/{self.seed}/{self.index}.{extension(self.format)}"
        return f"/v1/render/{place}?{urlencode({**attributes, **shown}, safe='/')}".rstrip("?")


def morph_of(
    first: Formula,
    second: Formula,
    *,
    steps: int | None,
    share: float = 0.5,
    only: Collection[str] = (),
    **fields: Any,
) -> Formula:
    """Return the formula of a morph from ``first`` to ``second``; if ``steps`` is None, of a single mix.

    ``only``: the names of the attributes that change, and `LOOK` for the latent; empty for all. ``fields``:
    the format and the finish. Raises ProdgenError if the images have no part of that name, if one of them is
    a mix itself, or if their models differ.
    """
    if first.model != second.model:
        raise ProdgenError(f"the images are of {first.model} and of {second.model}; name two of one version")
    for formula in (first, second):
        if formula.mix:
            raise ProdgenError("an image that is a mix cannot be mixed again; mix its two images")
    parts = (LOOK, *first.attributes)
    for part in only:
        if part not in parts:
            raise ProdgenError(f"an image has no part {part!r}, but {', '.join(parts)}", param="only")
    latent = second if not only or LOOK in only else first
    changed = {name: value for name, value in second.attributes.items() if not only or name in only}
    mix = {
        "seed": latent.seed,
        "draw": latent.index,
        "attempt": latent.attempt,
        "attributes": {**first.attributes, **changed},
        **({} if steps else {"share": share}),
    }
    try:
        return Formula.model_validate({**first.model_dump(), "mix": mix, "steps": steps, **fields})
    except ValidationError as error:
        raise explain(error) from None


def _mix(schema: AttributeSchema, given: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the fields of `Mix` from the parameters of an address; None if it mixes no image in."""
    attributes = {name.removeprefix(_MIX): value for name, value in given.items() if name.startswith(_MIX)}
    if "mix" not in given:
        if attributes or "share" in given:
            raise ProdgenError("name the image that is mixed in as mix=SEED/INDEX", param="mix")
        return None
    if "share" in given and "steps" in given:
        raise ProdgenError("steps have shares from 0 to 1; leave share or steps out", param="share")
    latent = _LATENT.fullmatch(given["mix"])
    if latent is None:
        raise ProdgenError(f"mix must be SEED/INDEX of the other image, not {given['mix']!r}", param="mix")
    seed, draw, attempt = latent.groups(default="0")
    parsed = schema.parse(attributes)
    fields = {"seed": seed, "draw": draw, "attempt": attempt}
    share = {"share": given["share"]} if "share" in given else {}
    return {**fields, **share, "attributes": {name: one for name, [one] in parsed.items()}}


def _picture(schema: AttributeSchema, given: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the fields of `Picture` from the parameters of an address; None if it redraws no picture."""
    said = {name.removeprefix(_PICTURE): value for name, value in given.items() if name.startswith(_PICTURE)}
    if "picture" not in given:
        if said or "strength" in given:
            raise ProdgenError("name the picture that is changed as picture=SHA256", param="picture")
        return None
    strength = {"strength": given["strength"]} if "strength" in given else {}
    return {"sha256": given["picture"], **strength, "attributes": known_attributes(schema, said)}


def _parameter(attribute: str) -> str:
    """Return the name of an attribute's parameter in an address, with `_PREFIX` if the name is reserved."""
    reserved = attribute in (*OWN, *SIGNED) or attribute.startswith((_MIX, _PICTURE))
    return f"{_PREFIX}{attribute}" if reserved else attribute
