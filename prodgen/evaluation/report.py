"""An evaluation as files: metrics.json, card.md and the pictures."""

import json
from pathlib import Path
from typing import Any

import torch

from prodgen import __version__
from prodgen.catalog.catalogue import digest
from prodgen.evaluation.card import card, command
from prodgen.evaluation.evaluate import Evaluation


def metrics(evaluation: Evaluation) -> dict[str, Any]:
    """What metrics.json holds: the figures, each with all that it depends on, and what is left out."""
    scene = evaluation.scene
    splits = {"train": scene.splits.train, "test": scene.splits.test}
    return {
        "model": scene.model.ref,
        "seed": scene.seed,
        "command": command(evaluation),
        "prodgen": __version__,
        "torch": torch.__version__,
        "device": scene.device,
        "data": {name: {"digest": digest(split), "count": len(split)} for name, split in splits.items()},
        "figures": {name: figure.to_json() for name, figure in evaluation.figures.items()},
        "left_out": evaluation.left_out,
    }


def write(evaluation: Evaluation, out: Path, earlier: Path) -> None:
    """Write it all to an existing folder; ``earlier``: the file of the card that the model may have had."""
    (out / "metrics.json").write_text(json.dumps(metrics(evaluation), indent=2) + "\n", "utf-8")
    had = earlier.read_text("utf-8") if earlier.is_file() else ""
    (out / "card.md").write_text(card(evaluation, had), "utf-8")
    for name, picture in evaluation.pictures.items():
        picture.save(out / name)
