"""An evaluation, from a model and the real images to its figures and pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from prodgen.evaluation.cas import MOST
from prodgen.evaluation.comparable import SPLIT, check_count
from prodgen.evaluation.domain import Judges, examples
from prodgen.evaluation.features import NetworkFrom, feature_source
from prodgen.evaluation.figure import Figure
from prodgen.evaluation.measures import MEASURES
from prodgen.evaluation.samples import generate
from prodgen.evaluation.scene import Scene
from prodgen.evaluation.splits import Splits, read_splits
from prodgen.reproducible import reproducible
from prodgen.models import SavedModel

COUNT = 10_000
"""Generated images that are compared with the test split, unless told."""
Stage = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """``count``: generated images; left out, as many as the training split has, up to 10,000 to compare and
    60,000 for the classification accuracy score. ``cache``: the folder in which judges are kept. ``resized``:
    whether the data was brought to the model's size or channels."""

    cache: Path
    count: int | None = None
    features: str = "domain"
    inception_weights: Path | None = None
    seed: int = 0
    device: str = "cpu"
    resized: bool = False


@dataclass(frozen=True)
class Plan:
    """An evaluation of which nothing is left that could be refused."""

    model: SavedModel
    splits: Splits
    options: Options
    network: NetworkFrom


@dataclass(frozen=True)
class Evaluation:
    """What all the measures found together. ``pictures``: by file name; ``left_out``: what, and why."""

    scene: Scene
    options: Options
    figures: dict[str, Figure]
    pictures: dict[str, Image.Image]
    left_out: list[str]


def plan(model: SavedModel, splits: Splits, options: Options) -> Plan:
    """Raises ProdgenError where the images are too few, or the network cannot be had."""
    sizes = {"the training split holds": len(splits.train), f"the {SPLIT} split holds": len(splits.test)}
    if options.count is not None:
        sizes["--count is"] = options.count
    for name, images in sizes.items():
        check_count(name, images)
    chosen = options.features, options.inception_weights, model.config.channels, options.device
    return Plan(model, splits, options, feature_source(*chosen))


def plan_from(model: SavedModel, data: Path, options: Options) -> Plan:
    """The plan for the splits of a folder, read as the model needs them; raises ProdgenError like `plan`."""
    return plan(
        model, Splits.matching(model.config, *read_splits(data, model.config, options.resized)), options
    )


def evaluate(plan: Plan, stage: Stage = lambda name: None) -> Evaluation:
    """All the measures, in fp32; ``stage`` hears of each part as it begins."""
    with reproducible():
        scene = _prepare(plan, stage)
        evaluation = Evaluation(scene, plan.options, {}, {}, [])
        for name, measure in MEASURES.items():
            stage(name)
            found = measure(scene)
            evaluation.figures.update(found.figures)
            evaluation.pictures.update(found.pictures)
            evaluation.left_out.extend(found.left_out)
    return evaluation


def _prepare(plan: Plan, stage: Stage) -> Scene:
    model, splits, options = plan.model, plan.splits, plan.options
    judges = Judges(splits.train, options.cache, options.device)
    stage("Training the judges")
    attributes = splits.train.classifiable
    first = next(iter(attributes), None)
    network = plan.network(judges, first)
    for attribute in attributes:
        judges(attribute)
    count = options.count or min(COUNT, len(splits.train))
    taught = min(options.count or MOST, examples(splits.train, first)) if first else 0
    total = max(count, taught)
    stage(f"Generating {total:,} images")
    generated = generate(model, splits.train, total, options.seed, options.device)
    return Scene(model, splits, generated, count, taught, judges, network, options.seed, options.device)
