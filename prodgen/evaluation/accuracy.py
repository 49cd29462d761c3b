"""How often a classifier is right: overall, and of each class."""

from dataclasses import dataclass

import torch
from torch import Tensor

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.evaluation.network import FeatureNetwork


@dataclass(frozen=True)
class Accuracy:
    """Shares in [0, 1]; a class without an image, or a set without a label, has None."""

    overall: float | None
    by_class: dict[str, float | None]
    count: int


def accuracy(classifier: FeatureNetwork, images: Catalogue, attribute: str) -> Accuracy:
    """How often the classifier gives the images the value that they have of ``attribute``, where known."""
    labels = torch.from_numpy(images.labels[attribute])
    predicted = classifier(images.images).probabilities.argmax(1).cpu()
    return accuracy_of(predicted, labels, images.values[attribute])


def accuracy_of(predicted: Tensor, labels: Tensor, values: tuple[str, ...]) -> Accuracy:
    """Numbers of ``values``, (N,) each; UNKNOWN is not counted."""
    known = labels != UNKNOWN
    right = predicted == labels
    by_class = {value: _share(right[labels == k]) for k, value in enumerate(values)}
    return Accuracy(_share(right[known]), by_class, int(known.sum()))


def _share(right: Tensor) -> float | None:
    return float(right.double().mean()) if len(right) else None
