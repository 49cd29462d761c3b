"""From the generator's output to the pixels that are stored, by kornia, in batches, on the device.

kornia's own augmentations draw from the global random state; here every parameter comes from the image's own
stream and is handed to kornia's functions, so that an image stays a function of its seed and draw.
"""

from collections.abc import Sequence

import numpy as np
import torch
from kornia.geometry.transform import get_perspective_transform, resize, warp_perspective
from torch import Tensor

from prodgen.generation.matte import cut_out, opaque, tidy
from prodgen.spec.finish import Augment, Finish
from prodgen.spec.streams import Stream, uniforms

_DRAWS = 16
"""Uniforms an image, in fixed places: a strength of 0 does not shift the draws of the others."""


def apply_finish(
    x: Tensor, finish: Finish, ground: str, seeds: Sequence[int], draws: Sequence[int]
) -> Tensor:
    """x: (B, C, H, W) in [-1, 1] -> bytes (B, size, size, C'), C' = 3 where a coloured ground lies behind a
    grey product, else C; 3 where any lies behind a product with transparency (C = 4).

    ``ground``: the colour around the product in training. The product is cut out of it where another is
    asked for, or where the product alone is to be lit and moved.
    """
    x = (x.float() + 1.0) / 2.0
    augment, size = finish.augment, finish.size or x.shape[-1]
    plain = augment == Augment()
    layers = opaque(x) if plain and not finish.background else cut_out(x, _colour(ground, x))
    u = torch.empty(0)
    if not plain:
        numbers = uniforms(seeds, draws, _DRAWS, Stream.AUGMENTATION, [0] * len(draws))
        u = torch.from_numpy(numbers).float().to(x.device)
        layers = _light(layers, augment, u)
    if size != x.shape[-1]:
        layers = tidy(resize(layers, (size, size), interpolation="bicubic", antialias=True))
    if not plain:
        layers = _warp(layers, augment, u)
    keeps_transparency = x.shape[1] == 4 and finish.background is None
    x = _straight(layers) if keeps_transparency else _over(layers, _colour(finish.background or ground, x))
    return x.mul(255.0).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def _colour(text: str, like: Tensor) -> Tensor:
    """#rrggbb -> (1, C, 1, 1) in [0, 1]; one channel where both the colour and the image are grey."""
    channels = [int(text[k : k + 2], 16) / 255.0 for k in (1, 3, 5)]
    if like.shape[1] == 1 and len(set(channels)) == 1:
        channels = channels[:1]
    return torch.tensor(channels, device=like.device).view(1, -1, 1, 1)


def _over(layers: Tensor, behind: Tensor) -> Tensor:
    """A premultiplied product and its coverage, (B, C + 1, H, W), laid over a colour."""
    return layers[:, :-1] + (1.0 - layers[:, -1:]) * behind


def _straight(layers: Tensor) -> Tensor:
    """(B, 4, H, W) premultiplied -> as files store it, the colour whole however thin its coverage."""
    alpha = layers[:, -1:]
    return torch.cat([layers[:, :-1] / alpha.clamp(min=1e-6), alpha], 1)


def _light(layers: Tensor, augment: Augment, u: Tensor) -> Tensor:
    """Contrast about the product's own mean, then brightness by a factor; the ground stays as it is."""
    product, alpha = layers[:, :-1], layers[:, -1:]
    if augment.contrast:
        factor = 1.0 + augment.contrast * _sides(u[:, 5]).view(-1, 1, 1, 1)
        mean = product.mean((1, 2, 3), True) / alpha.mean((1, 2, 3), True).clamp(min=1e-6)
        product = product * factor + mean * alpha * (1.0 - factor)
    if augment.brightness:
        product = product * (1.0 + augment.brightness * _sides(u[:, 6]).view(-1, 1, 1, 1))
    return tidy(torch.cat([product, alpha], 1))


def _warp(layers: Tensor, augment: Augment, u: Tensor) -> Tensor:
    """Flip, rotation, perspective and crop as one homography an image, with nothing beyond the edge."""
    side = layers.shape[-1] - 1
    corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]], device=u.device)
    target = corners.expand(len(u), 4, 2).clone()
    target[..., 0] *= torch.where(u[:, 0] <= augment.flip, -1.0, 1.0)[:, None]
    angle = np.pi / 180.0 * augment.rotation * _sides(u[:, 1])
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(-1, 2, 2)
    target = target @ turn.transpose(1, 2)
    target = target + augment.perspective * _sides(u[:, 8:16].view(-1, 4, 2))
    kept = 1.0 - augment.crop * u[:, 2]
    centre = (1.0 - kept)[:, None] * _sides(u[:, 3:5])
    source = corners * kept[:, None, None] + centre[:, None]
    to_pixels = [(points + 1.0) / 2.0 * side for points in (source, target)]
    return warp_perspective(layers, get_perspective_transform(*to_pixels), (side + 1, side + 1))


def _sides(u: Tensor) -> Tensor:
    """(0, 1) -> (-1, 1)."""
    return 2.0 * u - 1.0
