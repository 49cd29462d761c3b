"""Start a training from pretrained weights, also for other attributes."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from prodgen.errors import ProdgenError
from prodgen.models import SavedModel, load_model
from prodgen.models.condition import columns
from prodgen.models.layers import Conditioned
from prodgen.models.saved import find_model
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.model_config import DISCRIMINATOR
from prodgen.training import checkpoint

POWER_ITERATIONS = 15
"""Power iterations after which spectral norm is exact enough for a new matrix."""

Column = tuple[str, str]
"""What a number of a condition stands for: an attribute and one of its columns."""


@dataclass(frozen=True)
class Pretrained:
    """A trained generator, and the weights of its discriminator if they were saved."""

    model: SavedModel
    discriminator: dict[str, Tensor] | None = None


def find_pretrained(ref: str) -> Pretrained:
    """Load a model by its name or folder, or the model in the folder of a training. Raises ProdgenError."""
    training = Path(ref)
    folder, name = find_model(str(training / "model") if (training / "model").is_dir() else ref)
    path = folder / DISCRIMINATOR
    try:
        discriminator = load_file(path) if path.is_file() else None
    except (SafetensorError, OSError) as error:
        raise ProdgenError(f"{path} is broken: {error}", param="from") from None
    if discriminator is None and (best := training / checkpoint.BEST).is_file():  # of an older version
        discriminator = checkpoint.load(best)["run"]["modules"].get("discriminator")
    return Pretrained(load_model(folder, name), discriminator)


def transfer_weights(
    network: nn.Module, trained: dict[str, Tensor], old_schema: AttributeSchema, schema: AttributeSchema
) -> None:
    """Load weights that were trained with the attributes of ``old_schema`` into a network of ``schema``.

    A value that both have keeps its weights. A new value starts from the mean of its attribute's old values,
    or from its random weights if there are none.
    """
    own = network.state_dict()
    weights = {name: trained[name] for name in own if name in trained}
    conditioned = [(path, m) for path, m in network.named_modules() if isinstance(m, Conditioned)]
    for path, _ in conditioned:
        for name in (f"{path}.weight", f"{path}.parametrizations.weight.original"):
            if name in weights:
                weights[name] = _replace_columns(
                    weights[name], own[name], columns(old_schema), columns(schema)
                )
    # Left out: spectral norm's vectors for a condition of another length. The layers compute them below.
    network.load_state_dict({n: t for n, t in weights.items() if t.shape == own[n].shape}, strict=False)
    for _, layer in conditioned:
        for _ in range(POWER_ITERATIONS):
            _ = layer.weight


def _replace_columns(
    trained: Tensor, random: Tensor, old_columns: list[Column], new_columns: list[Column]
) -> Tensor:
    """(out, inputs + len(old_columns)) -> (out, inputs + len(new_columns))."""
    inputs = trained.shape[1] - len(old_columns)
    known = dict(zip(old_columns, trained[:, inputs:].unbind(1), strict=True))

    def weights_of(column: Column, initial: Tensor) -> Tensor:
        siblings = [weights for (attribute, _), weights in known.items() if attribute == column[0]]
        return known.get(column, torch.stack(siblings).mean(0) if siblings else initial)

    pairs = zip(new_columns, random[:, inputs:].unbind(1), strict=True)
    return torch.cat([trained[:, :inputs], *(weights_of(*pair)[:, None] for pair in pairs)], 1)
