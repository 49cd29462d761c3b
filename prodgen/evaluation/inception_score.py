"""The Inception Score (Salimans et al. 2016), of whichever network gave the probabilities."""

import torch
from torch import Tensor


def inception_score(probabilities: Tensor, splits: int = 10, seed: int = 0) -> tuple[float, float]:
    """Class probabilities (N, K) -> mean and standard deviation over ``splits`` of exp E KL(p(y|x) || p(y)).

    From 1 to K: high where each image is of one class for sure, and all classes are equally frequent.
    """
    order = torch.randperm(len(probabilities), generator=torch.Generator().manual_seed(seed))
    scores = torch.stack([_score(part) for part in probabilities.double()[order].tensor_split(splits)])
    return float(scores.mean()), float(scores.std(correction=0))


def _score(p: Tensor) -> Tensor:
    return (torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean().exp()
