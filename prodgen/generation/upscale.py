"""Enlarge products with the upscaler's network, which draws sharper edges than bicubic resampling."""

from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from prodgen.bundled import bundled_upscaler
from prodgen.files import sha256
from prodgen.generation.coverage import clamp_to_coverage
from prodgen.models.upscaler import Upscaler, load_upscaler
from prodgen.settings import settings


def upscale(layers: Tensor) -> Tensor:
    """Enlarge premultiplied colour and coverage (B, 4, H, W) in [0, 1]; return (B, 4, 4H, 4W) in [0, 1]."""
    return clamp_to_coverage(_network(_file(), str(layers.device))(layers))


def upscaler_version() -> str:
    """Return the first 12 hexadecimal digits of the sha256 of the upscaler's weights."""
    return _digest(_file())


def _file() -> Path:
    return settings().upscaler or bundled_upscaler()


@cache
def _digest(file: Path) -> str:
    return sha256(file)[:12]


@cache
def _network(file: Path, device: str) -> Upscaler:
    network = load_upscaler(file)
    return network.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
