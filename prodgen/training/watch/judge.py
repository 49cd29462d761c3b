"""How good a generator is, as far as a run needs to know to keep the best of its steps."""

import itertools
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.errors import ProdgenError
from prodgen.evaluation.accuracy import accuracy_of
from prodgen.evaluation.classifier import TURNS, DomainClassifier, judge, to_tensor
from prodgen.evaluation.domain import called, train_judge
from prodgen.evaluation.frechet import frechet_distance
from prodgen.models.base import ImageGenerator
from prodgen.training import checkpoint

CLASSIFIER = "classifier.safetensors"
"""The judge's file in a run's folder."""
EVALUATED = 5000
"""Generated images of one evaluation."""
PART = 100
"""Images on the device at a time."""


class Judge:
    """Scores by a classifier of the catalogue's first attribute of two kinds, kept in the run's folder.

    Without such an attribute, by a classifier of which way up an image is. ``data``: the catalogue's digest.
    """

    def __init__(self, catalogue: Catalogue, data: str, folder: Path, device: str) -> None:
        self.attribute = next(iter(catalogue.classifiable), None)
        self.values = catalogue.values[self.attribute] if self.attribute else ()
        before = itertools.takewhile(lambda name: name != self.attribute, catalogue.values)
        self._place = sum(len(catalogue.values[name]) for name in before)  # of its block in a condition
        path = folder / CLASSIFIER
        self.classifier = _classifier(catalogue, data, self.attribute, path, device)
        rows = np.sort(np.random.default_rng(0).permutation(len(catalogue))[: 2 * EVALUATED])
        parts = torch.from_numpy(catalogue.images[rows]).split(PART)
        self.real = torch.cat([judge(self.classifier, to_tensor(part).to(device))[0] for part in parts])
        nothing = np.zeros(len(catalogue), np.int64)
        labels = catalogue.labels[self.attribute] if self.attribute else nothing
        self.labels = torch.from_numpy(labels[rows]).to(device)

    @torch.inference_mode()
    def __call__(self, generator: ImageGenerator, latents: Tensor, conditions: Tensor) -> dict[str, float]:
        """latents: (N, latent_dim); conditions: (N, D) -> Fréchet distance, agreement and diversity.

        ``agreement``: how often the classifier takes an image for what was asked. ``diversity``: how widely
        images of one kind spread in the features, as a share of how widely real ones do.
        """
        parts = zip(latents.split(PART), conditions.split(PART), strict=True)
        judged = [judge(self.classifier, generator(z, c).float()) for z, c in parts]
        features, predicted = map(torch.cat, zip(*judged, strict=True))
        scores = {"domain_fid": frechet_distance(features, self.real)}
        asked = torch.zeros(len(features), dtype=torch.long, device=features.device)
        if self.attribute:
            block = conditions[:, self._place : self._place + len(self.values)]
            asked = torch.where(block.sum(1) > 0, block.argmax(1), UNKNOWN)
            agreement = accuracy_of(predicted, asked, self.values).overall
            if agreement is not None:
                scores["agreement"] = agreement
        spread, real_spread = _spread(features, asked), _spread(self.real, self.labels)
        if spread is not None and real_spread:
            scores["diversity"] = spread / real_spread
        return scores


def signature(catalogue: Catalogue, data: str, folder: Path) -> dict[str, str]:
    """Which judge scored a run, and on what: scores compare where both are the same."""
    attribute = next(iter(catalogue.classifiable), None)
    classifier = _classifier(catalogue, data, attribute, folder / CLASSIFIER, "cpu")
    counts = f"{EVALUATED:,} generated against {min(2 * EVALUATED, len(catalogue)):,} real"
    return {"judge": called(classifier, attribute), "data": f"train split {data} ({counts})"}


def _spread(features: Tensor, labels: Tensor) -> float | None:
    """The mean deviation of features (N, D) within each label (N,) of which there are two."""
    groups = [features[labels == label] for label in labels.unique() if label != UNKNOWN]
    spreads = [float(group.std(0).mean()) for group in groups if len(group) > 1]
    return sum(spreads) / len(spreads) if spreads else None


def _classifier(
    catalogue: Catalogue, data: str, attribute: str | None, path: Path, device: str
) -> DomainClassifier:
    """The classifier of the run's folder, trained if it is not there yet, or is one of something else."""
    classes = len(catalogue.values[attribute]) if attribute else TURNS
    state = checkpoint.load(path) if path.exists() else None
    if state and state.get("data") != data:
        raise ProdgenError(f"{path} belongs to another catalogue; train in another folder")
    if state is None or len(state["classifier"]["head.bias"]) != classes:
        classifier = train_judge(catalogue, attribute, device, seed=0)
        checkpoint.save(path, {"data": data, "classifier": classifier.state_dict()})
        return classifier
    with torch.random.fork_rng(devices=[]):  # a resumed run goes on with its own numbers
        classifier = DomainClassifier(catalogue.images.shape[3], classes)
    classifier.load_state_dict(state["classifier"])
    return classifier.to(device, memory_format=torch.channels_last).eval()
