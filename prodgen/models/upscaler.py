"""The network that enlarges finished products four times, colour and coverage together."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.errors import ProdgenError

FACTOR = 4
CHANNELS = 4


class Upscaler(nn.Module):
    """Enlarges pictures of any size four times: adds details to a bicubic enlargement.

    The network computes the details by residual blocks at the small size, then a pixel shuffle (Shi et al.
    2016) and a convolution at the large size. The convolution smooths the grid that a pixel shuffle leaves.
    """

    def __init__(self, width: int = 48, blocks: int = 7, last: int = 12) -> None:
        super().__init__()
        self.first = nn.Conv2d(CHANNELS, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1)
            )
            for _ in range(blocks)
        )
        self.grow = nn.Conv2d(width, last * FACTOR**2, 3, padding=1)
        self.last = nn.Conv2d(last, CHANNELS, 3, padding=1)
        for block in self.blocks:
            nn.init.zeros_(block[-1].weight)
        nn.init.zeros_(self.last.weight)

    def forward(self, layers: Tensor) -> Tensor:
        """Enlarge premultiplied colour and coverage, (B, 4, H, W) in [0, 1]; return (B, 4, 4H, 4W).

        The result may leave [0, 1] a little.
        """
        x = self.first(layers * 2 - 1)
        for block in self.blocks:
            x = x + block(x)
        detail = self.last(F.silu(F.pixel_shuffle(self.grow(F.silu(x)), FACTOR)))
        return F.interpolate(layers, scale_factor=FACTOR, mode="bicubic") + detail


def load_upscaler(file: Path) -> Upscaler:
    """Return the upscaler with the weights of a safetensors file.

    Raises ProdgenError if the file cannot be read or has no weights of an upscaler.
    """
    network = Upscaler()
    try:
        network.load_state_dict(load(file.read_bytes()))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ProdgenError(f"{file} has no weights of an upscaler: {reason}") from None
    return network
