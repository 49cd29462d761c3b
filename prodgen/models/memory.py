"""Estimate the memory that a model needs, and refuse a model that does not fit on the device."""

from itertools import chain

import torch
from torch import nn

from prodgen.errors import ProdgenError


def size_in_bytes(network: nn.Module) -> int:
    """Return the size in bytes of the parameters and buffers of ``network``."""
    return sum(t.numel() * t.element_size() for t in chain(network.parameters(), network.buffers()))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether torch raised ``error`` because the memory of a GPU or of the machine is full."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def too_large(model: str, network: nn.Module, device: str) -> ProdgenError:
    """Return the error for a ``model`` whose weights, or whose smallest batch, do not fit on ``device``."""
    size = size_in_bytes(network) / 2**20
    return ProdgenError(
        f"{model} is too large for the device {device}: its weights take {size:,.0f} MiB, and there is not "
        "enough free memory for them and one image"
    )
