"""Small models and catalogues for tests: random weights, never shipped."""

import gzip
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from prodgen.models import SavedModel, load_model, save_model
from prodgen.models.resnet import ResNetGenerator
from prodgen.spec.attributes import AttributeSchema, Choice

torch.set_num_threads(1)

CATEGORIES = ("sneaker", "bag", "dress")
SCHEMA = AttributeSchema(
    attributes=(
        Choice(name="category", values=CATEGORIES, frequencies=(0.5, 0.3, 0.2)),
        Choice(name="pattern", values=("plain", "striped"), frequencies=(0.75, 0.25)),
    )
)
FASHION_MNIST = Path(__file__).parents[2] / "shared" / "data" / "fashion-mnist"


def toy_generator(
    seed: int = 0, *, schema: AttributeSchema = SCHEMA, channels: int = 1, size: int = 16
) -> ResNetGenerator:
    """A generator whose weights and running statistics are all random, so that no test passes trivially."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        generator = ResNetGenerator(
            attributes=schema, size=size, channels=channels, latent_dim=12, widths=[16, 8]
        )
        randomise(generator)
    return generator.eval()


def randomise(generator: torch.nn.Module) -> None:
    """Make all weights and running statistics random."""
    for name, tensor in generator.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0)
        elif tensor.is_floating_point():
            tensor.normal_(0.0, 0.3)


def toy_folder(folder: Path, seed: int = 0, **options: object) -> Path:
    """A model folder as `prodgen train` writes it."""
    save_model(toy_generator(seed, **options), folder)
    return folder


def toy_model(folder: Path, seed: int = 0, **options: object) -> SavedModel:
    """A toy generator, saved to ``folder`` and loaded from it."""
    return load_model(toy_folder(folder, seed, **options))


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write an IDX file of unsigned bytes, gzipped if the name ends in .gz."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    raw = header + array.tobytes()
    path.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)


def write_catalogue(folder: Path, count: int = 64, size: int = 8, classes: int = 10) -> Path:
    """Write four IDX files; each class is a bright bar in a row of its own, with noise."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for prefix in ("train", "t10k"):
        labels = (np.arange(count) % classes).astype(np.uint8)
        images = rng.integers(0, 40, (count, size, size)).astype(np.uint8)
        images[np.arange(count), labels % size] = 220
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", labels)
    return folder
