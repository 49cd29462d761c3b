"""Orders: what a customer writes, and the image that each index stands for."""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from prodgen.errors import ProdgenError
from prodgen.spec.attributes import AttributeSchema, RequestedValues
from prodgen.spec.finish import Finish, Output
from prodgen.spec.image import ImageRequest
from prodgen.spec.random_streams import MAX_SEED

CELL = 64
"""Images in a cell, the ledger's unit of work."""

Value = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Item(BaseModel):
    """One product of an order: a row of its CSV or JSONL."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    count: int | None = Field(default=None, ge=1)
    attributes: dict[str, Value | list[Value]] = {}
    row: int | None = Field(
        default=None,
        ge=1,
        exclude=True,
        description="The item's row in the uploaded file, for error messages.",
    )


class JobSpec(BaseModel):
    """An order as the customer writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    count: int = Field(default=1, ge=1, description="Images for each item and combination of attributes.")
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    seed_from: Literal["job", "sku"] = "job"
    attributes: dict[str, Value | list[Value]] = {}
    items: list[Item] | None = Field(default=None, min_length=1)
    upload: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None = Field(
        default=None, description="Digest of an uploaded CSV or JSONL that holds the items."
    )
    truncation: float = Field(default=1.0, gt=0, le=1)
    finish: Finish = Finish()
    output: Output = Output()
    priority: Literal["interactive", "bulk"] = "bulk"


@dataclass(frozen=True, slots=True)
class _Row:
    sku: str | None
    values: dict[str, list[str]]
    count: int
    total: int


class Expansion:
    """The images of an order, by index: ``index -> (item, combination, repeat)``, repeats varying fastest.

    Each request is computed when it is read, so an order of many combinations takes no more memory than its
    description. Raises ProdgenError, which names the row, if the model cannot make an item.
    """

    def __init__(self, spec: JobSpec, items: Sequence[Item] | None, schema: AttributeSchema) -> None:
        self.spec = spec
        self._schema = schema
        self._parsed: dict[tuple[object, ...], dict[str, list[str]]] = {}
        common = schema.parse(spec.attributes)
        if items is None:
            self._rows = [_row(None, common, spec.count)]
        else:
            self._rows = [self._item(number, item, common) for number, item in enumerate(items, 1)]
        self._ends = list(accumulate(row.total for row in self._rows))

    def _item(self, number: int, item: Item, common: dict[str, list[str]]) -> _Row:
        try:
            values = self._parse(item.attributes, common)
        except ProdgenError as error:
            where = f"row {item.row}" if item.row else f"item {number}"
            column = (error.param or "").replace("attributes.", "column ")
            raise ProdgenError(f"{where} ({item.sku}): {error}", param=f"{where}, {column}") from None
        return _row(item.sku, values, self.spec.count if item.count is None else item.count)

    def _parse(self, wanted: RequestedValues, common: dict[str, list[str]]) -> dict[str, list[str]]:
        """Return the order's values with the row's own in their place; equal rows share one result."""
        key = tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in wanted.items())
        if key not in self._parsed:
            self._parsed[key] = {**common, **self._schema.parse(wanted)}
        return self._parsed[key]

    @property
    def total(self) -> int:
        """Return the number of images, which may exceed what ``len`` can return."""
        return self._ends[-1]

    def __len__(self) -> int:
        return self.total

    def __getitem__(self, index: int) -> ImageRequest:
        if not 0 <= index < self.total:
            raise IndexError(index)
        at = bisect_right(self._ends, index)
        row = self._rows[at]
        place = index - (self._ends[at - 1] if at else 0)
        combination, repeat = divmod(place, row.count)
        by_sku = self.spec.seed_from == "sku" and row.sku is not None
        return ImageRequest(
            index=index,
            sku=row.sku,
            repeat=place,
            seed=_sku_seed(self.spec.seed, row.sku) if by_sku and row.sku else self.spec.seed,
            draw=repeat if by_sku else index,
            attributes=_combination(row.values, combination),
        )


def _row(sku: str | None, values: dict[str, list[str]], count: int) -> _Row:
    return _Row(sku, values, count, count * prod(len(listed) for listed in values.values()))


def _combination(values: Mapping[str, Sequence[str]], number: int) -> dict[str, str]:
    """Return combination ``number``: one value of each attribute, the last attribute varying fastest."""
    chosen = {}
    for name in reversed([*values]):
        number, at = divmod(number, len(values[name]))
        chosen[name] = values[name][at]
    return {name: chosen[name] for name in values}


def _sku_seed(seed: int, sku: str) -> int:
    """Return the seed of a SKU, which is the same in every order and row."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{sku}".encode()).digest()[:8], "big") & MAX_SEED


def count_cells(total: int) -> int:
    """Return the number of cells of an order of ``total`` images."""
    return -(-total // CELL)
