"""A run that begins with what another has learnt, for other categories if need be."""

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

SETTLING = 15
"""Power iterations after which spectral norm knows a new matrix."""


@dataclass(frozen=True)
class Source:
    """A trained generator and, if it came along, the discriminator that taught it."""

    model: SavedModel
    discriminator: dict[str, Tensor] | None = None


def find_source(ref: str) -> Source:
    """A model by its name or folder, or that in the folder of a run; raises ProdgenError if there is none."""
    run = Path(ref)
    folder, name = find_model(str(run / "model") if (run / "model").is_dir() else ref)
    judge = folder / DISCRIMINATOR
    try:
        discriminator = load_file(judge) if judge.is_file() else None
    except (SafetensorError, OSError) as error:
        raise ProdgenError(f"{judge} is broken: {error}", param="from") from None
    if discriminator is None and (best := run / checkpoint.BEST).is_file():  # exported by an older version
        discriminator = checkpoint.load(best)["run"]["modules"].get("discriminator")
    return Source(load_model(folder, name), discriminator)


def take_over(
    network: nn.Module, trained: dict[str, Tensor], was: AttributeSchema, now: AttributeSchema
) -> None:
    """Give a network the weights of one that was trained under other attributes.

    A value that both have keeps its weights; a new one begins as the mean of its attribute's others, if there
    are any.
    """
    own = network.state_dict()
    taken = {name: trained[name] for name in own if name in trained}
    conditioned = [(path, m) for path, m in network.named_modules() if isinstance(m, Conditioned)]
    for path, _ in conditioned:
        for weight in (f"{path}.weight", f"{path}.parametrizations.weight.original"):
            if weight in taken:
                taken[weight] = _recolumned(taken[weight], own[weight], columns(was), columns(now))
    # The vectors of spectral norm are as long as the condition: they are found anew.
    network.load_state_dict({n: t for n, t in taken.items() if t.shape == own[n].shape}, strict=False)
    for _, layer in conditioned:
        for _ in range(SETTLING):
            _ = layer.weight


def _recolumned(
    trained: Tensor, fresh: Tensor, was: list[tuple[str, str]], now: list[tuple[str, str]]
) -> Tensor:
    """(out, in + len(was)) -> (out, in + len(now)), each column of the condition where it belongs."""
    inputs = trained.shape[1] - len(was)
    known = dict(zip(was, trained[:, inputs:].unbind(1), strict=True))
    own = fresh[:, inputs:].unbind(1)

    def column(place: tuple[str, str], new: Tensor) -> Tensor:
        siblings = [weights for (name, _), weights in known.items() if name == place[0]]
        return known.get(place, torch.stack(siblings).mean(0) if siblings else new)

    return torch.cat(
        [trained[:, :inputs], *(column(*pair)[:, None] for pair in zip(now, own, strict=True))], 1
    )
