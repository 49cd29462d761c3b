"""What a picture can be found to be, and the limits of what is made of it: known without looking at one."""

from collections.abc import Collection

from prodgen.errors import ProdgenError

FLAGS = ("unreadable", "blank", "tiny", "blurred", "duplicate", "leak", "outlier")
"""``leak``: a near-duplicate of a picture of another split."""
USUAL = tuple(flag for flag in FLAGS if flag != "outlier")
"""What is dropped unless told otherwise: an odd picture may well be a good one."""
SMALLEST, LARGEST = 16, 512
"""Pixels of a prepared side."""


def check_flags(flags: Collection[str]) -> None:
    """Raises ProdgenError for a flag that there is not."""
    unknown = [flag for flag in flags if flag not in FLAGS]
    if unknown:
        raise ProdgenError(f"there is no flag {unknown[0]!r}; there are {', '.join(FLAGS)}", param="drop")


def check_kind(what: str, kind: str) -> None:
    """Raises ProdgenError unless ``what`` is photographs; ``kind``: by `prodgen.catalog.formats.kind`."""
    if kind != "folder":
        raise ProdgenError(f"{what} is {kind} data, not a folder of photographs", param="data")
