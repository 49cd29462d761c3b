"""The sprite sheets of an ended job. They are not stored: each is drawn on request from the job's images."""

from collections.abc import Iterator
from itertools import groupby, takewhile

from prodgen.errors import ProdgenError, Unavailable
from prodgen.jobs.delivery import images
from prodgen.jobs.record import JobRecord
from prodgen.registry.versions import load_config
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.sprite_sheet import Layout, draw
from prodgen.storage.base import Store


def layout_of(store: Store, record: JobRecord) -> Layout:
    """Return the layout of a job's sheets; raises ProdgenError if the job was not ordered on sheets."""
    if record.spec.output.packaging != "sheet":
        raise ProdgenError(
            f"job {record.id} has no sprite sheets; order them with output.packaging 'sheet'", param="job"
        )
    return Layout(load_config(store, record.model_prefix).side(record.spec.finish), record.total)


def lines_on(store: Store, record: JobRecord, layout: Layout, sheet: int) -> Iterator[ManifestLine]:
    """Yield the manifest lines of the images on a sheet, by index."""
    first = sheet * layout.capacity
    lines = images(store, record, first - 1)
    return takewhile(lambda line: line.index < first + layout.capacity, lines)


def draw_sheet(store: Store, record: JobRecord, layout: Layout, sheet: int) -> bytes:
    """Return sheet number ``sheet`` (from 0) as a PNG. Raises Unavailable if an image is cut short."""
    found = _load(store, record, lines_on(store, record, layout, sheet))
    return draw(layout, sheet, found, marks=record.spec.output.marks == "xmp")


def _load(
    store: Store, record: JobRecord, lines: Iterator[ManifestLine]
) -> Iterator[tuple[ManifestLine, bytes]]:
    """Yield each image's manifest line with its file. One request reads all images that are in one tar."""
    for tar, group in groupby(lines, lambda line: line.object or ""):
        wanted = [(line, line.offset or 0, line.length or 0) for line in group]
        begin, end = wanted[0][1], wanted[-1][1] + wanted[-1][2]
        data = store.get(tar, begin, end - begin)
        if len(data) != end - begin:
            raise Unavailable(f"the images of job {record.id} are not whole in the store")
        for line, offset, length in wanted:
            yield line, data[offset - begin : offset - begin + length]
