"""The files of a model version, and the check that weights are safetensors."""

import json
from pathlib import Path

from prodgen.errors import ProdgenError
from prodgen.spec.model_config import DISCRIMINATOR

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
METRICS = "metrics.json"
LINEAGE = "lineage.json"
EXTRAS = ("card.md", METRICS, LINEAGE, "samples.png", DISCRIMINATOR)
"""Optional files, which describe a version or help to train it further. The version's digest ignores them."""

CONTENT_TYPES = {".json": "application/json", ".md": "text/markdown", ".png": "image/png"}


def check_weights(path: Path) -> None:
    """Raise ProdgenError unless the file has the header of a safetensors file, which no pickle has."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if 2 <= length <= size - 8 else b""
    try:
        is_safetensors = isinstance(json.loads(header), dict)
    except ValueError:
        is_safetensors = False
    if not is_safetensors:
        raise ProdgenError(
            f"{path.name} is not a safetensors file; prodgen loads no other kind of checkpoint"
        )
