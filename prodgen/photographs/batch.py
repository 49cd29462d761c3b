"""Make the catalogue pictures of many photographs in a folder, and set aside what is not trusted."""

import json
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from prodgen.catalog.picture_files import decode_or_fault
from prodgen.catalog.prepared_catalogue import write_jsonl
from prodgen.generation.encode import encode_image
from prodgen.generation.sheet import contact_sheet
from prodgen.photographs.cutout import CutOut, cut_out
from prodgen.photographs.cutters import Cutter
from prodgen.photographs.edit import LARGEST_SIDE, Edit, doubts_about_colour, make_pictures
from prodgen.spec.finish import extension, safe_name
from prodgen.spec.provenance import make_xmp, read_provenance

_SHEET, _THUMBNAIL = 60, 256
"""Largest number of pictures on the contact sheet, and the side of each in pixels."""
_MAGENTA = np.array([255, 0, 255])


class Batch:
    """Writes pictures, manifest.jsonl, sheet.png and review/ to ``out``, an empty folder.

    With ``force``, a product is also delivered if its cut-out is not trusted.
    """

    def __init__(self, out: Path, cutter: Cutter, edit: Edit, *, force: bool = False) -> None:
        self.made = 0
        self.review: list[dict[str, str]] = []
        self._out, self._cutter, self._edit, self._force = out, cutter, edit, force
        self._sheet: list[tuple[Image.Image, str]] = []
        self._names: dict[str, int] = {}

    def run(self, photographs: Sequence[Path], progress: Callable[[int], None] = lambda done: None) -> None:
        """Make the pictures of all photographs; ``progress`` is called with the number that is done."""
        with (self._out / "manifest.jsonl").open("w") as manifest:
            for done, path in enumerate(photographs, 1):
                for row in self._pictures_of(path):
                    manifest.write(json.dumps(row) + "\n")
                manifest.flush()
                progress(done)
        if self._sheet:
            sheet = contact_sheet(*zip(*self._sheet, strict=True))
            (self._out / "sheet.png").write_bytes(encode_image(sheet, "png", make_xmp("composite", {})))
        if self.review:
            (self._out / "review").mkdir(exist_ok=True)
            write_jsonl(self._out / "review" / "review.jsonl", self.review)

    def _pictures_of(self, path: Path) -> list[dict[str, Any]]:
        """Write the pictures of one photograph; return their manifest lines, or none if it is set aside."""
        stem = self._unique(_safe(path.stem))
        decoded = decode_or_fault(path, LARGEST_SIDE)
        if isinstance(decoded, str):
            return self._set_aside(path, f"cannot be read: {decoded}")
        sha256, photograph = decoded
        cut = cut_out(photograph, self._cutter)
        reason = "; ".join(cut.doubts) or (doubts_about_colour(cut) if any(self._edit.colours) else None)
        if reason and not (self._force and (cut.matte >= 0.5).any()):
            _write_review(photograph.rgb, cut, self._out / "review" / f"{stem}.jpg")
            return self._set_aside(path, reason)
        rows = []
        generative = read_provenance(path).generative
        edited = make_pictures(photograph, sha256, cut, self._cutter.name, self._edit, generative=generative)
        for picture in edited:
            words = (stem, picture.colour, Path(picture.scene).stem)
            file = "-".join(_safe(word) for word in words if word) + f".{extension(self._edit.format)}"
            (self._out / file).write_bytes(picture.data)
            rows.append({"file": file, "photo_file": str(path), "agreement": cut.agreement} | picture.recipe)
            self._show(picture.data, picture.colour or stem)
        self.made += len(rows)
        return rows

    def _set_aside(self, path: Path, reason: str) -> list[dict[str, Any]]:
        self.review.append({"photo": str(path), "reason": reason})
        return []

    def _show(self, data: bytes, label: str) -> None:
        if len(self._sheet) < _SHEET:
            image = Image.open(BytesIO(data))
            image.thumbnail((_THUMBNAIL, _THUMBNAIL))
            self._sheet.append((image, label))

    def _unique(self, stem: str) -> str:
        """Return a name that no other photograph has; folders may hold photographs of the same name."""
        count = self._names[stem.lower()] = self._names.get(stem.lower(), 0) + 1
        return stem if count == 1 else f"{stem}~{count}"


def _write_review(rgb: NDArray[np.uint8], cut: CutOut, path: Path) -> None:
    """Write the photograph beside its cut-out on magenta, a colour that products rarely have."""
    alpha = cut.matte[..., None]
    beside = np.concatenate([rgb, cut.rgb * alpha + _MAGENTA * (1 - alpha)], 1)
    image = Image.fromarray(beside.round().astype(np.uint8))
    image.thumbnail((1200, 800))
    path.parent.mkdir(exist_ok=True)
    image.save(path)


def _safe(text: str) -> str:
    return safe_name(text.strip().lstrip("#"))
