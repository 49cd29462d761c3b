"""Score the averaged generator and write samples of its images, at intervals of a training."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from prodgen.evaluation.pictures import on_white, to_bytes
from prodgen.files import replacing
from prodgen.generation.encode import encode_image, to_image
from prodgen.generation.forward import latents
from prodgen.models.base import ImageGenerator
from prodgen.models.condition import encode
from prodgen.settings import settings
from prodgen.spec.provenance import GENERATED, make_xmp
from prodgen.training.distributed.collectives import broadcast
from prodgen.training.distributed.world import local_rank, rank
from prodgen.training.state import TrainingState
from prodgen.training.watch.frozen_score import FrozenScore
from prodgen.training.watch.judge import EVALUATION_IMAGES, Judge

ROWS, COLUMNS, GAP = 10, 10, 2
"""Rows and columns of the grid of samples, and the pixels between its images."""
BATCH_NORM_IMAGES = 1000
"""Number of images by which batch normalisation is measured before samples are written."""


class Review:
    """Evaluates and samples the averaged generator. All processes share the work of an evaluation."""

    def __init__(self, state: TrainingState, folder: Path) -> None:
        self.state, self.folder = state, folder
        self._judge = Judge(state.catalogue, state.data_digest, folder, state.device)
        figure, _, network = state.recipe.select.partition("-")
        self._frozen_score = None
        if figure == "kid":
            weights = settings().feature_weights
            self._frozen_score = FrozenScore(network, weights, state.catalogue, state.device)

    def evaluate(self) -> dict[str, float]:
        """Score the averaged generator; return its scores on every process."""
        ema = self.state.ema
        with self._random_stream(1):
            conditions = self.state.batches.conditions(EVALUATION_IMAGES)
            measured, judged = self._latents(EVALUATION_IMAGES), self._latents(EVALUATION_IMAGES)
        if rank() == 0:
            ema.update_batch_norm(measured, conditions)
        broadcast(ema.model.buffers())
        scores = self._judge(ema.model, judged, conditions)
        return scores | (self._frozen_score(ema.model, judged, conditions) if self._frozen_score else {})

    def write_samples(self) -> None:
        """Write the grid of samples of the current step to the folder of each node."""
        state = self.state
        if rank() == 0:
            with self._random_stream(2):
                latents = self._latents(BATCH_NORM_IMAGES)
                state.ema.update_batch_norm(latents, state.batches.conditions(BATCH_NORM_IMAGES))
        broadcast(state.ema.model.buffers())
        if local_rank() == 0:
            write_grid(state.ema.model, self.folder / "samples" / f"{state.step:07d}.png", state.recipe.seed)

    @contextmanager
    def _random_stream(self, stream: int) -> Iterator[None]:
        """Seed torch by the recipe's seed and ``stream`` within the block; then restore the random state.

        Each block with the same stream thus draws the same numbers.
        """
        with torch.random.fork_rng(devices=[self.state.device] if self.state.on_cuda else []):
            torch.manual_seed(self.state.recipe.seed + stream)
            yield

    def _latents(self, count: int) -> Tensor:
        return torch.randn(count, self.state.method.generator.latent_dim, device=self.state.device)


@torch.inference_mode()
def write_grid(generator: ImageGenerator, path: Path, seed: int) -> None:
    """Write a PNG with a row of images for each value of the first choice attribute, at most ten. Atomic.

    The generator must be in evaluation mode.
    """
    device = next(generator.parameters()).device
    choices = generator.schema.choices
    rows = min(len(choices[0].values), ROWS) if choices else ROWS
    z = latents(seed, range(rows * COLUMNS), generator.latent_dim).to(device)
    fixed = [{choices[0].name: choices[0].values[k // COLUMNS]} if choices else {} for k in range(len(z))]
    attributes = generator.schema.resolve(fixed, [seed] * len(z), range(len(z)))  # draws the rest
    condition = encode(generator.schema, attributes).to(device)
    images = on_white(to_bytes(generator(z, condition)))
    cells = images.reshape(rows, COLUMNS, *images.shape[1:]).transpose(0, 2, 1, 3, 4)
    cells = np.pad(cells, ((0, 0), (0, GAP), (0, 0), (0, GAP), (0, 0)), constant_values=255)
    pixels = cells.reshape(cells.shape[0] * cells.shape[1], -1, cells.shape[4])
    with replacing(path) as partial:
        partial.write_bytes(encode_image(to_image(pixels), "png", make_xmp(GENERATED, {})))
