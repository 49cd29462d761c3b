"""A small classifier of the catalogue's own categories: the judge where no pretrained network can be had."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.errors import ProdgenError

BATCH = 128
"""Images of one training step."""


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
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        images = torch.from_numpy(catalogue.images)
        labels = torch.from_numpy(catalogue.labels[attribute])
        known = torch.nonzero(labels != UNKNOWN).squeeze(1)
        if not len(known):
            raise ProdgenError(
                f"no training image has a known {attribute}, so that no classifier can learn it"
            )
        model = DomainClassifier(images.shape[-1], len(catalogue.values[attribute]))
        model = model.to(device, memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
        total = epochs * -(-len(known) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=total)
        for _ in range(epochs):
            for rows in known[torch.randperm(len(known))].split(BATCH):
                x, y = to_tensor(images[rows]).to(device), labels[rows].to(device)
                loss = F.cross_entropy(model(x), y)
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
