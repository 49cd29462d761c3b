"""Export the best step of a training as a model folder."""

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
from prodgen.evaluation.report import opening
from prodgen.evaluation.samples import sample_sheet
from prodgen.generation.encode import encode_image
from prodgen.generation.quality import measure_quality
from prodgen.models import SavedModel, load_model, save_model
from prodgen.spec.model_config import DISCRIMINATOR
from prodgen.spec.provenance import GENERATED, make_xmp
from prodgen.spec.quality import QUALITY, gated_attribute
from prodgen.training import checkpoint
from prodgen.training.state import TrainingState
from prodgen.training.trainer import Trainer
from prodgen.training.watch.judge import signature


def export(trainer: Trainer, folder: Path) -> None:
    """Write the model of the best step, and the files that describe the model, to ``folder``.

    The files are config.json, model.safetensors, metrics.json, card.md and samples.png. A family with a
    discriminator also has discriminator.safetensors, and a model with colours and transparency quality.json.
    Raises ProdgenError if the training has not been evaluated yet.
    """
    state, path = trainer.state, trainer.best_file
    if not trainer.is_evaluated:
        raise ProdgenError(
            f"nothing to export yet: the first evaluation comes at step {state.recipe.evaluate_every}"
        )
    best = checkpoint.load(path)
    generator = copy.deepcopy(state.ema.model)  # the training may continue
    try:
        generator.load_state_dict(best["run"]["ema"])
    except (KeyError, RuntimeError):
        raise ProdgenError(f"{path} belongs to another recipe: its networks differ") from None
    for module in generator.modules():
        if parametrize.is_parametrized(module, "weight"):  # spectral norm; a saved model has plain weights
            parametrize.remove_parametrizations(module, "weight")
    save_model(generator, folder)
    if discriminator := best["run"]["modules"].get("discriminator"):
        save_file(discriminator, folder / DISCRIMINATOR)
        (folder / DISCRIMINATOR).chmod(0o644)
    scores = best["scores"]
    metrics = {
        "step": best["step"],
        "training_images": best["images"],
        "domain_fid": round(scores["domain_fid"], 3),
        **{name: round(scores[name], 4) for name in ("agreement", "diversity") if name in scores},
        **{name: round(score, 5) for name, score in scores.items() if name.startswith("kid_")},
        **signature(state.catalogue, state.data_digest, trainer.folder),
    }
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    model = load_model(folder)
    if gated_attribute(model.config.attributes, model.config.channels):
        (folder / QUALITY).write_text(measure_quality(model).model_dump_json() + "\n")
    (folder / "card.md").write_text(_card(state, model, metrics))
    first = next(iter(model.config.attributes.choices), None)
    name, values = (first.name, first.values) if first else (None, ())
    sheet = sample_sheet(model, name, values, 0, "cpu")
    (folder / "samples.png").write_bytes(encode_image(sheet, "png", make_xmp(GENERATED, {})))


def _card(state: TrainingState, model: SavedModel, metrics: dict[str, Any]) -> str:
    scores = "\n".join(f"| {name} | {value} |" for name, value in metrics.items())
    recipe = "\n".join(
        f"{key} = {json.dumps(value)}" for key, value in state.recipe.model_dump(exclude_none=True).items()
    )
    return f"""{opening(model)}
## Scores
| measure | value |
| --- | --- |
{scores}

The judge is a classifier trained on the same catalogue. Its scores compare versions of one catalogue with
each other; they are not comparable with published Inception scores.

## How it was trained
prodgen {__version__}, torch {torch.__version__}, {platform.machine()}, on {len(state.catalogue):,} images.

```toml
{recipe}
```
"""
