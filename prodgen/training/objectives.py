"""What the two networks of a GAN are asked to minimise; each function reads like its paper."""

from torch import Tensor
from torch.nn import functional as F


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Logits (B,) of real and generated images -> loss (Lim & Ye 2017)."""
    return F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean()


def hinge_generator(fake: Tensor) -> Tensor:
    """Logits (B,) of generated images -> loss."""
    return -fake.mean()
