"""Run a generator's forward pass, in the memory format and batch size that suit the model and the device."""

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import torch
from torch import Tensor

from prodgen.generation.finish import apply_finish
from prodgen.generation.recolour import asked_colours, recolour
from prodgen.generation.transfer import Arriving, from_device, to_device
from prodgen.models import SavedModel
from prodgen.models.condition import encode as encode_condition
from prodgen.models.saved import is_out_of_memory, too_large
from prodgen.reproducible import reproducible
from prodgen.spec.finish import Finish
from prodgen.spec.order import ImageRequest, Mix
from prodgen.spec.random_streams import Stream, normals


def latents(
    seed: int | Sequence[int], draws: Sequence[int], dim: int, attempts: Sequence[int] | None = None
) -> Tensor:
    """Return standard normal latents (len(draws), dim), identical on every machine and in every batch.

    ``seed``: one seed for all latents, or a seed for each. ``attempts``: of each latent, by default 0.
    """
    seeds = [seed] * len(draws) if isinstance(seed, int) else seed
    values = normals(seeds, draws, dim, Stream.LATENT, attempts or [0] * len(draws))
    return torch.from_numpy(values).float()


def mix_latents(a: Tensor, b: Tensor, shares: Sequence[float]) -> Tensor:
    """Interpolate latents ``a`` and ``b`` (B, dim) on great circles (Shoemake 1985); return (B, dim).

    ``shares``: for each row, 0 gives ``a`` and 1 gives ``b``. A row depends only on its own latents and
    share.
    """
    rows = zip(a.double(), b.double(), shares, strict=True)
    return torch.stack([_mix_row(x, y, share) for x, y, share in rows]).float()


def _mix_row(x: Tensor, y: Tensor, share: float) -> Tensor:
    lengths = math.sqrt(math.fsum((x * x).tolist()) * math.fsum((y * y).tolist()))
    angle = math.acos(max(-1.0, min(1.0, math.fsum((x * y).tolist()) / lengths)))
    if math.sin(angle) < 1e-6:  # the latents are the same, or no one circle leads from one to the other
        return torch.lerp(x, y, share)
    own, other = (math.sin(part * angle) / math.sin(angle) for part in (1.0 - share, share))
    return own * x + other * y


_FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
_BATCHES = {"cpu": (16, 32, 64, 128), "cuda": (64, 128, 256, 512, 1024)}
_UNTUNED = {"cpu": 32, "cuda": 256}

MAX_SECONDS = 0.25
"""`tune` tries no larger batch that would take longer, because an interactive request waits for one batch."""


class Forward:
    """Runs models on one device, one pass at a time. `tune` changes the speed of passes, not the images."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._kind = torch.device(device).type
        self._batch: dict[str, int] = {}
        self._done: torch.cuda.Event | None = None
        self._lock = threading.Lock()

    def batch(self, model: SavedModel) -> int:
        """Return the largest number of images that one pass of ``model`` should take."""
        return self._batch.get(model.digest, _UNTUNED[self._kind])

    def __call__(
        self, model: SavedModel, images: Sequence[ImageRequest], truncation: Sequence[float]
    ) -> Tensor:
        """Generate ``images`` with ``model``; return them as (B, C, H, W) in [-1, 1], on the device.

        ``truncation``: a factor for each image, by which its latent is multiplied.
        """
        z, condition = self._inputs(model, images)
        mixes = [i.mix for i in images if i.mix]
        if mixes:
            mixed = torch.tensor([i.mix is not None for i in images])
            shares = [mix.share for mix in mixes]
            z_other, condition_other = self._inputs(model, mixes)
            z[mixed] = mix_latents(z[mixed], z_other, shares)
            condition[mixed] = condition[mixed].lerp(condition_other, torch.tensor(shares)[:, None])
        if min(truncation) < 1.0:
            z *= torch.tensor(truncation)[:, None]
        with self.exclusively():
            if self._done:  # a GPU makes one batch while the inputs of the next one are drawn
                self._done.synchronize()
            return self._pass(model, to_device(z, self.device), to_device(condition, self.device))

    def _inputs(self, model: SavedModel, images: Sequence[ImageRequest | Mix]) -> tuple[Tensor, Tensor]:
        """Return the latents (B, latent_dim) and the conditions (B, D) of images; ignore their mixes."""
        seeds, draws, attempts = ([getattr(i, name) for i in images] for name in ("seed", "draw", "attempt"))
        z, schema = latents(seeds, draws, model.config.latent_dim, attempts), model.generator.schema
        own = z.clone()
        for direction in schema.directions:
            steps = [float(i.attributes.get(direction.name, 0)) for i in images]
            z += torch.tensor(steps)[:, None] * torch.tensor(direction.vector)
        condition = encode_condition(schema, [i.attributes for i in images])
        for row, image in enumerate(images):
            if isinstance(image, ImageRequest) and image.start:
                start, strength = image.start, image.start.strength
                z[row] = torch.tensor(start.latent) + strength * (z[row] - own[row])
                condition[row] = encode_condition(schema, [start.attributes])[0].lerp(
                    condition[row], strength
                )
        return z, condition

    def finish(
        self, model: SavedModel, x: Tensor, finish: Finish, images: Sequence[ImageRequest]
    ) -> Arriving:
        """Apply ``finish`` to images ``x`` (B, C, H, W) in [-1, 1]; return bytes (B, H', W', C').

        Returns at once; a GPU may still be working on the bytes.
        """
        with self.exclusively():
            if finish.exact_colour:
                asked = to_device(asked_colours(model.config.attributes, images), x.device)
                x, _ = recolour(x.float(), asked, torch.ones(len(x), dtype=torch.bool, device=x.device))
            pixels = apply_finish(
                x, finish, model.config.ground, [i.seed for i in images], [i.draw for i in images]
            )
            arriving = from_device(pixels)
            self._done = arriving.done
        return arriving

    @property
    def busy(self) -> bool:
        """Whether a GPU is still working on the images of the last call of `finish`."""
        with suppress(RuntimeError):  # the GPU has failed, which the next batch reports
            return self._done is not None and not self._done.query()
        return False

    @contextmanager
    def exclusively(self, *, learning: bool = False) -> Iterator[None]:
        """Keep other threads off the device within the block. If ``learning``, torch records gradients."""
        with self._lock, reproducible(), torch.inference_mode(not learning):
            yield

    def _pass(self, model: SavedModel, z: Tensor, condition: Tensor) -> Tensor:
        if model.config.precision == "bf16":
            with torch.autocast(self._kind, torch.bfloat16):
                return model.generator(z, condition).float()
        return model.generator(z, condition)

    def tune(self, model: SavedModel, seconds: float = 0.15) -> dict[tuple[str, int], float]:
        """Choose the fastest memory format and batch size for ``model``. Time each for about ``seconds``.

        In the faster format, tries larger batches while they are faster and take less than `MAX_SECONDS`.
        Tries smaller batches if the first batch does not fit into the device's memory. Returns images per
        second by (format, batch). Raises ProdgenError if not even one image fits.
        """
        batch, *larger = _BATCHES[self._kind]
        rates = self._try_formats(model, batch, seconds)
        while not any(rates.values()):
            if batch == 1:
                raise too_large(model.id, model.generator, self.device)
            batch, larger = batch // 4, []
            rates = self._try_formats(model, batch, seconds)
        best = name, _ = max(rates, key=rates.__getitem__)
        self._set_format(model, name)
        for batch in larger:
            if batch / rates[best] > MAX_SECONDS:
                break
            rates[name, batch] = self._fastest(model, batch, seconds)
            if rates[name, batch] < 0.8 * rates[best]:
                break
            best = max(rates, key=rates.__getitem__)
        self._batch[model.digest] = best[1]
        return rates

    def rate(self, model: SavedModel, batch: int, seconds: float) -> float:
        """Run the forward pass at ``batch`` images for about ``seconds``; return images per second."""
        _warm_up, *passes = self._time(model, batch, seconds)
        return len(passes) * batch / sum(passes)

    def _try_formats(self, model: SavedModel, batch: int, seconds: float) -> dict[tuple[str, int], float]:
        rates = {}
        for name in _FORMATS:
            self._set_format(model, name)
            rates[name, batch] = self._fastest(model, batch, seconds)
        return rates

    def _set_format(self, model: SavedModel, name: str) -> None:
        with self._lock:
            model.generator.to(memory_format=_FORMATS[name])

    def _fastest(self, model: SavedModel, batch: int, seconds: float) -> float:
        """Return images per second of the fastest pass, or 0 if the batch does not fit into memory.

        The fastest pass counts because other work on the machine can only slow a pass down.
        """
        try:
            return batch / min(self._time(model, batch, seconds))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        torch.cuda.empty_cache()
        return 0.0

    def _time(self, model: SavedModel, batch: int, seconds: float) -> list[float]:
        """Run passes for about ``seconds``, at least two; return the seconds that each pass took."""
        passes: list[float] = []
        with self.exclusively():
            z = latents(0, range(batch), model.config.latent_dim).to(self.device)
            condition = torch.zeros(batch, model.generator.condition_dim, device=self.device)
            while len(passes) < 2 or sum(passes) < seconds:
                passes.append(self._seconds(model, z, condition))
        return passes

    def _seconds(self, model: SavedModel, z: Tensor, condition: Tensor) -> float:
        start = time.perf_counter()
        self._pass(model, z, condition)
        if self._kind == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - start
