"""A linear probe: a linear classifier of frozen features that tells real from generated images."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

FOLDS = 5
_DECAY = 1e-2  # weight of the squared norm, so that few images do not separate many features by chance
_STEPS = 100


def probe_accuracy(a: Tensor, b: Tensor) -> float:
    """Return how often a linear classifier tells features ``a`` (N, D) from ``b`` (M, D), from 0 to 1.

    Takes equal numbers of both, so 0.5 means that the images cannot be told apart. The images are divided
    into FOLDS folds. For each fold, a logistic regression learns from the other folds and classifies this
    fold.
    """
    count = min(len(a), len(b))
    parts = [x[np.random.default_rng(0).permutation(len(x))[:count].tolist()] for x in (a, b)]
    features = torch.cat(parts).double()
    labels = torch.arange(2 * count, device=features.device) // count
    fold = torch.arange(count, device=features.device).repeat(2) % FOLDS
    right = [_right(features, labels, fold == k) for k in range(FOLDS)]
    return float(torch.cat(right).double().mean())


def _right(features: Tensor, labels: Tensor, held_out: Tensor) -> Tensor:
    """Fit a logistic regression to the rows outside ``held_out``, a mask; classify the rows in it.

    Returns for each held-out row whether the regression is right.
    """
    mean, deviation = features[~held_out].mean(0), features[~held_out].std(0)
    x, y = (features - mean) / deviation.clamp(min=1e-6), labels.double()
    weight = torch.zeros(x.shape[1] + 1, dtype=x.dtype, device=x.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = x[~held_out] @ weight[1:] + weight[0]
        value = F.binary_cross_entropy_with_logits(logits, y[~held_out])
        value = value + 0.5 * _DECAY * weight[1:].square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    return ((x[held_out] @ weight[1:] + weight[0]).detach() > 0) == (labels[held_out] == 1)
