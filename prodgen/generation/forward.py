"""One forward pass, in the memory format and batch that suit the model and the device."""

import threading
import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prodgen.generation.finish import apply_finish
from prodgen.generation.latents import latents
from prodgen.models import SavedModel
from prodgen.models.condition import encode as encode_condition
from prodgen.spec.finish import Finish
from prodgen.spec.image import ImageRequest

_FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
_BATCHES = {"cpu": (16, 32, 64, 128), "cuda": (64, 128, 256, 512, 1024)}
_UNTUNED = {"cpu": 32, "cuda": 256}

LONGEST = 0.25
"""Seconds that a batch may take at most, where a smaller one will do: whoever is in a hurry waits for one."""


class Forward:
    """The device's arithmetic, one pass at a time. `tune` makes it fast; nothing else depends on it."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._kind = torch.device(device).type
        self._batch: dict[str, int] = {}
        self._turn = threading.Lock()
        # TF32 would change pixels by more than the contract's one level, and cuDNN's benchmark would choose
        # its algorithms, and so the last bits, by the load of the moment.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True

    def batch(self, model: SavedModel) -> int:
        """The most images that one pass of ``model`` should take."""
        return self._batch.get(model.digest, _UNTUNED[self._kind])

    @torch.inference_mode()
    def __call__(
        self, model: SavedModel, images: Sequence[ImageRequest], truncation: Sequence[float]
    ) -> Tensor:
        """B images -> (B, C, H, W) in [-1, 1] on the device."""
        z = latents(
            [i.seed for i in images],
            [i.draw for i in images],
            model.config.latent_dim,
            [i.attempt for i in images],
        )
        if min(truncation) < 1.0:
            z *= torch.tensor(truncation)[:, None]
        condition = encode_condition(model.generator.schema, [i.attributes for i in images])
        with self._turn:
            return self._pass(model, z.to(self.device), condition.to(self.device))

    @torch.inference_mode()
    def finish(
        self, model: SavedModel, x: Tensor, finish: Finish, images: Sequence[ImageRequest]
    ) -> NDArray[np.uint8]:
        """(B, C, H, W) of images of one finish -> bytes (B, H', W', C')."""
        with self._turn:
            pixels = apply_finish(
                x, finish, model.config.ground, [i.seed for i in images], [i.draw for i in images]
            )
            array: NDArray[np.uint8] = pixels.cpu().numpy()
        return array

    def _pass(self, model: SavedModel, z: Tensor, condition: Tensor) -> Tensor:
        if model.config.precision == "bf16":
            with torch.autocast(self._kind, torch.bfloat16):
                return model.generator(z, condition).float()
        return model.generator(z, condition)

    def tune(self, model: SavedModel, seconds: float = 0.15) -> dict[tuple[str, int], float]:
        """Time memory formats and batches, keep the fastest -> images a second of each.

        Larger batches are tried, in the better format, while they help and stay under `LONGEST`.
        """
        smallest, *larger = _BATCHES[self._kind]
        rates = {}
        for name in _FORMATS:
            self._lay_out(model, name)
            rates[name, smallest] = self._timed(model, smallest, seconds)
        best = name, batch = max(rates, key=rates.__getitem__)
        self._lay_out(model, name)
        for batch in larger:
            if batch / rates[best] > LONGEST:
                break
            rates[name, batch] = self._timed(model, batch, seconds)
            if rates[name, batch] < 0.8 * rates[best]:
                break
            best = max(rates, key=rates.__getitem__)
        self._batch[model.digest] = best[1]
        return rates

    @torch.inference_mode()
    def _timed(self, model: SavedModel, batch: int, seconds: float) -> float:
        """Images a second by the fastest of a few passes: whatever else the machine does slows the others."""
        z, condition = self._trial(model, batch)
        passes: list[float] = []
        try:
            with self._turn:
                while len(passes) < 2 or sum(passes) < seconds:
                    passes.append(self._seconds(model, z, condition))
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return 0.0
        return batch / min(passes)

    def _lay_out(self, model: SavedModel, memory_format: str) -> None:
        with self._turn:
            model.generator.to(memory_format=_FORMATS[memory_format])

    @torch.inference_mode()
    def rate(self, model: SavedModel, batch: int, seconds: float) -> float:
        """Images a second of the bare forward pass at ``batch``, measured for about so long."""
        z, condition = self._trial(model, batch)
        with self._turn:
            self._seconds(model, z, condition)
            passes: list[float] = []
            while sum(passes) < seconds:
                passes.append(self._seconds(model, z, condition))
        return len(passes) * batch / sum(passes)

    def _trial(self, model: SavedModel, batch: int) -> tuple[Tensor, Tensor]:
        z = latents(0, range(batch), model.config.latent_dim).to(self.device)
        return z, torch.zeros(batch, model.generator.condition_dim, device=self.device)

    def _seconds(self, model: SavedModel, z: Tensor, condition: Tensor) -> float:
        start = time.perf_counter()
        self._pass(model, z, condition)
        if self._kind == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - start
