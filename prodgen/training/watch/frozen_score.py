"""Score the generator of a training by a frozen network, which has learnt from other images."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from prodgen.catalog.catalogue import Catalogue
from prodgen.evaluation.metrics import kernel_distance_by_level
from prodgen.evaluation.pictures import to_bytes
from prodgen.evaluation.trunks import trunk_network
from prodgen.models.base import ImageGenerator
from prodgen.training.distributed.collectives import on_rank_zero, world_sum
from prodgen.training.distributed.world import own_batches

IMAGES = 1000
"""Number of generated images in an evaluation, which are compared with up to as many training images."""


class FrozenScore:
    """Scores by the kernel distance in the features of ``trunk``, one of `prodgen.evaluation.trunks.TRUNKS`.

    ``weights``: the folder with the trunk's weights. Raises ProdgenError if they are missing.
    """

    def __init__(self, trunk: str, weights: Path | None, catalogue: Catalogue, device: str) -> None:
        self.key, (_, height, _, channels) = f"kid_{trunk}", catalogue.images.shape
        self._network = trunk_network(trunk, weights, channels, height, device)
        rows = np.sort(np.random.default_rng(0).permutation(len(catalogue))[:IMAGES])
        self._real = self._network(np.ascontiguousarray(catalogue.images[rows])).values

    @torch.inference_mode()
    def __call__(self, generator: ImageGenerator, latents: Tensor, conditions: Tensor) -> dict[str, float]:
        """Generate an image for each of the first 1,000 latents, and compare them with training images.

        latents: (N, latent_dim); conditions: (N, D). Returns the kernel distance under the name ``kid_`` and
        the trunk. Every process must call this with equal arguments: each process generates a part of the
        images.
        """
        count = min(IMAGES, len(latents))
        features = torch.zeros(count, self._real.shape[1], device=self._real.device)
        for part in own_batches(count, self._network.batch):
            features[part] = self._network(to_bytes(generator(latents[part], conditions[part]))).values
        world_sum(features)  # the other rows of each process are zero
        return on_rank_zero(lambda: {self.key: self._distance(features)})

    def _distance(self, features: Tensor) -> float:
        (mean, _), _ = kernel_distance_by_level(features, self._real, self._network.levels)
        return mean
