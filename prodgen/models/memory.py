"""The memory that a model needs, and the refusal of one that a device has no room for."""

from itertools import chain

import torch
from torch import nn

from prodgen.errors import ProdgenError


def size_in_bytes(network: nn.Module) -> int:
    """Return the bytes of the parameters and buffers."""
    return sum(t.numel() * t.element_size() for t in chain(network.parameters(), network.buffers()))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch raised ``error`` because a GPU's memory or the machine's memory is used up."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def too_large(model: str, network: nn.Module, device: str) -> ProdgenError:
    """Return the error for a ``model`` whose weights, or whose smallest batch, do not fit on ``device``."""
    size = size_in_bytes(network) / 2**20
    return ProdgenError(
        f"{model} is too large for the device {device}: its weights take {size:,.0f} MiB, and there is not "
        "enough free memory for them and one image"
    )
