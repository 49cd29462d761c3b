"""Write an evaluation to files: metrics.json, card.md and the pictures."""

import json
from pathlib import Path
from typing import Any

import torch

from prodgen import __version__
from prodgen.catalog.catalogue import digest
from prodgen.evaluation.card import card, command
from prodgen.evaluation.evaluate import Evaluation


def metrics(evaluation: Evaluation) -> dict[str, Any]:
    """Return the content of metrics.json: the figures, their data and settings, and what is missing."""
    context = evaluation.context
    splits = {"train": context.splits.train, "test": context.splits.test}
    return {
        "model": context.model.id,
        "seed": context.seed,
        "command": command(evaluation),
        "prodgen": __version__,
        "torch": torch.__version__,
        "device": context.device,
        "data": {name: {"digest": digest(split), "count": len(split)} for name, split in splits.items()},
        "figures": {name: figure.to_json() for name, figure in evaluation.figures.items()},
        "left_out": evaluation.left_out,
    }


def write(evaluation: Evaluation, out: Path, earlier: Path) -> None:
    """Write metrics.json, card.md and the pictures to ``out``. ``earlier``: the path of an earlier card."""
    (out / "metrics.json").write_text(json.dumps(metrics(evaluation), indent=2) + "\n", "utf-8")
    present = earlier.read_text("utf-8") if earlier.is_file() else ""
    (out / "card.md").write_text(card(evaluation, present), "utf-8")
    for name, picture in evaluation.pictures.items():
        picture.save(out / name)
