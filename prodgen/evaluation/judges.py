"""Judges: the classifiers that evaluation uses, one for each attribute, trained on the training split.

A catalogue without attributes has a judge that predicts by how many quarter turns an image is rotated.
"""

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from prodgen.catalog.catalogue import UNKNOWN, Catalogue, digest
from prodgen.evaluation.classifier import BATCH, ROTATIONS, DomainClassifier, to_tensor, train_classifier
from prodgen.evaluation.features import FeatureNetwork

SEED = 1
"""The seed of judges. It differs from 0, the seed of the judge of a training.

That judge chose the checkpoint that is evaluated here, so it would be biased.
"""
EPOCHS, STEPS, MAX_EPOCHS = 3, 300, 40
RESIZER = "none (the model's own size)"
ROTATION = "which way up"
"""The name of the rotation judge in place of an attribute's name.

Do not change it: evaluations compare figures by this name.
"""


def epochs_for(examples: int) -> int:
    """Return the number of epochs for a number of examples.

    The result is 3, or more if the examples are so few that 300 steps need more epochs, but at most 40.
    """
    return min(MAX_EPOCHS, max(EPOCHS, -(-STEPS * BATCH // max(1, examples))))


def train_judge(
    catalogue: Catalogue, attribute: str | None, device: str, seed: int = SEED
) -> DomainClassifier:
    """Train a classifier of ``attribute``, or of rotations if it is None.

    The same data and seed give the same classifier.
    """
    epochs = epochs_for(count_examples(catalogue, attribute))
    return train_classifier(catalogue, attribute, epochs=epochs, seed=seed, device=device)


def count_examples(catalogue: Catalogue, attribute: str | None) -> int:
    """Count the images whose ``attribute`` is known, or all rotations of images if ``attribute`` is None."""
    if attribute is None:
        return ROTATIONS * len(catalogue)
    return int((catalogue.labels[attribute] != UNKNOWN).sum())


class Judges:
    """The judges of a training split by attribute, trained on first use and kept in the folder ``cache``."""

    def __init__(self, train: Catalogue, cache: Path, device: str = "cpu") -> None:
        self.train, self.cache, self.device = train, cache, device
        self._digest = digest(train)
        self._loaded: dict[str | None, FeatureNetwork] = {}

    def __call__(self, attribute: str | None) -> FeatureNetwork:
        """Return the judge of ``attribute``, with 128 features and the probabilities of its values.

        The judge of rotations (None) returns no probabilities: a rotation says nothing about quality.
        """
        if attribute not in self._loaded:
            values = (
                [str(k) for k in range(ROTATIONS)] if attribute is None else [*self.train.values[attribute]]
            )
            epochs = epochs_for(count_examples(self.train, attribute))
            recipe = json.dumps([self._digest, attribute, values, epochs, SEED])
            path = self.cache / f"{hashlib.sha256(recipe.encode()).hexdigest()[:24]}.safetensors"
            classifier = _load(path, self.train.images.shape[-1], len(values), self.device)
            if classifier is None:
                classifier = train_judge(self.train, attribute, self.device)
                _save(path, classifier)
            self._loaded[attribute] = as_network(classifier, attribute, self.device)
        return self._loaded[attribute]


def as_network(classifier: DomainClassifier, attribute: str | None, device: str = "cpu") -> FeatureNetwork:
    """Return the classifier as a feature network."""

    def embed(images: Tensor) -> tuple[Tensor, Tensor | None]:
        features = classifier.features(to_tensor(images))
        return features, None if attribute is None else classifier.head(features).softmax(1)

    return FeatureNetwork(judge_name(classifier, attribute), RESIZER, embed, device)


def judge_name(classifier: DomainClassifier, attribute: str | None) -> str:
    """Return a name for the judge. A hash of its weights is part of it: other weights give other figures."""
    tensors = (t.detach().cpu().contiguous().numpy().tobytes() for t in classifier.state_dict().values())
    weights = hashlib.sha256(b"".join(tensors)).hexdigest()[:6]
    size = classifier.head.in_features
    return f"domain classifier {weights} ({attribute or ROTATION}, {size} features)"


def _load(path: Path, channels: int, classes: int, device: str) -> DomainClassifier | None:
    """Return the classifier in the cache; None if the file is missing or broken."""
    classifier = DomainClassifier(channels, classes)
    try:
        classifier.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError):
        return None
    return classifier.to(device, memory_format=torch.channels_last).eval()


def _save(path: Path, classifier: DomainClassifier) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    save_file({key: t.cpu().contiguous() for key, t in classifier.state_dict().items()}, temporary)
    temporary.replace(path)
