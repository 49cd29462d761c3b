"""Train a small segmenter on the plausible cuts of one catalogue, without pretrained weights.

Cuts from one photograph alone fail where product and background look alike. Failures differ between
pictures, and good cuts have much in common, so a short training learns what products look like, not the
failures. The second half of the training leaves out cuts that the segmenter disagrees with.
"""

import itertools
from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.catalog.photographs.masks import iou
from prodgen.catalog.picture_files import Progress

_WIDTHS = 24, 32, 48, 64, 64  # channels at each resolution of the network
_BATCH = 32
_EPOCHS, _MIN_STEPS, _MAX_STEPS = 8, 300, 900
_LEARNING_RATE = 2e-3
_SWAPPED = 0.12  # share of products that are shown with the pixels of another picture
_MIN_IOU = 0.8  # least overlap of a cut with the segmenter's mask for training on it in the second half


def train(
    thumbnails: NDArray[np.uint8], masks: NDArray[np.uint8], progress: Progress | None = None
) -> "UNet":
    """Train a segmenter, and return it. ``thumbnails`` is (N, THUMBNAIL, THUMBNAIL, 3) bytes.

    ``masks`` is (N, THUMBNAIL, THUMBNAIL) bytes, 255 for product.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = UNet().to(_device(), memory_format=torch.channels_last)
    steps = int(np.clip(_EPOCHS * len(thumbnails) / _BATCH, _MIN_STEPS, _MAX_STEPS))
    optimizer = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps)
    rng = np.random.default_rng(0)
    rows = np.arange(len(thumbnails))
    for step in range(steps):
        if step == steps // 2:
            rows = _agreeing(network, thumbnails, masks)
        batch = np.sort(rng.choice(rows, _BATCH))
        x, target = _augmented(_to_tensor(thumbnails[batch]), _to_tensor(masks[batch][..., None]), rng)
        network.train()
        with _precision():
            logits = network(x)
        loss = _loss(logits.float(), target[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if progress:
            progress(step + 1, steps)
    return network


def _agreeing(network: "UNet", thumbnails: NDArray[np.uint8], masks: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the indices of masks whose IoU with the prediction is at least _MIN_IOU, or of the best half."""
    predicted = np.empty_like(masks)
    predict(network, thumbnails, predicted)
    agreement = iou(predicted > 127, masks > 127)
    return np.flatnonzero(agreement >= min(_MIN_IOU, float(np.median(agreement))))


@torch.no_grad()
def predict(
    network: "UNet", thumbnails: NDArray[np.uint8], out: NDArray[np.uint8], progress: Progress | None = None
) -> None:
    """Write the probability that each pixel of N thumbnails is product to the array ``out``.

    ``thumbnails`` is (N, THUMBNAIL, THUMBNAIL, 3) bytes; ``out`` is (N, THUMBNAIL, THUMBNAIL) bytes, 255 for
    certain product.
    """
    network.eval()
    for start in range(0, len(thumbnails), _BATCH):
        x = _to_tensor(thumbnails[start : start + _BATCH])
        with _precision():  # the mean over the picture and its mirror image
            logits = (network(x) + network(x.flip(3)).flip(2)).float() / 2
        out[start : start + _BATCH] = (logits.sigmoid() * 255).round().byte().cpu().numpy()
        if progress:
            progress(min(start + _BATCH, len(thumbnails)), len(thumbnails))


class UNet(nn.Module):
    """A small U-Net (Ronneberger et al. 2015); it adds each pixel's position to the input as two channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _block(5, _WIDTHS[0], kernel=4, stride=2)
        pairs = list(itertools.pairwise(_WIDTHS))
        self.down = nn.ModuleList(nn.Sequential(_block(a, b), _block(b, b)) for a, b in pairs)
        self.up = nn.ModuleList(_block(a + b, a) for a, b in reversed(pairs))
        self.head = nn.Conv2d(_WIDTHS[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logit that each pixel is product, (B, H, W), for pictures (B, 3, H, W) in [-1, 1]."""
        line = torch.linspace(-1, 1, x.shape[2], device=x.device)
        position = torch.stack(torch.meshgrid(line, line, indexing="ij")).expand(len(x), -1, -1, -1)
        x = self.stem(torch.cat([x, position], 1))
        skipped = []
        for down in self.down:
            skipped.append(x)
            x = down(F.max_pool2d(x, 2))
        for up in self.up:
            x = up(torch.cat([skipped.pop(), F.interpolate(x, scale_factor=2.0)], 1))
        return F.interpolate(self.head(x).float(), scale_factor=2.0, mode="bilinear")[:, 0]


def _block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return cross-entropy plus the Dice loss, which gives small and large products the same weight."""
    p = logits.sigmoid()
    dice = 1 - (2 * (p * target).sum((1, 2)) + 1) / ((p + target).sum((1, 2)) + 1)
    return F.binary_cross_entropy_with_logits(logits, target) + dice.mean()


def _augmented(x: Tensor, target: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Augment pictures (B, 3, H, W) and masks (B, 1, H, W) in [-1, 1]; the returned masks are in [0, 1].

    Pictures and masks are mirrored, rotated by up to 15 degrees, moved and scaled. So that shape counts more
    than colour, product and background get different light, and some products get another picture's pixels.
    """
    mirror, angle = rng.choice([-1, 1], len(x)), rng.uniform(-0.26, 0.26, len(x))
    zoom, shift = np.exp(rng.uniform(-0.25, 0.25, len(x))), rng.uniform(-0.12, 0.12, (len(x), 2))
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    rows = np.array([[mirror * cos, -sin, shift[:, 0]], [mirror * sin, cos, shift[:, 1]]])
    matrix = torch.tensor(rows.transpose(2, 0, 1), dtype=torch.float32, device=x.device)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    target = (F.grid_sample(target, grid, padding_mode="reflection", align_corners=False) + 1) / 2
    other = x.roll(1, 0).flip(2)
    swapped = torch.tensor(rng.random((len(x), 1, 1, 1)) < _SWAPPED, device=x.device)
    product = _relit(torch.where(swapped, other, x), rng)
    return product * target + _relit(x, rng) * (1 - target), target


def _relit(x: Tensor, rng: np.random.Generator) -> Tensor:
    gain = torch.tensor(np.exp(rng.normal(0, 0.2, (len(x), 3, 1, 1))), dtype=x.dtype, device=x.device)
    light = torch.tensor(rng.normal(0, 0.15, (len(x), 1, 1, 1)), dtype=x.dtype, device=x.device)
    return x * gain + light


def _to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Convert bytes (B, H, W, C) to (B, C, H, W) in [-1, 1]."""
    planes = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    x = planes.to(_device()).float() / 127.5 - 1
    return x.to(memory_format=torch.channels_last)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _precision() -> AbstractContextManager[object]:
    # bfloat16 is fast on hardware with matrix units for it, and very slow elsewhere.
    fast = torch.cuda.is_available() or torch.cpu._is_amx_tile_supported()
    return torch.autocast(_device().type, torch.bfloat16, enabled=fast)
