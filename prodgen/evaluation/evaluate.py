"""Evaluates a model with a training and a test split of real images. Returns figures and pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from prodgen.errors import ProdgenError
from prodgen.evaluation.accuracy import MAX_CAS_COUNT, agreement, cas
from prodgen.evaluation.compatibility import TEST_SPLIT, check_count
from prodgen.evaluation.context import Context, Figure, Measurement
from prodgen.evaluation.features import FeatureNetwork
from prodgen.evaluation.inception import inception
from prodgen.evaluation.judges import Judges, count_examples
from prodgen.evaluation.memorisation import memorised
from prodgen.evaluation.metrics import comparison
from prodgen.evaluation.products import colour_fidelity, transparency
from prodgen.evaluation.reconstruction import reconstructed
from prodgen.evaluation.samples import generate_like, interpolated, sampled
from prodgen.evaluation.splits import OnProgress, Splits, read_splits, silent
from prodgen.evaluation.trunks import TRUNKS, trunk_network
from prodgen.models import SavedModel
from prodgen.reproducible import reproducible

MEASURES: dict[str, Callable[[Context], Measurement]] = {
    "Comparing with the test split": comparison,
    "Comparing transparency": transparency,
    "Measuring colours": colour_fidelity,
    "Classifying generated images": agreement,
    "Training a classifier on generated images": cas,
    "Looking for memorised images": memorised,
    "Drawing samples": sampled,
    "Interpolating": interpolated,
    "Reconstructing": reconstructed,
}
"""All measures, each under the name that users see while the measure runs."""
FEATURES = ("domain", "inception", *TRUNKS)
"""The feature networks by name."""
MAX_COUNT = 10_000
"""Maximum number of generated images to compare with the test split, unless the caller sets a count."""


@dataclass(frozen=True)
class Options:
    """The options of an evaluation. ``cache``: the folder where judges are kept."""

    cache: Path
    count: int | None = None
    """Number of images to generate. By default the size of the training split, up to the maximum."""
    features: str = "domain"
    inception_weights: Path | None = None
    trunk_weights: Path | None = None
    """Folder with the weights of AlexNet and VGG16; by default the folder in the installed package."""
    seed: int = 0
    device: str = "cpu"
    resized: bool = False
    """Whether IDX and CIFAR images are resized to the model's size."""


@dataclass(frozen=True)
class Plan:
    """An evaluation with checked inputs. ``network``: a pretrained feature network, or None for a judge."""

    model: SavedModel
    splits: Splits
    options: Options
    network: FeatureNetwork | None


@dataclass(frozen=True)
class Evaluation:
    """The results of all measures.

    ``pictures``: by file name. ``left_out``: figures that are missing, and why.
    """

    context: Context
    options: Options
    figures: dict[str, Figure]
    pictures: dict[str, Image.Image]
    left_out: list[str]


def plan(model: SavedModel, splits: Splits, options: Options) -> Plan:
    """Check the inputs of an evaluation, and return the plan for `evaluate`.

    Raises ProdgenError if there are too few images, or if the feature network is unknown or missing.
    """
    counts = {"the training split has": len(splits.train), f"the {TEST_SPLIT} split has": len(splits.test)}
    if options.count is not None:
        counts["--count is"] = options.count
    for what, images in counts.items():
        check_count(what, images)
    name, weights = options.features, options.inception_weights
    if name not in FEATURES:
        raise ProdgenError(
            f"there are no features {name!r}; known are {', '.join(FEATURES)}", param="features"
        )
    if weights is not None and name != "inception":
        raise ProdgenError("--inception-weights is for --features inception", param="inception_weights")
    config, network = model.config, None
    if name == "inception":
        network = inception(weights, config.channels, options.device)
    elif name in TRUNKS:
        network = trunk_network(name, options.trunk_weights, config.channels, config.size, options.device)
    return Plan(model, splits, options, network)


def plan_from(model: SavedModel, data: Path, options: Options, on_progress: OnProgress = silent) -> Plan:
    """Read both splits from the folder ``data``, and return the plan to evaluate ``model`` with them."""
    splits = Splits.matching(model.config, *read_splits(data, model.config, options.resized, on_progress))
    return plan(model, splits, options)


def evaluate(plan: Plan, on_progress: OnProgress = silent) -> Evaluation:
    """Run all measures of a plan in fp32; return their results.

    Calls ``on_progress`` with the name of each measure when the measure begins.
    """
    with reproducible():
        context = _prepare(plan, on_progress)
        evaluation = Evaluation(context, plan.options, {}, {}, [])
        for name, measure in MEASURES.items():
            on_progress(name, 0, None)
            found = measure(context)
            evaluation.figures.update(found.figures)
            evaluation.pictures.update(found.pictures)
            evaluation.left_out.extend(found.left_out)
    return evaluation


def _prepare(plan: Plan, on_progress: OnProgress) -> Context:
    model, splits, options = plan.model, plan.splits, plan.options
    judges = Judges(splits.train, options.cache, options.device)
    on_progress("Training the judges", 0, None)
    attributes = splits.train.classifiable
    main = next(iter(attributes), None)
    network = plan.network or judges(main)
    for attribute in attributes:
        judges(attribute)
    count = options.count or min(MAX_COUNT, len(splits.train))
    cas_count = min(options.count or MAX_CAS_COUNT, count_examples(splits.train, main)) if main else 0
    total = max(count, cas_count)
    made = partial(on_progress, "Generating images")
    generated = generate_like(model, splits.train, total, options.seed, options.device, made)
    return Context(model, splits, generated, count, cas_count, judges, network, options.seed, options.device)
