"""Compare generated images at twice their side, resampled or upscaled, with real images of that side.

    python -m tests.bench.enlarged CATALOGUE [--model clothing] [--images 800] [--seed 0]

CATALOGUE is prepared with twice the model's side (``prodgen data prepare --size 128``). Prints the kernel
distance (KID) from the test split in AlexNet's features, and how often a linear probe tells the two apart
(0.5 is perfect). The weights are those of ``prodgen evaluate --features alexnet``.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from prodgen.evaluation.metrics import kernel_distance_by_level
from prodgen.evaluation.probe import probe_accuracy
from prodgen.evaluation.samples import generate_like
from prodgen.evaluation.splits import Splits, read_splits
from prodgen.evaluation.trunks import trunk_network
from prodgen.generation.coverage import clamp_to_coverage
from prodgen.generation.upscale import upscale
from prodgen.models import load_model

_BATCH = 16


def enlarged(images: NDArray[np.uint8], side: int, *, by_network: bool) -> NDArray[np.uint8]:
    """Return images (N, H, W, 4) with the side ``side``, resampled or enlarged by the upscaler."""
    made = []
    for batch in torch.from_numpy(images).permute(0, 3, 1, 2).float().div(255).split(_BATCH):
        made.append(_upscaled(batch, side) if by_network else _resampled(batch, side))
    pixels: NDArray[np.uint8] = torch.cat(made).mul(255).round().byte().permute(0, 2, 3, 1).numpy()
    return pixels


def _upscaled(batch: Tensor, side: int) -> Tensor:
    with torch.inference_mode():
        return F.interpolate(upscale(batch), side, mode="area")


def _resampled(batch: Tensor, side: int) -> Tensor:
    return clamp_to_coverage(F.interpolate(batch, side, mode="bicubic").clamp(0, 1))


def main() -> None:
    """Generate, enlarge and measure, and print a row for each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("catalogue", type=Path)
    parser.add_argument("--model", default="clothing")
    parser.add_argument("--images", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    model = load_model(asked.model)
    side = 2 * model.config.size
    larger = model.config.model_copy(update={"size": side})
    splits = Splits.matching(larger, *read_splits(asked.catalogue, larger, False))
    made = generate_like(model, splits.test, asked.images, asked.seed, "cpu").images
    network = trunk_network("alexnet", None, model.config.channels, side)
    real = network(splits.test.images).values
    some = np.random.default_rng(asked.seed).permutation(len(splits.train.images))[: asked.images]
    ways = {
        "resampled (bicubic)": enlarged(made, side, by_network=False),
        "upscaled": enlarged(made, side, by_network=True),
        "real training images": splits.train.images[some],
    }
    print(f"{model.id}, {len(real)} test images of {side} pixels | KID | probe")
    for way, images in ways.items():
        features = network(images).values
        (mean, deviation), _ = kernel_distance_by_level(real, features, network.levels)
        print(f"{way} | {mean:.4f} ± {deviation:.4f} | {probe_accuracy(real, features):.3f}", flush=True)


if __name__ == "__main__":
    main()
