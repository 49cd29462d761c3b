"""Teach the new blocks of a larger generator to enlarge what the smaller generator draws.

Random new blocks would draw noise. A discriminator recognises noise at once, and its first gradients would
spoil the shapes that the smaller generator has learnt.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.models.resnet import ResNetGenerator
from prodgen.training.distributed.collectives import broadcast

STEPS = 500
BATCH = 16
RATE = 4e-3


def learn_to_enlarge(
    generator: ResNetGenerator, smaller: ResNetGenerator, draw_conditions: Callable[[int], Tensor]
) -> None:
    """Train the blocks that ``smaller`` does not have, the last normalisation and the last convolution.

    ``generator`` already has the weights of the blocks of ``smaller``, which stay as they are.
    ``draw_conditions``: returns a number of conditions (B, D). Every process ends with the weights of rank 0.
    """
    depth = len(smaller.blocks)
    kept, new = list(generator.blocks)[:depth], list(generator.blocks)[depth:]
    learning = nn.ModuleList([*new, generator.norm, generator.to_pixels])
    optimizer = torch.optim.Adam(learning.parameters(), RATE)
    smaller.eval()
    generator.eval()
    learning.train()
    for step in range(STEPS):
        condition = draw_conditions(BATCH)
        latent = torch.randn(BATCH, generator.latent_dim).to(condition.device)
        with torch.no_grad():
            features = generator.bottom_features(latent, condition)
            for block in kept:
                features = block(features, condition)
            wanted = F.interpolate(smaller.pixels(features), generator.size, mode="bicubic").clamp(-1.0, 1.0)
        for block in new:
            features = block(features, condition)
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        optimizer.zero_grad(set_to_none=True)
        F.l1_loss(generator.pixels(features), wanted).backward()
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    generator.train()
    broadcast([*generator.parameters(), *generator.buffers()])
