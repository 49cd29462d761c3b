"""How good a generator is, as far as a run needs to know to keep the best of its steps."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from prodgen.catalog.catalogue import UNKNOWN, Catalogue, digest
from prodgen.errors import ProdgenError
from prodgen.evaluation.accuracy import accuracy_of
from prodgen.evaluation.classifier import DomainClassifier, judge, to_tensor, train_classifier
from prodgen.evaluation.domain import epochs_for
from prodgen.evaluation.frechet import frechet_distance
from prodgen.models.base import ImageGenerator
from prodgen.training import checkpoint

EVALUATED = 5000
"""Generated images of one evaluation."""
PART = 100
"""Images on the device at a time."""


class Judge:
    """Scores by a classifier of the catalogue's first attribute, trained once and kept in the run's folder.

    A catalogue without attributes is taught to tell which way up a picture is (Gidaris et al. 2018), which
    takes features of what is in it all the same.
    """

    def __init__(self, catalogue: Catalogue, folder: Path, device: str) -> None:
        data = digest(catalogue)
        self.labelled = bool(catalogue.values)
        images = catalogue.images
        catalogue = catalogue if self.labelled else _turned(catalogue)
        attribute = next(iter(catalogue.values))
        self.values = catalogue.values[attribute]
        path = folder / "classifier.safetensors"
        if path.exists():
            with torch.random.fork_rng():  # a resumed run goes on with its own numbers
                self.classifier = DomainClassifier(images.shape[3], len(self.values))
            state = checkpoint.load(path)
            if state.get("data") != data:
                raise ProdgenError(f"{path} belongs to another catalogue; train in another folder")
            self.classifier.load_state_dict(state["classifier"])
            self.classifier.to(device, memory_format=torch.channels_last).eval()
        else:
            self.classifier = train_classifier(
                catalogue, attribute, epochs=epochs_for(len(catalogue)), device=device
            )
            checkpoint.save(path, {"data": data, "classifier": self.classifier.state_dict()})
        rows = np.random.default_rng(0).permutation(len(images))[: 2 * EVALUATED]
        parts = torch.from_numpy(images[rows]).split(PART)
        self.real = torch.cat([judge(self.classifier, to_tensor(part).to(device))[0] for part in parts])
        self.labels = torch.from_numpy(catalogue.labels[attribute][rows]).to(device)

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
        labels = torch.zeros_like(self.labels)
        if self.labelled:
            block = conditions[:, : self.classifier.head.out_features]
            asked = torch.where(block.sum(1) > 0, block.argmax(1), UNKNOWN)
            labels = self.labels
            agreement = accuracy_of(predicted, asked, self.values).overall
            if agreement is not None:
                scores["agreement"] = agreement
        spread, real_spread = _spread(features, asked), _spread(self.real, labels)
        if spread is not None and real_spread:
            scores["diversity"] = spread / real_spread
        return scores


def _spread(features: Tensor, labels: Tensor) -> float | None:
    """The mean deviation of features (N, D) within each label (N,) of which there are two."""
    groups = [features[labels == label] for label in labels.unique() if label != UNKNOWN]
    spreads = [float(group.std(0).mean()) for group in groups if len(group) > 1]
    return sum(spreads) / len(spreads) if spreads else None


def _turned(catalogue: Catalogue) -> Catalogue:
    """Every image a quarter, half or three quarters turned, or not, and labelled so."""
    images = np.concatenate([np.rot90(catalogue.images, turns, (1, 2)) for turns in range(4)])
    labels = np.repeat(np.arange(4), len(catalogue))
    return Catalogue(images, {"turn": labels}, {"turn": tuple("0123")})
