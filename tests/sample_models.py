"""Model folders for tests that do not load the weights."""

import json
from pathlib import Path
from typing import Any

EMPTY_SAFETENSORS = (2).to_bytes(8, "little") + b"{}"
CATEGORIES = ("t-shirt", "sneaker", "bag")


def write_model(folder: Path, weights: bytes = b"", **config: object) -> Path:
    """Write a model of three categories; other ``weights`` make another version."""
    category = {"name": "category", "values": CATEGORIES, "frequencies": [1 / 3] * 3}
    fields: dict[str, object] = {
        "format": 1,
        "family": "resnet",
        "size": 28,
        "channels": 1,
        "latent_dim": 64,
        "ground": "black",
        "precision": "fp32",
        "tolerance": 1,
        "attributes": {"attributes": [category]},
    }
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({**fields, **config}))
    (folder / "model.safetensors").write_bytes(EMPTY_SAFETENSORS + weights)
    (folder / "card.md").write_text("# A model\n\nIt is a sample.")
    (folder / "metrics.json").write_text('{"fid": 17.5}')
    return folder


def evaluation(
    fid: float | None, judge: str = "e16c05", data: str = "1d939b", count: int = 500
) -> dict[str, Any]:
    """The part of the metrics.json of `prodgen evaluate` that the registry reads."""
    measured = {
        "value": fid,
        "features": f"domain classifier {judge} (category, 128 features)",
        "split": "test",
        "real_count": 500,
        "generated_count": count,
        "resizer": "none (the model's own size)",
    }
    return {"data": {"test": {"digest": data, "count": 500}}, "figures": {"fid": measured}}


def scored(folder: Path, fid: float | None, **taken: Any) -> Path:
    """Write an evaluation into a model folder."""
    (folder / "metrics.json").write_text(json.dumps(evaluation(fid, **taken)))
    return folder
