"""AlexNet and VGG16: frozen feature networks that were trained on ImageNet only.

The weights are the weights of ST-LPIPS (Ghildyal & Liu 2022), in the package stlpips-pytorch. These networks
blur before they subsample, so a small shift of an image hardly changes its features.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.evaluation.features import FeatureNetwork
from prodgen.evaluation.inception import as_rgb
from prodgen.models.published_weights import PublishedWeights

LEAST_SIDE = 64
"""Least side in pixels. Smaller images are enlarged to it, so that the last level has some positions."""
GROUND = 128
"""The level of grey on which cut-outs are laid. On white, the outline of white products would be lost."""
AS_RGB = {1: ", grey repeated to RGB", 3: "", 4: ", cut-outs laid on mid-grey"}
"""Words that say how images become RGB, by the images' number of channels."""
BATCH = 32


@dataclass(frozen=True)
class Trunk:
    """The published weights of a network, and its layers up to the end of each level."""

    published: PublishedWeights
    layers: Callable[[], nn.Sequential]
    ends: tuple[int, ...]
    """The index of the last layer of each level."""
    widths: tuple[int, ...]
    """The number of features of each level."""


class Blur(nn.Module):
    """Blurs feature maps (B, C, H, W) by the filter ``filt``, and takes every second position."""

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", torch.zeros(channels, 1, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (2, 2, 2, 2), "reflect"), self.filt, stride=2, groups=x.shape[1])


def _alexnet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, padding=2),
        Blur(64),
        nn.ReLU(),
        nn.MaxPool2d(3, 1),
        Blur(64),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 1),
        Blur(192),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )


def _vgg16() -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for level, (width, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        if level:
            layers += [nn.MaxPool2d(2, 1), Blur(channels)]
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


def _published(title: str, file: str, sha256: str) -> PublishedWeights:
    return PublishedWeights(title, "stlpips-pytorch", "0.0.2", "weights/vST0.0", file, sha256)


TRUNKS = {
    "alexnet": Trunk(
        _published(
            "AlexNet",
            "alex_shift_tolerant.pth",
            "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
        ),
        _alexnet,
        (2, 6, 10, 12, 14),
        (64, 192, 384, 256, 256),
    ),
    "vgg": Trunk(
        _published(
            "VGG16",
            "vgg_shift_tolerant.pth",
            "44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250",
        ),
        _vgg16,
        (3, 9, 17, 25, 33),
        (64, 128, 256, 512, 512),
    ),
}
"""The networks, by the name in ``--features`` and in the recipe key ``select``."""


def trunk_network(
    name: str, folder: Path | None, channels: int, size: int, device: str = "cpu"
) -> FeatureNetwork:
    """Return a network of TRUNKS as a feature network.

    As in LPIPS (Zhang et al. 2018), the features at each position of a level are scaled to the same length.
    This length is the root of the number of features, so that all levels have equal weight. The features of
    an image are the means over positions. ``folder``: the folder with the file of weights, by default the
    folder in the installed package. ``channels`` and ``size``: of the images that the network will receive.
    Raises NotFound if the file is missing, and ProdgenError if it is not the published file.
    """
    trunk = TRUNKS[name]
    network, shift, scale = _load(trunk, folder, device)

    def embed(images: Tensor) -> tuple[Tensor, None]:
        x = as_rgb(images, GROUND).permute(0, 3, 1, 2).float() / 127.5 - 1
        if size < LEAST_SIDE:
            x = F.interpolate(x, (LEAST_SIDE, LEAST_SIDE), mode="bilinear")
        x = ((x - shift) / scale).contiguous(memory_format=torch.channels_last)
        means = []
        for index, layer in enumerate(network):
            x = layer(x)
            if index in trunk.ends:
                means.append(F.normalize(x, dim=1).mean((2, 3)) * x.shape[1] ** 0.5)
        return torch.cat(means, 1), None

    bounds = pairwise(accumulate(trunk.widths, initial=0))
    levels = {f"level {k}": slice(*part) for k, part in enumerate(bounds, 1)}
    title = f"{trunk.published.title} of ST-LPIPS {trunk.published.sha256[:6]}"
    resizer = f"bilinear to {LEAST_SIDE}x{LEAST_SIDE}" if size < LEAST_SIDE else "none (the model's own size)"
    return FeatureNetwork(title, resizer + AS_RGB[channels], embed, device, BATCH, levels)


def trunk_levels(name: str, folder: Path | None, device: str = "cpu") -> list[nn.Sequential]:
    """Return the levels of a network of TRUNKS. The first level takes RGB pictures (B, 3, H, W) in [0, 1].

    Each further level takes the result of the level before it. Raises the same errors as `trunk_network`.
    """
    trunk = TRUNKS[name]
    network, shift, scale = _load(trunk, folder, device)
    bounds = pairwise((0, *(end + 1 for end in trunk.ends)))
    first, *others = (network[start:end] for start, end in bounds)
    return [nn.Sequential(_Scaling(shift, scale), *first), *others]


class _Scaling(nn.Module):
    """Scales pictures (B, 3, H, W) from [0, 1] to the range that the networks were trained on."""

    def __init__(self, shift: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.shift, self.scale = shift, scale

    def forward(self, x: Tensor) -> Tensor:
        return (x * 2 - 1 - self.shift) / self.scale


def _load(trunk: Trunk, folder: Path | None, device: str) -> tuple[nn.Sequential, Tensor, Tensor]:
    """Return a frozen network, and the shift and scale to apply to pictures in [-1, 1] before it."""
    weights = trunk.published.read(folder)
    shift, scale = (weights[f"scaling_layer.{part}"].to(device) for part in ("shift", "scale"))
    network = trunk.layers()
    layers = {key.split(".", 2)[2]: t for key, t in weights.items() if key.startswith("net.slice")}
    network.load_state_dict(layers)
    network.requires_grad_(False).to(device, memory_format=torch.channels_last).eval()
    return network, shift, scale
