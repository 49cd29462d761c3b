"""The generator that the peers of the serving bench serve: the same network, latents and PNG encoder.

The environments of the peers have torch, numpy, Pillow and isal; this project's code is on their PYTHONPATH.
``SERVED_MODEL`` names the network, which `tests.bench.serving` has traced.

``python served.py`` is the bare loop: it reads lines ``FIRST COUNT``, makes these images, and answers a line.
"""

import os
import sys

import torch

from prodgen.generation.encode import encode_all
from prodgen.spec.random_streams import Stream, normals

BATCH = int(os.environ["SERVED_BATCH"])
"""The batch at which the bare loop is fastest on one core."""
PORT = int(os.environ["SERVED_PORT"])


class Generator:
    """Makes the images of seed 0."""

    def __init__(self) -> None:
        self.network = torch.jit.load(os.environ["SERVED_MODEL"]).eval()
        self.latent_dim = int(os.environ["SERVED_LATENT_DIM"])
        for _ in range(3):  # the first passes optimize the traced network
            self(range(BATCH))
            self([0])

    def pixels(self, indices: "list[int] | range") -> torch.Tensor:
        """Return the images (B, H, W, C) of these indices as bytes."""
        same = [0] * len(indices)
        z = torch.from_numpy(normals(same, indices, self.latent_dim, Stream.LATENT, same))
        with torch.inference_mode():
            return self.network(z.float(), torch.tensor(indices) % 10)

    def __call__(self, indices: "list[int] | range") -> list[bytes]:
        """Return the images of these indices as PNG files."""
        return encode_all(self.pixels(indices).numpy(), "png", [b""] * len(indices))


def loop() -> None:
    """Make the images that each line of the input asks for, in batches."""
    make = Generator()
    for line in sys.stdin:
        first, count = map(int, line.split())
        for start in range(first, first + count, BATCH):
            make(range(start, min(start + BATCH, first + count)))
        print("made", flush=True)


if __name__ == "__main__":
    loop()
