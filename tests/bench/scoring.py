"""One evaluator for all: the domain classifier of `prodgen.evaluation`, with which nobody has trained."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.judges import Judges
from prodgen.evaluation.metrics import compare

FIGURES = ("fid", "kid", "precision", "recall", "coverage")
TITLES = ("FID", "KID", "precision", "recall", "coverage")


class Evaluator:
    """Judges generated images by the test split, as a classifier of the training split sees it."""

    def __init__(self, train: Catalogue, test: Catalogue, cache: Path, device: str) -> None:
        self.judge = Judges(train, cache, device)(next(iter(train.classifiable)))
        self.real = self.judge(test.images)

    def __call__(self, images: NDArray[np.uint8], labels: NDArray[np.int64] | None) -> dict[str, float]:
        """Bytes (N, H, W, C) and, of a conditional model, what was asked for (N,) -> figures by name."""
        seen = self.judge(images)
        figures = compare(seen, self.real)
        found = {name: figures[name] for name in FIGURES}
        if labels is not None:
            right = seen.probabilities.argmax(1).cpu() == torch.from_numpy(labels)
            found["agreement"] = float(right.double().mean())
        return found
