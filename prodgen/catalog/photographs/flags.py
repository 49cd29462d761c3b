"""The flags of an inspection and the limits of a preparation. This module does not import cv2."""

from collections.abc import Collection

from prodgen.errors import ProdgenError

FLAGS = ("unreadable", "blank", "tiny", "blurred", "duplicate", "leak", "outlier")
"""Faults that an inspection finds; ``leak`` is a near-duplicate of a picture of another split."""
DEFAULT_DROP = tuple(flag for flag in FLAGS if flag != "outlier")
"""Pictures with these flags are dropped by default. Outliers are kept: an unusual picture may be good."""
MIN_SIZE, MAX_SIZE = 16, 512
"""Smallest and largest side, in pixels, of a prepared image."""


def check_flags(flags: Collection[str]) -> None:
    """Raise ProdgenError if one of ``flags`` is not in FLAGS."""
    unknown = [flag for flag in flags if flag not in FLAGS]
    if unknown:
        raise ProdgenError(f"there is no flag {unknown[0]!r}; there are {', '.join(FLAGS)}", param="drop")


def check_kind(name: str, kind: str) -> None:
    """Raise ProdgenError unless ``kind``, a result of `prodgen.catalog.formats.kind`, is ``folder``."""
    if kind != "folder":
        raise ProdgenError(f"{name} is {kind} data, not a folder of photographs", param="data")
