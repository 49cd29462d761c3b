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

from prodgen.evaluation.metrics import kernel_distance_by_level
from prodgen.evaluation.probe import probe_accuracy
from prodgen.evaluation.samples import generate_like
from prodgen.evaluation.splits import Splits, read_splits
from prodgen.evaluation.trunks import trunk_network
from prodgen.generation.finish import apply_finish
from prodgen.models import load_model
from prodgen.spec.finish import Finish

_BATCH = 16


def finished(images: NDArray[np.uint8], finish: Finish) -> NDArray[np.uint8]:
    """Return generated images (N, H, W, 4) with a finish, premultiplied as those of a catalogue are."""
    made = []
    for batch in torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1).split(_BATCH):
        with torch.inference_mode():
            made.append(apply_finish(batch, finish, "#000000", *[[0] * len(batch)] * 2).numpy())
    pixels = np.concatenate(made)
    pixels[..., :3] = (pixels[..., :3] * (pixels[..., 3:] / 255.0)).round()
    return pixels


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
        "resampled": finished(made, Finish(size=side)),
        "upscaled": finished(made, Finish(size=side, upscale=4)),
        "real training images": splits.train.images[some],
    }
    print(f"{model.id}, {len(real)} test images of {side} pixels | KID | probe")
    for way, images in ways.items():
        features = network(images).values
        (mean, deviation), _ = kernel_distance_by_level(real, features, network.levels)
        print(f"{way} | {mean:.4f} ± {deviation:.4f} | {probe_accuracy(real, features):.3f}", flush=True)


if __name__ == "__main__":
    main()
