"""From a run's best step to a model folder that anyone can use."""

import copy
import json
import platform
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch.nn.utils import parametrize

from prodgen import __version__
from prodgen.errors import ProdgenError
from prodgen.evaluation.card import opening
from prodgen.evaluation.samples import sample_sheet
from prodgen.models import SavedModel, load_model, save_model
from prodgen.models.base import ImageGenerator
from prodgen.spec.model_config import DISCRIMINATOR
from prodgen.training import checkpoint
from prodgen.training.run import Run
from prodgen.training.watch.judge import signature


def export(run: Run, folder: Path) -> None:
    """Write the model of the run's best step: config.json, model.safetensors, discriminator.safetensors if it
    has one, metrics.json, card.md and samples.png.

    Raises ProdgenError if the run has not been evaluated yet.
    """
    path = run.best_file
    if not run.is_evaluated:
        raise ProdgenError(
            f"nothing to export yet: the first evaluation comes at step {run.recipe.evaluate_every}"
        )
    best = checkpoint.load(path)
    generator = copy.deepcopy(run.ema.model)  # the run may go on
    try:
        generator.load_state_dict(best["run"]["ema"])
        _unconstrain(generator)
    except (KeyError, RuntimeError):
        raise ProdgenError(f"{path} belongs to a run of another recipe: its networks differ") from None
    save_model(generator, folder)
    if judge := best["run"]["modules"].get("discriminator"):
        save_file(judge, folder / DISCRIMINATOR)
        (folder / DISCRIMINATOR).chmod(0o644)
    scores = best["scores"]
    metrics = {
        "step": best["step"],
        "training_images": best["images"],
        "domain_fid": round(scores["domain_fid"], 3),
        **{name: round(scores[name], 4) for name in ("agreement", "diversity") if name in scores},
        **signature(run.catalogue, run.data, run.folder),
    }
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    model = load_model(folder)
    (folder / "card.md").write_text(_card(run, model, metrics))
    first = next(iter(model.config.attributes.choices), None)
    name, values = (first.name, first.values) if first else (None, ())
    sample_sheet(model, name, values, 0, "cpu").save(folder / "samples.png")


def _unconstrain(generator: ImageGenerator) -> None:
    """Make weights that are normalised in training plain weights, as a saved model has them."""
    for module in generator.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")


def _card(run: Run, model: SavedModel, metrics: dict[str, Any]) -> str:
    scores = "\n".join(f"| {name} | {value} |" for name, value in metrics.items())
    recipe = "\n".join(
        f"{key} = {json.dumps(value)}" for key, value in run.recipe.model_dump(exclude_none=True).items()
    )
    return f"""{opening(model)}
## Scores
| measure | value |
| --- | --- |
{scores}

The judge is a classifier trained on the same catalogue, so these figures compare versions of one catalogue
with each other; they are not comparable with published Inception scores.

## How it was trained
prodgen {__version__}, torch {torch.__version__}, {platform.machine()}, on {len(run.catalogue):,} images.

```toml
{recipe}
```
"""
