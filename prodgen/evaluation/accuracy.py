"""Measures how often a classifier is right: about generated images, or after training on generated images."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.evaluation.context import Context, Figure, Measurement
from prodgen.evaluation.features import FeatureNetwork
from prodgen.evaluation.judges import RESIZER, Judges, as_network, train_judge
from prodgen.evaluation.splits import subset

MAX_CAS_COUNT = 60_000
"""Maximum number of generated images that train the classifier of the CAS, unless the caller sets a count."""
NO_CLASSES = "no attribute of the data has two values to tell apart"


@dataclass(frozen=True)
class Accuracy:
    """Shares of right predictions in [0, 1], of all images and of each value; None without images.

    ``count``: number of images with a known label.
    """

    overall: float | None
    by_class: dict[str, float | None]
    count: int


def accuracy(classifier: FeatureNetwork, images: Catalogue, attribute: str) -> Accuracy:
    """Return the accuracy of ``classifier`` on the images whose value of ``attribute`` is known."""
    labels = torch.from_numpy(images.labels[attribute])
    predicted = classifier(images.images).probabilities.argmax(1).cpu()
    return accuracy_of(predicted, labels, images.values[attribute])


def accuracy_of(predicted: Tensor, labels: Tensor, values: tuple[str, ...]) -> Accuracy:
    """Return which share of ``predicted`` equals ``labels``, overall and for each of ``values``.

    ``predicted`` and ``labels``: (N,) indices into ``values``. Rows with the label UNKNOWN do not count.
    """
    known = labels != UNKNOWN
    right = predicted == labels
    by_class = {value: _share(right[labels == k]) for k, value in enumerate(values)}
    return Accuracy(_share(right[known]), by_class, int(known.sum()))


def agreement_figure(
    context: Context, title: str, attribute: str, generated: Catalogue, real: Catalogue
) -> Figure:
    """Return the share of ``generated`` images whose label the judge predicts, as a figure.

    The figure also has the same share of ``real`` images.
    """
    judge = context.judges(attribute)
    ours, theirs = accuracy(judge, generated, attribute), accuracy(judge, real, attribute)
    own = {"features": judge.name, "resizer": judge.resizer, **_by_class(attribute, ours, theirs)}
    counts = {"real_count": theirs.count, "generated_count": len(generated)}
    return context.figure(title, ours.overall, theirs.overall, "higher", **own, **counts)


def _by_class(attribute: str, generated: Accuracy, real: Accuracy) -> dict[str, object]:
    pairs = {value: (share, real.by_class[value]) for value, share in generated.by_class.items()}
    return {"attribute": attribute, "by_class": pairs}


def agreement(context: Context) -> Measurement:
    """Measure how often each attribute's judge predicts the value that was requested for an image."""
    images = subset(context.generated, slice(context.count))
    figures = {}
    for attribute in context.splits.train.classifiable:
        title = f"agreement with the requested {attribute}"
        figure = agreement_figure(context, title, attribute, images, context.splits.test)
        figures[f"agreement_{attribute}"] = figure
    left_out = () if figures else (f"agreement with the requested attributes: {NO_CLASSES}",)
    return Measurement(figures, left_out=left_out)


def cas(context: Context) -> Measurement:
    """Measure the classification accuracy score (CAS), and its distance from the score of real images.

    See `classification_accuracy_score`. Leaves the figures out if no attribute has two values.
    """
    attribute = context.main_attribute
    if attribute is None:
        return Measurement(left_out=(f"the classification accuracy score (CAS): {NO_CLASSES}",))
    images, splits = subset(context.generated, slice(context.cas_count)), context.splits
    sets = images, splits.train, splits.test
    generated, real = classification_accuracy_score(*sets, attribute, context.judges)
    counts = {"real_count": generated.count, "generated_count": context.cas_count}
    own = {"features": f"fresh domain classifier ({attribute})", "resizer": RESIZER, **counts}
    title, classes = "classification accuracy score (CAS)", _by_class(attribute, generated, real)
    figures = {"cas": context.figure(title, generated.overall, real.overall, "higher", **own, **classes)}
    if generated.overall is not None and real.overall is not None:
        gap = 100 * (real.overall - generated.overall)
        title = "gap of the CAS to real images, in percentage points"
        figures["cas_gap"] = context.figure(title, gap, 0.0, "lower", **own)
    return Measurement(figures)


def classification_accuracy_score(
    generated: Catalogue, train: Catalogue, test: Catalogue, attribute: str, judges: Judges
) -> tuple[Accuracy, Accuracy]:
    """Return the classification accuracy score (Ravuri & Vinyals 2019) of generated and of real images.

    To score a set of images, a new classifier is trained on this set alone; the score is its accuracy on the
    real test split. The real set has as many images as ``generated``, drawn from the training images whose
    value is known. If the real set has all these images, the judge of the training split is its classifier.
    """
    score = _accuracy_after(generated, test, attribute, judges.device)
    known = np.flatnonzero(train.labels[attribute] != UNKNOWN)
    if len(generated) == len(known):
        return score, accuracy(judges(attribute), test, attribute)
    rows = np.random.default_rng(0).permutation(known)[: len(generated)]
    return score, _accuracy_after(subset(train, rows), test, attribute, judges.device)


def _accuracy_after(images: Catalogue, test: Catalogue, attribute: str, device: str) -> Accuracy:
    classifier = train_judge(images, attribute, device)
    return accuracy(as_network(classifier, attribute, device), test, attribute)


def _share(right: Tensor) -> float | None:
    return float(right.double().mean()) if len(right) else None
