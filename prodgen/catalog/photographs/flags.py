"""The flags of an inspection and the limits of preparation, importable without cv2."""

from collections.abc import Collection

from prodgen.errors import ProdgenError

FLAGS = ("unreadable", "blank", "tiny", "blurred", "duplicate", "leak", "outlier")
"""Faults that an inspection finds; ``leak`` is a near-duplicate of a picture of another split."""
DEFAULT_DROP = tuple(flag for flag in FLAGS if flag != "outlier")
"""Flags whose pictures are dropped by default: an unusual picture may well be a good one."""
MIN_SIZE, MAX_SIZE = 16, 512
"""Limits of a prepared image's side in pixels."""


def check_flags(flags: Collection[str]) -> None:
    """Raise ProdgenError for a name that is not in FLAGS."""
    unknown = [flag for flag in flags if flag not in FLAGS]
    if unknown:
        raise ProdgenError(f"there is no flag {unknown[0]!r}; there are {', '.join(FLAGS)}", param="drop")


def check_kind(name: str, kind: str) -> None:
    """Raise ProdgenError unless ``kind``, as `prodgen.catalog.formats.kind` returns it, is photographs."""
    if kind != "folder":
        raise ProdgenError(f"{name} is {kind} data, not a folder of photographs", param="data")
