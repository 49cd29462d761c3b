"""Copy tensors between the machine's memory and a GPU's memory. The calling thread does not wait.

A GPU reads and writes page-locked memory by itself. On a CPU nothing is copied.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_device(x: Tensor, device: str | torch.device) -> Tensor:
    """Return a copy of ``x`` on ``device``, or ``x`` itself if the device is the CPU.

    ``x`` must be in the machine's memory.
    """
    if torch.device(device).type == "cpu":
        return x
    return x.pin_memory().to(device, non_blocking=True)


@dataclass(frozen=True)
class Arriving:
    """Bytes that a GPU is copying to the machine's memory. The copy is complete once ``done`` has happened.

    ``done`` is None on a CPU.
    """

    _bytes: Tensor
    done: torch.cuda.Event | None

    def numpy(self) -> NDArray[np.uint8]:
        """Wait for the end of the copy; return the bytes."""
        if self.done:
            self.done.synchronize()
        array: NDArray[np.uint8] = self._bytes.numpy()
        return array


def from_device(x: Tensor) -> Arriving:
    """Begin to copy ``x``, a tensor of bytes, to the machine's memory; return at once."""
    if not x.is_cuda:
        return Arriving(x, None)
    copy = x.to("cpu", non_blocking=True)  # page-locked, because the copy is non-blocking
    done = torch.cuda.Event(blocking=True)  # or a thread that waits keeps a core busy
    done.record(torch.cuda.current_stream(x.device))
    return Arriving(copy, done)
