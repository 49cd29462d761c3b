"""The classification accuracy score (Ravuri & Vinyals 2019): what the generated images teach a classifier."""

import numpy as np

from prodgen.catalog.catalogue import UNKNOWN, Catalogue
from prodgen.evaluation.accuracy import Accuracy, accuracy
from prodgen.evaluation.domain import Judges, domain_network, train_judge
from prodgen.evaluation.splits import subset

MOST = 60_000
"""Images that a classifier is trained on, unless told."""


def classification_accuracy_score(
    generated: Catalogue, train: Catalogue, test: Catalogue, attribute: str, judges: Judges
) -> tuple[Accuracy, Accuracy]:
    """The accuracy on the real test split of a fresh classifier trained on the generated images alone, and of
    the same classifier trained on as many real training images of known kind, by the same recipe.

    Both have the kinds as often as the training split: the generated images' were drawn so. ``judges`` has
    the latter classifier already, where it is that of the whole training split.
    """
    learned = _taught_by(generated, test, attribute, judges.device)
    known = np.flatnonzero(train.labels[attribute] != UNKNOWN)
    if len(generated) == len(known):
        return learned, accuracy(judges(attribute), test, attribute)
    rows = np.random.default_rng(0).permutation(known)[: len(generated)]
    return learned, _taught_by(subset(train, rows), test, attribute, judges.device)


def _taught_by(images: Catalogue, test: Catalogue, attribute: str, device: str) -> Accuracy:
    classifier = train_judge(images, attribute, device)
    return accuracy(domain_network(classifier, attribute, device), test, attribute)
