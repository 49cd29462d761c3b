"""The items of a job in the store. They are written and read in blocks, so many items need little memory.

``items.jsonl`` has a line for each item. ``items.index.json`` gives the offset and the first image of each
block of lines. A job of an older version of prodgen has no index; all its items are read at once.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, TypeAdapter, ValidationError

from prodgen.errors import NotFound, ProdgenError, Unsupported
from prodgen.jobs.order_file import read_order
from prodgen.jobs.record import JobRecord
from prodgen.registry.versions import load_config
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.order import Expansion, ImageRequest, Item, JobSpec, RowParser
from prodgen.spec.validation_errors import explain
from prodgen.storage import keys
from prodgen.storage.base import Store, download

BLOCK = 1000
"""The number of items in a block."""
MAX_FAULTS = 100
"""The most faulty rows that one error lists."""
MAX_COUNTED = 10_000
"""The most faulty rows that are counted. Checking stops there, because faulty rows take the most time."""

_Items = TypeAdapter(list[Item])


class Index(BaseModel, frozen=True):
    """items.index.json. ``total``: the number of images of all items. ``size``: the bytes of items.jsonl.

    ``blocks``: for each block, the index of its first image, and its offset in items.jsonl in bytes.
    ``pictures``: whether an item has a picture.
    """

    total: int
    size: int
    blocks: list[tuple[int, int]]
    pictures: bool = False


@contextmanager
def uploaded_items(
    store: Store, upload: str, attributes: Iterable[str], columns: Mapping[str, str] | None = None
) -> Iterator[Iterator[Item | ProdgenError]]:
    """Open the uploaded order file with the key ``upload`` within the block, and yield its items.

    Yields an error for each faulty row, see `read_order`. Raises NotFound if there is no such upload.
    """
    with TemporaryDirectory(prefix="prodgen-order-") as folder:
        path = Path(folder) / "order"
        download(store, upload, path)
        with path.open("rb") as file:
            yield read_order(file, attributes, columns)


@contextmanager
def stored_items(store: Store, tenant: str, job: str) -> Iterator[Iterator[Item]]:
    """Open the stored items of ``job`` within the block, and yield them. Raises NotFound if it has none."""
    with TemporaryDirectory(prefix="prodgen-order-") as folder:
        path = Path(folder) / "items.jsonl"
        download(store, keys.job(tenant, job, "items.jsonl"), path)
        with path.open("rb") as file:
            yield map(Item.model_validate_json, file)


def write_items(
    items: Iterable[Item | ProdgenError], spec: JobSpec, schema: AttributeSchema, path: Path
) -> Index:
    """Check each item against the model and write it to ``path``. Returns the index of the file.

    Raises ProdgenError if the model cannot make an item. The error lists and counts the faulty rows.
    """
    parser, faults, more = RowParser(spec, schema), list[ProdgenError](), 0
    blocks, total, size, pictures = list[tuple[int, int]](), 0, 0, False

    def note(fault: ProdgenError) -> None:
        nonlocal more
        if len(faults) < MAX_FAULTS:
            faults.append(fault)
        else:
            more += 1

    with path.open("wb") as file:
        try:
            for number, item in enumerate(items):
                if len(faults) + more >= MAX_COUNTED:
                    break
                if isinstance(item, ProdgenError):
                    note(item)
                    continue
                try:
                    row = parser.row(number + 1, item)
                except ProdgenError as error:
                    note(error)
                    continue
                if number % BLOCK == 0:
                    blocks.append((total, size))
                total += row.total
                pictures = pictures or row.picture is not None
                size += file.write(item.model_dump_json(exclude_defaults=True).encode() + b"\n")
        except ProdgenError as error:  # the rest of the file cannot be read
            note(error)
    if not faults:
        return Index(total=total, size=size, blocks=blocks, pictures=pictures)
    first, others = faults[0], len(faults) - 1 + more
    if not others:
        raise first
    at_least = "at least " * (others + 1 >= MAX_COUNTED)
    sentence = f"{first} (and {at_least}{others:,} more row{'s' * (others > 1)} cannot be made)"
    raise ProdgenError(sentence, param=first.param, details=tuple(faults), more=more)


def read_items(store: Store, record: JobRecord) -> list[Item]:
    """Return all items of a job."""
    return _parse_items(store.get(keys.job(record.tenant, record.id, "items.jsonl")))


def _parse_items(lines: bytes) -> list[Item]:
    try:
        return _Items.validate_json(b"[" + b",".join(lines.splitlines()) + b"]")  # one parse is the fastest
    except ValidationError as error:
        raise Unsupported(f"its items.jsonl cannot be read here: {explain(error, 'it')}") from None


class JobImages:
    """The image requests of a job by index. Reads blocks of items when needed, and keeps a few in memory."""

    KEPT = 4

    def __init__(self, store: Store, record: JobRecord) -> None:
        self._store, self._record = store, record
        self._schema = load_config(store, record.model_prefix).attributes
        self._index = _read_index(store, record) if record.items else None
        self._block = lru_cache(self.KEPT)(self._read_block)

    def __getitem__(self, index: int) -> ImageRequest:
        if self._index is None:
            return self._block(0)[index]
        return self._block(bisect_right(self._index.blocks, (index, self._index.size)) - 1)[index]

    def _read_block(self, number: int) -> Expansion:
        if self._index is None:
            return Expansion(self._record.spec, None, self._schema)
        first, offset = self._index.blocks[number]
        ends = [*(start for _, start in self._index.blocks), self._index.size]
        key = keys.job(self._record.tenant, self._record.id, "items.jsonl")
        items = _parse_items(self._store.get(key, offset, ends[number + 1] - offset))
        return Expansion(self._record.spec, items, self._schema, first)


def _read_index(store: Store, record: JobRecord) -> Index:
    try:
        return Index.model_validate_json(store.get(keys.job(record.tenant, record.id, "items.index.json")))
    except NotFound:
        size = store.stat(keys.job(record.tenant, record.id, "items.jsonl")).size
        return Index(total=record.total, size=size, blocks=[(0, 0)])
