"""Feature networks, which turn images into the features that measures compare."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Features:
    """Features ``values`` (N, D) in fp32, and class ``probabilities`` (N, K) if the network has classes."""

    values: Tensor
    probabilities: Tensor | None

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice | Tensor) -> "Features":
        return Features(self.values[rows], None if self.probabilities is None else self.probabilities[rows])


@dataclass(frozen=True)
class FeatureNetwork:
    """Computes `Features` in batches of ``batch`` images.

    ``embed`` maps bytes (B, H, W, C) to features (B, D), and to class probabilities (B, K) or None.
    ``resizer`` says how images are resized for the network. ``levels``: the columns of the features
    that come from each level (a depth of the network), by the level's name. Only AlexNet and VGG16 have it.
    """

    name: str
    resizer: str
    embed: Callable[[Tensor], tuple[Tensor, Tensor | None]]
    device: str = "cpu"
    batch: int = 250
    levels: Mapping[str, slice] = field(default_factory=dict)

    @torch.inference_mode()
    def __call__(self, images: NDArray[np.uint8]) -> Features:
        """Return the features of images in bytes (N, H, W, C). The features are on the network's device."""
        batches = torch.from_numpy(images).split(self.batch)
        values, probabilities = zip(*(self.embed(x.to(self.device)) for x in batches), strict=True)
        return Features(torch.cat(values), None if probabilities[0] is None else torch.cat(probabilities))
