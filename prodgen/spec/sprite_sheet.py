"""Sprite sheets: the images of an order side by side in a few large PNG files, with an atlas for each.

The place of an image follows from its index, the size of the images and their number. An atlas is JSON in the
format of TexturePacker (hash), which game engines read.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from prodgen.spec.manifest import ManifestLine
from prodgen.spec.provenance import GENERATED, make_xmp

SIDE = 2048
"""The greatest side of a sheet in pixels. Every graphics card can load such a sheet."""
GAP = 2
"""Transparent pixels between images, so that a scaled image does not show the edge of its neighbour."""


@dataclass(frozen=True)
class Layout:
    """The places of ``total`` square images of side ``size`` on sheets, in rows, sorted by index."""

    size: int
    total: int

    @property
    def columns(self) -> int:
        """The number of images in a row. It is also the number of rows on a full sheet."""
        return (SIDE + GAP) // (self.size + GAP)

    @property
    def capacity(self) -> int:
        """The number of images on a full sheet. The last sheet may have fewer."""
        return self.columns**2

    @property
    def sheets(self) -> int:
        """The number of sheets."""
        return -(-self.total // self.capacity)

    def dimensions(self, sheet: int) -> tuple[int, int]:
        """Return (width, height) of a sheet in pixels. The last sheet has no empty rows or columns."""
        images = min(self.capacity, self.total - sheet * self.capacity)
        columns, rows = min(images, self.columns), -(-images // self.columns)
        return self._edge(columns) - GAP, self._edge(rows) - GAP

    def frame(self, index: int) -> tuple[int, int, int, int]:
        """Return left, top, width and height of an image on its sheet, in pixels."""
        row, column = divmod(index % self.capacity, self.columns)
        return self._edge(column), self._edge(row), self.size, self.size

    def place(self, line: ManifestLine, sha256: str = "") -> ManifestLine:
        """Return an image's manifest line with the sheet as its ``file``, and with its place as ``frame``.

        ``sha256`` is the digest of the sheet's PNG file.
        """
        file = f"{sheet_name(line.index // self.capacity)}.png"
        return line.model_copy(update={"file": file, "frame": self.frame(line.index), "sha256": sha256})

    def _edge(self, number: int) -> int:
        return number * (self.size + GAP)


@dataclass(frozen=True)
class Sheet:
    """A sheet: its name without extension, its PNG file, its atlas, and the manifest lines of its images."""

    name: str
    png: bytes
    atlas: bytes
    lines: list[ManifestLine]


def sheet_name(number: int) -> str:
    """Return the name of a sheet's files, without their extension."""
    return f"sprites-{number}"


def pack(layout: Layout, images: Iterable[tuple[ManifestLine, bytes]]) -> Iterator[Sheet]:
    """Yield the sheets of ``images``: pairs of a manifest line and an image file, sorted by index."""
    for number, group in groupby(images, lambda image: image[0].index // layout.capacity):
        held = list(group)
        png = draw(layout, number, held, marks=True)
        digest = hashlib.sha256(png).hexdigest()
        lines = [layout.place(line, digest) for line, _ in held]
        yield Sheet(sheet_name(number), png, atlas(layout, number, (line for line, _ in held)), lines)


def draw(layout: Layout, sheet: int, images: Iterable[tuple[ManifestLine, bytes]], *, marks: bool) -> bytes:
    """Return the PNG file of sheet number ``sheet``. The place of a missing image stays transparent.

    ``images``: pairs of a manifest line and an image file. ``marks``: whether to write marks into the PNG.
    """
    canvas = Image.new("RGBA", layout.dimensions(sheet))
    for line, data in images:
        canvas.paste(Image.open(io.BytesIO(data)).convert("RGBA"), layout.frame(line.index)[:2])
    buffer, info = io.BytesIO(), PngInfo()
    if marks:
        info.add_itxt("XML:com.adobe.xmp", make_xmp(GENERATED, {}).decode())
    canvas.save(buffer, "png", pnginfo=info)
    return buffer.getvalue()


def atlas(layout: Layout, sheet: int, lines: Iterable[ManifestLine]) -> bytes:
    """Return the atlas (JSON) of sheet number ``sheet``: the place of each image, by its file name."""
    frames = {}
    for line in lines:
        x, y, w, h = layout.frame(line.index)
        frames[line.file] = {
            "frame": {"x": x, "y": y, "w": w, "h": h},
            "rotated": False,
            "trimmed": False,
            "spriteSourceSize": {"x": 0, "y": 0, "w": w, "h": h},
            "sourceSize": {"w": w, "h": h},
        }
    width, height = layout.dimensions(sheet)
    meta = {
        "app": "prodgen",
        "version": "1.0",
        "image": f"{sheet_name(sheet)}.png",
        "format": "RGBA8888",
        "size": {"w": width, "h": height},
        "scale": "1",
        "related_multi_packs": [f"{sheet_name(k)}.json" for k in range(layout.sheets) if k != sheet],
    }
    return json.dumps({"frames": frames, "meta": meta}, indent=1).encode()
