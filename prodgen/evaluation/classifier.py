"""A small classifier of the catalogue itself: the judge where no pretrained network can be had."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.errors import ProdgenError

BATCH = 128
"""Images of one training step."""
TURNS = 4
"""Positions in which an image may lie."""

Examples = tuple[Tensor, Tensor]
"""Bytes (B, H, W, C) and their classes (B,)."""


class DomainClassifier(nn.Module):
    """x: (B, C, H, W) in [-1, 1] -> logits (B, classes); `features` gives the 128 numbers before them."""

    def __init__(self, channels: int, classes: int, width: int = 32) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.MaxPool2d(2),  # before the ReLU, with which it commutes: a quarter of the work
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(7),
            nn.Flatten(),
            nn.Linear(2 * width * 49, 128),
            nn.ReLU(),
        )
        self.head = nn.Linear(128, classes)

    def features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 128)."""
        return self.convolutions(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def to_tensor(images: Tensor) -> Tensor:
    """Bytes (N, H, W, C) -> floats (N, C, H, W) in [-1, 1]."""
    return images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def train_classifier(
    catalogue: Catalogue, attribute: str, *, epochs: int = 2, seed: int = 0, device: str = "cpu"
) -> DomainClassifier:
    """A classifier of one attribute, trained on all images of which it is known.

    Adam under a one-cycle rate. Raises ProdgenError if it is known of none.
    """
    images, labels = torch.from_numpy(catalogue.images), torch.from_numpy(catalogue.labels[attribute])
    known = torch.nonzero(labels != UNKNOWN).squeeze(1)
    if not len(known):
        raise ProdgenError(f"no training image has a known {attribute}, so that no classifier can learn it")
    shape = images.shape[-1], len(catalogue.values[attribute])
    return _train(shape, known, lambda rows: (images[rows], labels[rows]), epochs, seed, device)


def train_on_turns(
    images: NDArray[np.uint8], *, epochs: int = 2, seed: int = 0, device: str = "cpu"
) -> DomainClassifier:
    """A classifier of which way up an image is, for images (N, H, W, C) of which nothing is known.

    That takes features of what is in them all the same (Gidaris et al. 2018). Each is seen in all four
    positions in every epoch, turned as its batch is made.
    """
    upright = torch.from_numpy(images)

    def batch(rows: Tensor) -> Examples:
        turns = rows // len(upright)
        return turned(upright[rows % len(upright)], turns), turns

    everything = torch.arange(TURNS * len(upright))
    return _train((images.shape[-1], TURNS), everything, batch, epochs, seed, device)


def turned(images: Tensor, turns: Tensor) -> Tensor:
    """(B, H, W, C), H = W, each turned to the left by so many quarters, (B,)."""
    result = images.clone()
    for quarters in range(1, TURNS):
        chosen = turns == quarters
        result[chosen] = images[chosen].rot90(quarters, (1, 2))
    return result


def _train(
    shape: tuple[int, int],
    rows: Tensor,
    examples: Callable[[Tensor], Examples],
    epochs: int,
    seed: int,
    device: str,
) -> DomainClassifier:
    """``shape``: channels and classes. ``rows``: numbers of all examples, which ``examples`` gives."""
    with torch.random.fork_rng(devices=[device] if torch.device(device).type == "cuda" else []):
        torch.manual_seed(seed)
        model = DomainClassifier(*shape).to(device, memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
        total = epochs * -(-len(rows) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=total)
        for _ in range(epochs):
            for batch in rows[torch.randperm(len(rows))].split(BATCH):
                images, labels = examples(batch)
                loss = F.cross_entropy(model(to_tensor(images).to(device)), labels.to(device))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return model.eval()


@torch.inference_mode()
def judge(model: DomainClassifier, images: Tensor, batch: int = 500) -> tuple[Tensor, Tensor]:
    """Images (N, C, H, W) in [-1, 1] -> features (N, 128) and predicted classes (N,)."""
    features = torch.cat([model.features(x) for x in images.split(batch)])
    return features, model.head(features).argmax(1)
