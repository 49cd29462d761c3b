"""The domain's own feature networks: a classifier of each attribute, trained on the training split.

A catalogue without attributes has one of which way up its images are.
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
from prodgen.evaluation.classifier import (
    BATCH,
    TURNS,
    DomainClassifier,
    to_tensor,
    train_classifier,
    train_on_turns,
)
from prodgen.evaluation.network import FeatureNetwork

SEED = 1
"""Not the 0 of a training run's own judge, which has chosen the step that is evaluated here."""
EPOCHS, STEPS, MOST_EPOCHS = 3, 300, 40
RESIZER = "none (the model's own size)"
WAY_UP = "which way up"


def epochs_for(examples: int) -> int:
    """Three, or as many as make 300 steps of a small catalogue, up to 40."""
    return min(MOST_EPOCHS, max(EPOCHS, -(-STEPS * BATCH // max(1, examples))))


def train_judge(
    catalogue: Catalogue, attribute: str | None, device: str, seed: int = SEED
) -> DomainClassifier:
    """A classifier of ``attribute``, or of which way up images are where there is none.

    By the one recipe of all evaluations: same data, same seed, same classifier.
    """
    epochs = epochs_for(examples(catalogue, attribute))
    if attribute is None:
        return train_on_turns(catalogue.images, epochs=epochs, seed=seed, device=device)
    return train_classifier(catalogue, attribute, epochs=epochs, seed=seed, device=device)


def examples(catalogue: Catalogue, attribute: str | None) -> int:
    """How many labelled images a classifier sees in an epoch."""
    if attribute is None:
        return TURNS * len(catalogue)
    return int((catalogue.labels[attribute] != UNKNOWN).sum())


class Judges:
    """The classifiers of a training split, trained when first asked for and kept in ``cache``."""

    def __init__(self, train: Catalogue, cache: Path, device: str = "cpu") -> None:
        self.train, self.cache, self.device = train, cache, device
        self._digest = digest(train)
        self._known: dict[str | None, FeatureNetwork] = {}

    def __call__(self, attribute: str | None) -> FeatureNetwork:
        """128 features, and the probabilities of the attribute's values in their order.

        Without an attribute there are none: which way up an image is says nothing of how good it is.
        """
        if attribute not in self._known:
            path = self.cache / f"{self._key(attribute)}.safetensors"
            classifier = _load(path, self.train.images.shape[-1], len(self._values(attribute)), self.device)
            if classifier is None:
                classifier = train_judge(self.train, attribute, self.device)
                _save(path, classifier)
            self._known[attribute] = domain_network(classifier, attribute, self.device)
        return self._known[attribute]

    def _values(self, attribute: str | None) -> tuple[str, ...]:
        return tuple(map(str, range(TURNS))) if attribute is None else self.train.values[attribute]

    def _key(self, attribute: str | None) -> str:
        epochs = epochs_for(examples(self.train, attribute))
        recipe = [self._digest, attribute, self._values(attribute), epochs, SEED]
        return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:24]


def domain_network(
    classifier: DomainClassifier, attribute: str | None, device: str = "cpu"
) -> FeatureNetwork:
    """A classifier as a feature network, named by its weights: other weights give other figures."""

    def embed(images: Tensor) -> tuple[Tensor, Tensor | None]:
        features = classifier.features(to_tensor(images))
        return features, None if attribute is None else classifier.head(features).softmax(1)

    return FeatureNetwork(called(classifier, attribute), RESIZER, embed, device)


def called(classifier: DomainClassifier, attribute: str | None) -> str:
    """The name of a judge: by its weights, for others give other figures."""
    size = classifier.head.in_features
    return f"domain classifier {_fingerprint(classifier)} ({attribute or WAY_UP}, {size} features)"


def _fingerprint(classifier: DomainClassifier) -> str:
    tensors = (t.detach().cpu().contiguous().numpy().tobytes() for t in classifier.state_dict().values())
    return hashlib.sha256(b"".join(tensors)).hexdigest()[:6]


def _load(path: Path, channels: int, classes: int, device: str) -> DomainClassifier | None:
    """The classifier in the cache; None if there is none, or the file is broken."""
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
