"""The judge of a training scores a generator by a classifier, so that the training keeps its best step."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.errors import ProdgenError
from prodgen.evaluation.accuracy import accuracy_of
from prodgen.evaluation.classifier import ROTATIONS, DomainClassifier, classify, to_tensor
from prodgen.evaluation.judges import judge_name, train_judge
from prodgen.evaluation.metrics import frechet_distance
from prodgen.models.base import ImageGenerator
from prodgen.training import checkpoint
from prodgen.training.distributed.collectives import broadcast, on_rank_zero, world_sum
from prodgen.training.distributed.world import own_batches

CLASSIFIER = "classifier.safetensors"
"""File name of the judge's classifier in the folder of a training."""
EVALUATION_IMAGES = 5000
"""Number of generated images in an evaluation. They are compared with up to twice as many real images."""
BATCH = 100
"""Number of images that are classified on the device at a time."""


class Judge:
    """Scores a generator by a classifier of the first attribute with at least two values.

    If the catalogue has no such attribute, the classifier predicts how an image is rotated. ``folder``: where
    the classifier is kept. ``data_digest``: the digest of the catalogue.
    """

    def __init__(self, catalogue: Catalogue, data_digest: str, folder: Path, device: str) -> None:
        self.attribute = next(iter(catalogue.classifiable), None)
        self.values = catalogue.values[self.attribute] if self.attribute else ()
        before = itertools.takewhile(lambda name: name != self.attribute, catalogue.values)
        self._first_column = sum(len(catalogue.values[name]) for name in before)  # in a condition
        self.classifier = _new_classifier(catalogue, device)

        def load() -> None:
            self.classifier = _load_or_train(catalogue, data_digest, folder, device)

        on_rank_zero(load)
        broadcast([*self.classifier.parameters(), *self.classifier.buffers()])
        rows = np.sort(np.random.default_rng(0).permutation(len(catalogue))[: 2 * EVALUATION_IMAGES])
        real = torch.from_numpy(catalogue.images[rows])
        self.real, _ = self._classify(lambda part: to_tensor(real[part]).to(device), len(real))
        labels = catalogue.labels[self.attribute] if self.attribute else np.zeros(len(catalogue), np.int64)
        self.labels = torch.from_numpy(labels[rows]).to(device)

    @torch.inference_mode()
    def __call__(self, generator: ImageGenerator, latents: Tensor, conditions: Tensor) -> dict[str, float]:
        """Generate N images; return their Fréchet distance to real images, agreement and diversity.

        latents: (N, latent_dim); conditions: (N, D). ``agreement``: share of images that the classifier
        assigns to the requested value. ``diversity``: spread of features within a class, divided by the
        spread in real images. Every process must call the judge with equal arguments: each process generates
        and classifies a part of the images.
        """
        classified = self._classify(
            lambda part: generator(latents[part], conditions[part]).float(), len(latents)
        )
        return on_rank_zero(lambda: self._scores(*classified, conditions))

    def _classify(self, images: Callable[[slice], Tensor], count: int) -> tuple[Tensor, Tensor]:
        """Return features (N, 128) and predicted classes (N,) of ``count`` images, on every process.

        ``images`` returns the images of a slice. Each process classifies every ``world_size()``-th batch.
        """
        device = self.classifier.head.weight.device
        features = torch.zeros(count, self.classifier.head.in_features, device=device)
        predicted = torch.zeros(count, dtype=torch.long, device=device)
        for part in own_batches(count, BATCH):
            features[part], predicted[part] = classify(self.classifier, images(part))
        return world_sum(features), world_sum(predicted)  # the other rows of each process are zero

    def _scores(self, features: Tensor, predicted: Tensor, conditions: Tensor) -> dict[str, float]:
        scores = {"domain_fid": frechet_distance(features, self.real)}
        asked = torch.zeros(len(features), dtype=torch.long, device=features.device)
        if self.attribute:
            columns = conditions[:, self._first_column : self._first_column + len(self.values)]
            asked = torch.where(columns.sum(1) > 0, columns.argmax(1), UNKNOWN)
            agreement = accuracy_of(predicted, asked, self.values).overall
            if agreement is not None:
                scores["agreement"] = agreement
        spread, real_spread = _spread(features, asked), _spread(self.real, self.labels)
        if spread is not None and real_spread:
            scores["diversity"] = spread / real_spread
        return scores


def signature(catalogue: Catalogue, data_digest: str, folder: Path) -> dict[str, str]:
    """Describe the judge and the data of a training. Scores with equal descriptions can be compared."""
    classifier = _load_or_train(catalogue, data_digest, folder, "cpu")
    real = min(2 * EVALUATION_IMAGES, len(catalogue))
    return {
        "judge": judge_name(classifier, next(iter(catalogue.classifiable), None)),
        "data": f"train split {data_digest} ({EVALUATION_IMAGES:,} generated against {real:,} real)",
    }


def _spread(features: Tensor, labels: Tensor) -> float | None:
    """Return the mean standard deviation of features (N, D) among images with the same label.

    Returns None if no label occurs twice.
    """
    groups = [features[labels == label] for label in labels.unique() if label != UNKNOWN]
    spreads = [float(group.std(0).mean()) for group in groups if len(group) > 1]
    return sum(spreads) / len(spreads) if spreads else None


def _load_or_train(catalogue: Catalogue, data_digest: str, folder: Path, device: str) -> DomainClassifier:
    """Return the classifier in ``folder``. Train one if it is missing or has another number of classes.

    Raises ProdgenError if the classifier belongs to another catalogue.
    """
    path, attribute = folder / CLASSIFIER, next(iter(catalogue.classifiable), None)
    saved = checkpoint.load(path) if path.exists() else None
    if saved and saved.get("data") != data_digest:
        raise ProdgenError(f"{path} belongs to another catalogue; train in another folder")
    if saved is None or len(saved["classifier"]["head.bias"]) != _classes(catalogue):
        classifier = train_judge(catalogue, attribute, device, seed=0)
        checkpoint.save(path, {"data": data_digest, "classifier": classifier.state_dict()})
        return classifier
    classifier = _new_classifier(catalogue, device)
    classifier.load_state_dict(saved["classifier"])
    return classifier


def _new_classifier(catalogue: Catalogue, device: str) -> DomainClassifier:
    """Return a classifier with random weights; the training's random numbers do not change."""
    with torch.random.fork_rng(devices=[]):
        classifier = DomainClassifier(catalogue.images.shape[3], _classes(catalogue))
    return classifier.to(device, memory_format=torch.channels_last).eval()


def _classes(catalogue: Catalogue) -> int:
    attribute = next(iter(catalogue.classifiable), None)
    return len(catalogue.values[attribute]) if attribute else ROTATIONS
