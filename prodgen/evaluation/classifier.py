"""The domain classifier: a small network that is trained on the catalogue itself, without pretraining."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.errors import ProdgenError

BATCH = 128
"""Number of images in one training step."""
ROTATIONS = 4
"""Number of rotations by quarter turns: by 0, 90, 180 and 270 degrees."""

Examples = tuple[Tensor, Tensor]
"""Images (B, H, W, C) in bytes and their classes (B,)."""


class DomainClassifier(nn.Module):
    """A network that maps images (B, C, H, W) in [-1, 1] to logits (B, classes)."""

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
        """Return the features (B, 128) before the last layer, for ``x`` (B, C, H, W) in [-1, 1]."""
        return self.convolutions(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def to_tensor(images: Tensor) -> Tensor:
    """Return images in bytes (N, H, W, C) as floats (N, C, H, W) in [-1, 1]."""
    return images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def train_classifier(
    catalogue: Catalogue, attribute: str | None, *, epochs: int = 2, seed: int = 0, device: str = "cpu"
) -> DomainClassifier:
    """Train a classifier of ``attribute`` on the images whose value is known.

    If ``attribute`` is None, the classifier predicts by how many quarter turns an image is rotated (Gidaris
    et al. 2018). Raises ProdgenError if no image has a known value of ``attribute``.
    """
    images = torch.from_numpy(catalogue.images)
    channels = images.shape[-1]
    if attribute is None:

        def rotations(rows: Tensor) -> Examples:  # made batch by batch, to save memory
            quarters = rows // len(images)
            return rotated(images[rows % len(images)], quarters), quarters

        rows = torch.arange(ROTATIONS * len(images))
        return _train(channels, ROTATIONS, rows, rotations, epochs, seed, device)
    labels = torch.from_numpy(catalogue.labels[attribute])
    known = torch.nonzero(labels != UNKNOWN).squeeze(1)
    if not len(known):
        raise ProdgenError(f"no training image has a known {attribute}, so no classifier can learn it")
    classes = len(catalogue.values[attribute])
    return _train(channels, classes, known, lambda rows: (images[rows], labels[rows]), epochs, seed, device)


def rotated(images: Tensor, quarters: Tensor) -> Tensor:
    """Rotate each of ``images`` (B, H, H, C) left by its number of quarter turns in ``quarters`` (B,)."""
    result = images.clone()
    for number in range(1, ROTATIONS):
        chosen = quarters == number
        result[chosen] = images[chosen].rot90(number, (1, 2))
    return result


def _train(
    channels: int,
    classes: int,
    rows: Tensor,
    examples: Callable[[Tensor], Examples],
    epochs: int,
    seed: int,
    device: str,
) -> DomainClassifier:
    """Train a classifier by Adam with a one-cycle learning rate. Leaves the global random state unchanged.

    ``rows``: a number for each example. ``examples`` returns the images and classes of the given numbers.
    """
    with torch.random.fork_rng(devices=[device] if torch.device(device).type == "cuda" else []):
        torch.manual_seed(seed)
        model = DomainClassifier(channels, classes).to(device, memory_format=torch.channels_last)
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
def classify(model: DomainClassifier, images: Tensor, batch: int = 500) -> tuple[Tensor, Tensor]:
    """Return features (N, 128) and predicted classes (N,) of ``images`` (N, C, H, W) in [-1, 1]."""
    features = torch.cat([model.features(x) for x in images.split(batch)])
    return features, model.head(features).argmax(1)
