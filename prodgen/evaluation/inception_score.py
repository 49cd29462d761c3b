"""The Inception Score (Salimans et al. 2016), from the class probabilities of any network."""

import torch
from torch import Tensor


def inception_score(probabilities: Tensor, splits: int = 10, seed: int = 0) -> tuple[float, float]:
    """Return the mean and the standard deviation of the Inception Score over random parts of the images.

    ``probabilities``: (N, K). ``splits``: the number of parts. The score is exp E KL(p(y|x) || p(y)), from 1
    to K. It is high if every image clearly belongs to one class and all classes are equally frequent.
    """
    order = torch.randperm(len(probabilities), generator=torch.Generator().manual_seed(seed))
    scores = torch.stack([_score(part) for part in probabilities.double()[order].tensor_split(splits)])
    return float(scores.mean()), float(scores.std(correction=0))


def _score(p: Tensor) -> Tensor:
    return (torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean().exp()
