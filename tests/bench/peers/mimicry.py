"""What torch-mimicry needs to be imported today, and its SNGAN with projection at a size for a CPU.

Its metrics and data sets want a TensorFlow and a torchvision of 2020, and its pictures a torchvision at all:
none of that is trained with, and it is left out.
"""

import sys
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

for name in ("torchvision", "torch_mimicry.metrics", "torch_mimicry.datasets"):
    sys.modules[name] = ModuleType(name)
sys.modules["torchvision"].utils = None  # type: ignore[attr-defined]

from torch_mimicry.nets import cgan_pd  # noqa: E402

BATCH, SIDE = 64, 32
WIDTH = 96
"""Channels of every layer: about the size of this project's recipe; the published one is for a GPU."""


def networks(classes: int, device: str) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator."""
    generator = cgan_pd.CGANPDGenerator32(num_classes=classes, ngf=WIDTH)
    return generator.to(device), cgan_pd.CGANPDDiscriminator32(num_classes=classes, ndf=WIDTH).to(device)


def optimizers(*parts: nn.Module) -> list[torch.optim.Optimizer]:
    """Its published rates."""
    return [torch.optim.Adam(part.parameters(), 2e-4, (0.0, 0.9)) for part in parts]


def as_it_wants(images: Tensor) -> Tensor:
    """Bytes (N, H, W, C) -> (N, 3, 32, 32) in [-1, 1]: a frame of black, and grey as three alike channels."""
    height, width, channels = images.shape[1:]
    if height != width or height > SIDE or channels not in (1, 3):
        raise SystemExit(f"{width}x{height} images of {channels} channel(s) do not fit into 32x32 of 3")
    x = images.permute(0, 3, 1, 2).expand(-1, 3, -1, -1).float().div(127.5).sub(1)
    before = (SIDE - height) // 2
    after = SIDE - height - before
    return F.pad(x, (before, after, before, after), value=-1.0)


def as_it_was(made: Tensor, side: int, channels: int) -> Tensor:
    """The way back: (N, 3, 32, 32) in [-1, 1] -> bytes (N, side, side, channels)."""
    before = (SIDE - side) // 2
    x = made[:, :, before : before + side, before : before + side]
    x = x.mean(1, keepdim=True) if channels == 1 else x
    return x.add(1).mul(127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1)
