"""What the good cuts of a catalogue have in common, learnt by a small network.

A cut from one photograph alone fails where product and ground look alike. Such failures differ from picture
to picture, good cuts do not: so a network that is shown all of them for a short while learns what a product
looks like, and not the failures. Halfway it leaves out the cuts that it disagrees with. No weights are
fetched: what it knows is this catalogue.
"""

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

_BATCH = 32
_LEAST_STEPS, _MOST_STEPS, _ROUNDS = 300, 900, 8
"""Of training: as many steps as it takes to see each cut 8 times, within these bounds."""
_RATE = 2e-3
_SWAPPED = 0.12
"""The share of products that are shown with the looks of another picture."""
_AGREES = 0.8
"""The least overlap (intersection over union) of a cut that is still learnt from in the second half."""

Report = Callable[[int, int], None]


def learn(thumbs: NDArray[np.uint8], masks: NDArray[np.uint8], report: Report | None = None) -> "Network":
    """(N, THUMB, THUMB, 3) and their cuts (N, THUMB, THUMB), bytes -> a network that has learnt from them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network().to(_device(), memory_format=torch.channels_last)
    steps = int(np.clip(_ROUNDS * len(thumbs) / _BATCH, _LEAST_STEPS, _MOST_STEPS))
    optimiser = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=1e-2)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
    rng = np.random.default_rng(0)
    rows = np.arange(len(thumbs))
    for step in range(steps):
        if step == steps // 2:
            rows = _agreeing(network, thumbs, masks)
        chosen = np.sort(rng.choice(rows, _BATCH))
        x, target = _augmented(_images(thumbs[chosen]), _images(masks[chosen][..., None]), rng)
        network.train()
        with _precision():
            logits = network(x)
        loss = _loss(logits.float(), target[:, 0])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        plan.step()
        if report:
            report(step + 1, steps)
    return network


def _agreeing(network: "Network", thumbs: NDArray[np.uint8], masks: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The rows of the better part of the cuts: those that the network, as far as it has come, agrees with."""
    guesses = np.empty_like(masks)
    predict(network, thumbs, guesses)
    agreement = overlaps(guesses > 127, masks > 127)
    return np.flatnonzero(agreement >= min(_AGREES, float(np.median(agreement))))


@torch.no_grad()
def predict(
    network: "Network", thumbs: NDArray[np.uint8], found: NDArray[np.uint8], report: Report | None = None
) -> None:
    """(N, THUMB, THUMB, 3) bytes; into ``found`` (N, THUMB, THUMB): 255 where it is certainly product."""
    network.eval()
    for start in range(0, len(thumbs), _BATCH):
        x = _images(thumbs[start : start + _BATCH])
        with _precision():  # the mean of the picture and its mirror image
            logits = (network(x) + network(x.flip(3)).flip(2)).float() / 2
        found[start : start + _BATCH] = (logits.sigmoid() * 255).round().byte().cpu().numpy()
        if report:
            report(min(start + _BATCH, len(thumbs)), len(thumbs))


def overlaps(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Intersection over union of (N, H, W) masks, pair by pair -> (N,); 0 where both are empty."""
    both, either = (one & other).sum((1, 2)), (one | other).sum((1, 2))
    return both / np.maximum(either, 1)


class Network(nn.Module):
    """A U-Net (Ronneberger et al. 2015) in small; it knows where in the picture it looks."""

    def __init__(self, widths: tuple[int, ...] = (24, 32, 48, 64, 64)) -> None:
        super().__init__()
        self.stem = _block(5, widths[0], kernel=4, stride=2)
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(nn.Sequential(_block(a, b), _block(b, b)) for a, b in pairs)
        self.up = nn.ModuleList(_block(a + b, a) for a, b in reversed(pairs))
        self.head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> the product's logit at each pixel, (B, H, W)."""
        line = torch.linspace(-1, 1, x.shape[2], device=x.device)
        place = torch.stack(torch.meshgrid(line, line, indexing="ij")).expand(len(x), -1, -1, -1)
        x = self.stem(torch.cat([x, place], 1))
        passed = []
        for down in self.down:
            passed.append(x)
            x = down(F.max_pool2d(x, 2))
        for up in self.up:
            x = up(torch.cat([passed.pop(), F.interpolate(x, scale_factor=2.0)], 1))
        return F.interpolate(self.head(x).float(), scale_factor=2.0, mode="bilinear")[:, 0]


def _block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy, and 1 - Dice so that a small product weighs as much as a large one."""
    p = logits.sigmoid()
    dice = 1 - (2 * (p * target).sum((1, 2)) + 1) / ((p + target).sum((1, 2)) + 1)
    return F.binary_cross_entropy_with_logits(logits, target) + dice.mean()


def _augmented(x: Tensor, target: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, H, W) and cuts (B, 1, H, W), from -1 to 1 -> the same, changed, and cuts from 0 to 1.

    Mirrored, turned by up to 15 degrees, moved and scaled. Product and ground are lit each in its own way,
    and some products take on the looks of another picture: shape counts, and not that colours differ.
    """
    matrix = torch.tensor(_moves(len(x), rng), dtype=torch.float32, device=x.device)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    target = (F.grid_sample(target, grid, padding_mode="reflection", align_corners=False) + 1) / 2
    other = x.roll(1, 0).flip(2)
    swapped = torch.tensor(rng.random((len(x), 1, 1, 1)) < _SWAPPED, device=x.device)
    product = _lit(torch.where(swapped, other, x), rng)
    return product * target + _lit(x, rng) * (1 - target), target


def _lit(x: Tensor, rng: np.random.Generator) -> Tensor:
    gain = torch.tensor(np.exp(rng.normal(0, 0.2, (len(x), 3, 1, 1))), dtype=x.dtype, device=x.device)
    light = torch.tensor(rng.normal(0, 0.15, (len(x), 1, 1, 1)), dtype=x.dtype, device=x.device)
    return x * gain + light


def _moves(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(count, 2, 3) matrices."""
    mirror, angle = rng.choice([-1, 1], count), rng.uniform(-0.26, 0.26, count)
    zoom, shift = np.exp(rng.uniform(-0.25, 0.25, count)), rng.uniform(-0.12, 0.12, (count, 2))
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    rows = [[mirror * cos, -sin, shift[:, 0]], [mirror * sin, cos, shift[:, 1]]]
    return np.array(rows).transpose(2, 0, 1)


def _images(pixels: NDArray[np.uint8]) -> Tensor:
    """(B, H, W, C) bytes -> (B, C, H, W) from -1 to 1."""
    planes = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    x = planes.to(_device()).float() / 127.5 - 1
    return x.to(memory_format=torch.channels_last)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _precision() -> AbstractContextManager[object]:
    # Fast where there are matrix units for it, very slow where there are none.
    fast = torch.cuda.is_available() or torch.cpu._is_amx_tile_supported()
    return torch.autocast(_device().type, torch.bfloat16, enabled=fast)
