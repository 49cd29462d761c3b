"""The kernel Inception distance (Bińkowski et al. 2018)."""

import torch
from torch import Tensor

SUBSET = 1000
"""Maximum number of images that a subset has from each set, by default."""


def kernel_distance(
    a: Tensor, b: Tensor, subsets: int = 100, size: int | None = None, seed: int = 0
) -> tuple[float, float]:
    """Return the mean and the standard deviation of the unbiased MMD² of ``a`` (N, D) and ``b`` (M, D).

    Both are taken over random ``subsets``. The kernel is (x·y / D + 1)³. The mean is expected to be zero for
    two samples of one distribution, at any count. A subset has ``size`` images of each set: by default 1,000,
    but at most half of either set, so that subsets differ.
    """
    size = size or min(SUBSET, len(a) // 2, len(b) // 2)
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(subsets):
        rows_a, rows_b = (torch.randperm(len(x), generator=generator)[:size].to(x.device) for x in (a, b))
        values.append(_mmd(a[rows_a].double(), b[rows_b].double()))
    distances = torch.stack(values)
    return float(distances.mean()), float(distances.std(correction=0))


def _mmd(x: Tensor, y: Tensor) -> Tensor:
    """Return the unbiased MMD² of ``x`` and ``y`` (n, D). No image is compared with itself."""
    n = len(x)
    within = sum((k.sum() - k.trace()) / (n * (n - 1)) for k in (_kernel(x, x), _kernel(y, y)))
    return within - 2 * _kernel(x, y).mean()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3
