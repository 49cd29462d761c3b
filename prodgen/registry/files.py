"""The files of a model version, and the check that weights are safetensors."""

import json
from pathlib import Path

from prodgen.errors import NotFound, ProdgenError
from prodgen.spec.model_config import DISCRIMINATOR
from prodgen.storage.base import Store

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
METRICS = "metrics.json"
LINEAGE = "lineage.json"
EXTRAS = ("card.md", METRICS, LINEAGE, "samples.png", DISCRIMINATOR)
"""Files that describe a version, or help to train it further, but are no part of its digest."""

CONTENT_TYPES = {".json": "application/json", ".md": "text/markdown", ".png": "image/png"}


def is_there(store: Store, key: str) -> bool:
    """Whether the store has the object."""
    try:
        store.stat(key)
    except NotFound:
        return False
    return True


def check_weights(path: Path) -> None:
    """Raise ProdgenError unless ``path`` has the frame of a safetensors file; a pickle never has."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        framed = 2 <= length <= size - 8
        header = file.read(length) if framed else b""
    try:
        framed = framed and isinstance(json.loads(header), dict)
    except ValueError:
        framed = False
    if not framed:
        raise ProdgenError(
            f"{path.name} is not a safetensors file; prodgen loads no other kind of checkpoint"
        )
