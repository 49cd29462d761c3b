"""Apply a finish to generated images in batches on the device: background, light, size and position.

kornia's own augmentations draw from the global random state. Here each image's parameters come from its own
random stream and are passed to kornia's functions, so an image depends only on its seed and draw.
"""

from collections.abc import Sequence

import numpy as np
import torch
from kornia.geometry.transform import get_perspective_transform, resize, warp_perspective
from torch import Tensor

from prodgen.generation.coverage import clamp_to_coverage, clear_ground, cut_out, opaque
from prodgen.generation.transfer import to_device
from prodgen.generation.upscale import upscale
from prodgen.spec.colour import levels
from prodgen.spec.finish import Augment, Finish
from prodgen.spec.random_streams import Stream, uniforms

_DRAWS = 16
"""Random numbers per image. Each variation reads its own places, so it does not shift the others' numbers."""


def apply_finish(
    x: Tensor, finish: Finish, ground: str, seeds: Sequence[int], draws: Sequence[int]
) -> Tensor:
    """Apply ``finish`` to images ``x`` (B, C, H, W) in [-1, 1]; return bytes (B, size, size, C').

    C' equals C, except that it is 3 for a grey product on a coloured background, and for a product with
    transparency (C = 4) on any background. ``ground``: the colour around the product in training. ``seeds``,
    ``draws``: the numbers that each image's random stream depends on. The product is cut out of the ground
    only if the finish asks for another background, or lights or moves the product. A background that the
    finish asks for has exactly its colour around the product.
    """
    x = (x.float() + 1.0).div_(2.0)
    augment, size = finish.augment, finish.size or x.shape[-1] * (finish.upscale or 1)
    plain = augment == Augment()
    if plain and not (finish.background or finish.upscale) and size == x.shape[-1] and _is_opaque(x, ground):
        return _to_bytes(x)
    layers = opaque(x) if plain and not finish.background else cut_out(x, _colour(ground, x))
    if finish.background:
        layers = clear_ground(layers)
    u = torch.empty(0)
    if not plain:
        numbers = uniforms(seeds, draws, _DRAWS, Stream.AUGMENTATION, [0] * len(draws))
        u = to_device(torch.from_numpy(numbers).float(), x.device)
        layers = _light(layers, augment, u)
    if finish.upscale:
        layers = upscale(layers)
    if size != layers.shape[-1]:
        # Bicubic resampling overshoots at edges.
        layers = clamp_to_coverage(resize(layers, (size, size), interpolation="bicubic", antialias=True))
    if not plain:
        layers = _warp(layers, augment, u)
    keeps_transparency = x.shape[1] == 4 and finish.background is None
    if keeps_transparency:
        return _to_bytes(_unpremultiply(layers))
    return _to_bytes(_over(layers, _colour(finish.background or ground, x)))


def _is_opaque(x: Tensor, ground: str) -> bool:
    """Return whether images ``x`` (B, C, H, W) can stay as they are, with the ground in them.

    Images with alpha cannot, nor can grey images if the ground has a colour.
    """
    return x.shape[1] == 3 or (x.shape[1] == 1 and len({*levels(ground)}) == 1)


def _to_bytes(x: Tensor) -> Tensor:
    """Convert ``x`` (B, C, H, W) in [0, 1] to bytes (B, H, W, C). Overwrites ``x``."""
    return x.mul_(255.0).round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _colour(text: str, like: Tensor) -> Tensor:
    """Return #rrggbb as (1, 3, 1, 1) in [0, 1], or as (1, 1, 1, 1) if the colour and the images are grey."""
    channels = [level / 255.0 for level in levels(text)]
    if like.shape[1] == 1 and len(set(channels)) == 1:
        channels = channels[:1]
    return to_device(torch.tensor(channels), like.device).view(1, -1, 1, 1)


def _over(layers: Tensor, behind: Tensor) -> Tensor:
    """Lay premultiplied ``layers`` (B, C + 1, H, W), coverage last, over the colour ``behind``."""
    return layers[:, :-1] + (1.0 - layers[:, -1:]) * behind


def _unpremultiply(layers: Tensor) -> Tensor:
    """Divide the colour of ``layers`` (B, 4, H, W) by the coverage, because image files need it so."""
    alpha = layers[:, -1:]
    return torch.cat([layers[:, :-1] / alpha.clamp(min=1e-6), alpha], 1)


def _light(layers: Tensor, augment: Augment, u: Tensor) -> Tensor:
    """Change the product's contrast around its mean, then its brightness. The background does not change.

    ``layers`` (B, C + 1, H, W): premultiplied, alpha last. ``u`` (B, n): random numbers from 0 to 1.
    """
    product, alpha = layers[:, :-1], layers[:, -1:]
    if augment.contrast:
        factor = 1.0 + augment.contrast * _signed(u[:, 5]).view(-1, 1, 1, 1)
        mean = product.mean((1, 2, 3), True) / alpha.mean((1, 2, 3), True).clamp(min=1e-6)
        product = product * factor + mean * alpha * (1.0 - factor)
    if augment.brightness:
        product = product * (1.0 + augment.brightness * _signed(u[:, 6]).view(-1, 1, 1, 1))
    return clamp_to_coverage(torch.cat([product, alpha], 1))


def _warp(layers: Tensor, augment: Augment, u: Tensor) -> Tensor:
    """Flip, rotate, tilt and crop each image by one homography. Coverage is 0 outside the original image."""
    side = layers.shape[-1] - 1
    corners = to_device(torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]), u.device)
    target = corners.expand(len(u), 4, 2).clone()
    target[..., 0] *= torch.where(u[:, 0] <= augment.flip, -1.0, 1.0)[:, None]
    angle = np.pi / 180.0 * augment.rotation * _signed(u[:, 1])
    rotation = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(-1, 2, 2)
    target = target @ rotation.transpose(1, 2)
    target = target + augment.perspective * _signed(u[:, 8:16].view(-1, 4, 2))
    kept = 1.0 - augment.crop * u[:, 2]
    centre = (1.0 - kept)[:, None] * _signed(u[:, 3:5])
    source = corners * kept[:, None, None] + centre[:, None]
    to_pixels = [(points + 1.0) / 2.0 * side for points in (source, target)]
    return warp_perspective(layers, get_perspective_transform(*to_pixels), (side + 1, side + 1))


def _signed(u: Tensor) -> Tensor:
    """Scale uniform numbers from (0, 1) to (-1, 1)."""
    return 2.0 * u - 1.0
