"""Orders as customers write them, and the request for the image at each index of an order."""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import accumulate
from math import prod
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)
from pydantic.json_schema import SkipJsonSchema

from prodgen.errors import ProdgenError
from prodgen.spec.attributes import AttributeSchema, RequestedValues, Value
from prodgen.spec.finish import Finish, Output
from prodgen.spec.quality import Gated
from prodgen.spec.random_streams import MAX_SEED
from prodgen.spec.redrawing import Picture, Start, known_attributes

CELL = 64
"""The number of images in a cell, the unit of work that the ledger counts."""


def _check_keep(text: str) -> str:
    if not re.fullmatch("[1-9][0-9]{0,4}[dh]", text):
        raise ValueError("write a number of days or hours, such as 30d or 12h")
    return text


Keep = Annotated[str, AfterValidator(_check_keep)]
"""A number of days or hours, such as ``30d`` or ``12h``."""
FOREVER = "forever"
Kept = Annotated[str, AfterValidator(lambda text: text if text == FOREVER else _check_keep(text))]
"""A `Keep`, or ``forever``."""


class Latent(BaseModel):
    """The numbers that give an image's latent vector, as they are in the image's manifest line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(ge=0, le=MAX_SEED)
    draw: int = Field(ge=0, le=MAX_SEED)
    attempt: int = Field(default=0, ge=0, le=MAX_SEED)


class Mix(Latent):
    """Another image that is mixed into an image: its latent vector, its attributes, and its share.

    The latent vectors are interpolated on a great circle, the conditions on a straight line.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    attributes: dict[str, Value] = {}
    """Values of the other image. Attributes left out have the values of the image itself."""
    share: float = Field(default=0.5, ge=0, le=1)
    """0 is the image itself, 1 the other image."""


class Item(BaseModel):
    """One product of an order: a row of the order's CSV or JSONL file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    sku: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """The seller's own name of the product."""
    count: int | None = Field(default=None, ge=1)
    """Images of each combination of attributes; the order's ``count`` if null."""
    attributes: dict[str, Value | list[Value]] = {}
    """The item's own values. Attributes left out have the values of the order."""
    photo: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}(\+[0-9a-f]{64}){0,5}$")] | None = None
    """Digest of an uploaded photograph of the product, for a model that makes pictures of photographs. Of up
    to six digests with ``+`` between them, one picture shows the products together."""
    matte: (
        Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?(\+([0-9a-f]{64})?){0,5}$", min_length=64)]
        | None
    ) = None
    """Digest of an uploaded picture that is white where the product of ``photo`` is, and black elsewhere: the
    product is cut out by it. Of several photographs, their mattes have ``+`` between them in the same order;
    the place of a photograph without one is empty."""
    latent: Latent | None = None
    """The latent vector of each image of the item, in place of one that the order's ``seed`` gives."""
    mix: Mix | None = None
    """Another image that is mixed into each image of the item."""
    picture: Picture | None = None
    """An uploaded picture that the model draws again: its digest as ``sha256``, what it shows as
    ``attributes``, and the ``strength`` of the change (0 to 1). The attributes of the item and of the order
    change; those left out stay the picture's. ``latent`` says where the search for the picture starts."""
    row: int | None = Field(default=None, ge=1, exclude=True)
    """The item's row in the uploaded file, for error messages."""


class JobSpec(BaseModel):
    """An order as the customer writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """``NAME``, ``NAME@ALIAS`` or ``NAME@VERSION``; ``NAME`` means ``NAME@production``."""
    count: int = Field(default=1, ge=1)
    """Images for each item and combination of attributes."""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    """The number that chooses the images: the same seed gives the same images."""
    seed_from: Literal["job", "sku"] = "job"
    """``sku``: the images of a SKU depend on the seed and the SKU only, and look the same in every order."""
    attributes: dict[str, Value | list[Value]] = {}
    """A value, or a list of values, by attribute. Attributes left out are drawn as in the training data."""
    prompt: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    """The wish in words, English or Chinese, such as ``three navy t-shirts``. Attributes, ``count`` and a
    background that the order names itself come before the prompt's."""
    items: list[Item] | None = Field(default=None, min_length=1)
    """The products of the order, if they are not in an ``upload``."""
    upload: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None = None
    """Digest of an uploaded CSV or JSONL that holds the items."""
    columns: dict[Value, Value] | None = Field(default=None, min_length=1)
    """The upload's columns to read, by ``sku``, ``count`` or the attribute; all others are skipped."""
    truncation: float = Field(default=1.0, gt=0, le=1)
    """How far latents may lie from the mean: below 1, images are safer and less various."""
    finish: Finish = Finish()
    """Size, background and variations of the images."""
    output: Output = Output()
    """The format of the image files, and how the store holds them."""
    priority: Literal["interactive", "bulk"] = "bulk"
    """``interactive``: a person waits for the images, at most 64."""
    keep: Keep | None = None
    """How long after its end the order is kept, such as ``30d`` or ``12h``; null: as long as its tenant keeps
    orders. Then it is deleted with its images."""
    quality_gate: bool = False
    """Make an image again, by up to three further attempts, while its product's colour is further from the
    requested one than the version's threshold. For models with colours and transparency."""
    finish_by: AwareDatetime | None = None
    """The deadline, such as ``2026-12-24T18:00:00+01:00``. The order ends without the images that no worker
    has taken by then. A retry of the order has no deadline."""
    webhook: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = None
    """The ``https`` URL that receives a message when the order has ended."""
    title: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    """The name by which people find the order again. It does not change the images."""
    pictures: SkipJsonSchema[bool] = False
    """Whether an item has a ``picture``. The service sets this field when it accepts the order."""

    @model_serializer(mode="wrap")
    def _omit_unused(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out newer fields that are off, so that earlier versions of prodgen read the order."""
        fields: dict[str, Any] = plain(self)
        return {k: v for k, v in fields.items() if v or k not in ("quality_gate", "pictures")}


RESERVED = frozenset({*JobSpec.model_fields, *Item.model_fields, "file", "split"})
"""Names that no attribute of a new model may have: fields of orders or columns of tables have them."""


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """The request for one image of an order.

    ``draw`` is the image's position in the random streams of ``seed``. ``repeat`` numbers an item's images.
    ``gated``: how the image passed the quality gate; None without a gate. ``picture``: the picture to redraw;
    ``start``: what the model has found for it, None until then, or if the latent vector comes from ``seed``.
    """

    index: int
    seed: int
    draw: int
    attributes: dict[str, str]
    sku: str | None = None
    repeat: int = 0
    attempt: int = 0
    photo: str | None = None
    matte: str | None = None
    mix: Mix | None = None
    gated: Gated | None = None
    picture: Picture | None = None
    start: Start | None = None

    def started(self, start: Start) -> "ImageRequest":
        """Return the request with the start of its picture, whose attributes it keeps where it has no own."""
        return replace(self, start=start, attributes={**start.attributes, **self.attributes})


@dataclass(frozen=True, slots=True)
class Row:
    """The images of one item: ``count`` images of each combination of ``values``, ``total`` images in all."""

    sku: str | None
    values: dict[str, list[str]]
    count: int
    total: int
    photo: str | None = None
    matte: str | None = None
    latent: Latent | None = None
    mix: Mix | None = None
    picture: Picture | None = None


class RowParser:
    """Turns the items of an order into rows. Rows with equal attributes share one dict ``values``."""

    CACHED = 10_000

    def __init__(self, spec: JobSpec, schema: AttributeSchema) -> None:
        self._spec, self._schema = spec, schema
        self._common = schema.parse(spec.attributes)
        self._parsed: dict[tuple[object, ...], dict[str, list[str]]] = {}

    def single(self) -> Row:
        """Return the only row of an order that has no items."""
        return _row(None, self._common, self._spec.count)

    def row(self, number: int, item: Item) -> Row:
        """Return the row of item ``number``. Raises ProdgenError if the model cannot make the item."""
        try:
            values, mix, picture = self._parse(item.attributes), self._mix(item), self._picture(item)
        except ProdgenError as error:
            raise item_fault(item, number, error) from None
        count = self._spec.count if item.count is None else item.count
        row = _row(item.sku, values, count)
        latent = item.latent or (Latent(seed=0, draw=0) if picture else None)
        return replace(row, photo=item.photo, matte=item.matte, latent=latent, mix=mix, picture=picture)

    def _mix(self, item: Item) -> Mix | None:
        if item.mix is None:
            return None
        if item.photo:
            raise ProdgenError("pictures of photographs cannot be mixed; leave mix out", param="mix")
        parsed = self._schema.parse({**item.mix.attributes})
        return item.mix.model_copy(update={"attributes": {name: one for name, [one] in parsed.items()}})

    def _picture(self, item: Item) -> Picture | None:
        if item.picture is None:
            return None
        if self._spec.truncation != 1.0 or (item.latent and item.latent.attempt):
            raise ProdgenError(
                "an image that starts from a picture takes no attempt or truncation", param="picture"
            )
        known = known_attributes(self._schema, {**item.picture.attributes})
        return item.picture.model_copy(update={"attributes": known})

    def _parse(self, wanted: RequestedValues) -> dict[str, list[str]]:
        """Return the values of each attribute: the item's, or the order's if the item leaves it out."""
        key = tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in wanted.items())
        if key not in self._parsed:
            if len(self._parsed) >= self.CACHED:
                self._parsed.clear()
            self._parsed[key] = {**self._common, **self._schema.parse(wanted)}
        return self._parsed[key]


class Expansion:
    """A sequence of the image requests of an order: sorted by item, then by combination, then by repeat.

    Each request is computed when it is read, so the sequence needs little memory. The constructor raises
    ProdgenError, which names the row, if the model cannot make an item. ``items`` may be a part of the items
    of the order; ``first`` is the index of the first image of that part.
    """

    def __init__(
        self, spec: JobSpec, items: Iterable[Item] | None, schema: AttributeSchema, first: int = 0
    ) -> None:
        self.spec, self.first = spec, first
        parser = RowParser(spec, schema)
        if items is None:
            self._rows = [parser.single()]
        else:
            self._rows = [parser.row(number, item) for number, item in enumerate(items, 1)]
        self._ends = list(accumulate(row.total for row in self._rows))

    @property
    def total(self) -> int:
        """The number of images. Unlike ``len``, it has no upper limit."""
        return self._ends[-1]

    def __len__(self) -> int:
        return self.total

    def __getitem__(self, index: int) -> ImageRequest:
        own = index - self.first
        if not 0 <= own < self.total:
            raise IndexError(index)
        at = bisect_right(self._ends, own)
        row = self._rows[at]
        place = own - (self._ends[at - 1] if at else 0)
        combination, repeat = divmod(place, row.count)
        by_sku = self.spec.seed_from == "sku" and row.sku is not None
        seed = sku_seed(self.spec.seed, row.sku) if by_sku and row.sku else self.spec.seed
        latent, draw = row.latent, repeat if by_sku else index
        return ImageRequest(
            index=index,
            sku=row.sku,
            repeat=place,
            seed=latent.seed if latent else seed,
            draw=latent.draw if latent else draw,
            attempt=latent.attempt if latent else 0,
            attributes=_combination(row.values, combination),
            photo=row.photo,
            matte=row.matte,
            mix=row.mix,
            picture=row.picture,
        )


def keep_time(keep: Keep) -> timedelta:
    """Return ``keep``, such as ``30d`` or ``12h``, as a timedelta."""
    return timedelta(**{{"d": "days", "h": "hours"}[keep[-1]]: int(keep[:-1])})


def item_fault(item: Item, number: int, error: ProdgenError) -> ProdgenError:
    """Return a copy of ``error`` whose message and ``param`` name the item's row, or else its ``number``."""
    where = f"row {item.row}" if item.row else f"item {number}"
    column = (error.param or "").replace("attributes.", "column ")
    return ProdgenError(f"{where} ({item.sku}): {error}", param=f"{where}, {column}")


def _row(sku: str | None, values: dict[str, list[str]], count: int) -> Row:
    return Row(sku, values, count, count * prod(len(listed) for listed in values.values()))


def _combination(values: Mapping[str, Sequence[str]], number: int) -> dict[str, str]:
    """Return combination ``number``: one value of each attribute. The last attribute changes fastest."""
    chosen = {}
    for name in reversed([*values]):
        number, at = divmod(number, len(values[name]))
        chosen[name] = values[name][at]
    return {name: chosen[name] for name in values}


def sku_seed(seed: int, sku: str) -> int:
    """Return the seed of a SKU, computed from the order's ``seed`` and ``sku`` only."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{sku}".encode()).digest()[:8], "big") & MAX_SEED


def count_cells(total: int) -> int:
    """Return the number of cells of an order of ``total`` images."""
    return -(-total // CELL)


def resolve_attributes(schema: AttributeSchema, images: list[ImageRequest]) -> list[ImageRequest]:
    """Return the requests with a value for every attribute; missing values are drawn as in training.

    An attribute that a mix leaves out gets its value in the image itself.
    """
    drawn = schema.resolve([i.attributes for i in images], [i.seed for i in images], [i.draw for i in images])
    return [
        replace(image, attributes=attributes, mix=image.mix and complete(image.mix, attributes))
        for image, attributes in zip(images, drawn, strict=True)
    ]


def complete(mix: Mix, attributes: Mapping[str, str]) -> Mix:
    """Return a mix with a value for every attribute: its own, or that of the image itself."""
    return mix.model_copy(update={"attributes": {**attributes, **mix.attributes}})
