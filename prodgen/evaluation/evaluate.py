"""An evaluation, from a model and the real images to its figures and pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from prodgen.errors import ProdgenError
from prodgen.evaluation.cas import MOST
from prodgen.evaluation.domain import Judges
from prodgen.evaluation.features import feature_source
from prodgen.evaluation.figure import Figure
from prodgen.evaluation.measures import MEASURES
from prodgen.evaluation.samples import generate
from prodgen.evaluation.scene import SPLIT, Scene
from prodgen.evaluation.splits import Splits
from prodgen.models import SavedModel

COUNT = 10_000
"""Generated images that are compared with the test split, unless told."""


@dataclass(frozen=True)
class Options:
    """``count``: generated images; left out, 10,000, and for the classification accuracy score as many as the
    training split has, up to 60,000. ``cache``: the folder in which judges are kept."""

    cache: Path
    count: int | None = None
    features: str = "domain"
    inception_weights: Path | None = None
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True)
class Evaluation:
    """``pictures``: by file name."""

    scene: Scene
    options: Options
    figures: dict[str, Figure]
    pictures: dict[str, Image.Image]


def evaluate(
    model: SavedModel, splits: Splits, options: Options, stage: Callable[[str], None] = lambda name: None
) -> Evaluation:
    """All the measures, in fp32; ``stage`` hears of each part as it begins.

    Raises ProdgenError where the images are too few for the features, or the network cannot be had.
    """
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with exact:
        scene = _prepare(model, splits, options, stage)
        figures: dict[str, Figure] = {}
        pictures: dict[str, Image.Image] = {}
        for name, measure in MEASURES.items():
            stage(name)
            found, drawn = measure(scene)
            figures |= found
            pictures |= drawn
    return Evaluation(scene, options, figures, pictures)


def _prepare(model: SavedModel, splits: Splits, options: Options, stage: Callable[[str], None]) -> Scene:
    source = feature_source(options.features)
    count = options.count or COUNT
    taught = min(options.count or MOST, len(splits.train))
    _refuse_few(source.size, count, splits)
    if options.inception_weights is not None and options.features != "inception":
        raise ProdgenError("--inception-weights is for --features inception", param="inception_weights")
    judges = Judges(splits.train, options.cache, options.device)
    stage("Training the judges")
    attributes = list(splits.train.values)
    network = source.build(judges, attributes[0], options.inception_weights, options.device)
    for attribute in attributes:
        judges(attribute)
    total = max(count, taught)
    stage(f"Generating {total:,} images")
    generated = generate(model, total, options.seed, options.device)
    return Scene(model, splits, generated, count, taught, judges, network, options.seed, options.device)


def _refuse_few(features: int, count: int, splits: Splits) -> None:
    for name, images in (
        ("--count is", count),
        (f"the {SPLIT} split holds", len(splits.test)),
        ("the training split holds", len(splits.train)),
    ):
        if images <= features:
            raise ProdgenError(
                f"the Fréchet distance of {features:,} features needs more than {features:,} images; "
                f"{name} {images:,}",
                param="count",
            )
