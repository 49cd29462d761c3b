"""What a GPU computes again: convolutions in fp32 that is fp32, added up in one order."""

from contextlib import AbstractContextManager

import torch


def exact() -> AbstractContextManager[None]:
    """Within the block no convolution is shortened to TF32, nor chosen by how fast it was at the moment."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
