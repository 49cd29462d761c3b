"""The base classes of generators and discriminators."""

from pathlib import Path
from typing import Any, Self

import torch
from huggingface_hub import PyTorchModelHubMixin
from safetensors.torch import load_model
from torch import Tensor, nn
from torch.nn import functional as F

from prodgen.models.condition import condition_size
from prodgen.models.layers import Conditioned, constraint
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.model_config import WEIGHTS, coarsest_side

HUB_OPTIONS = ("revision", "cache_dir", "force_download", "local_files_only", "token", "strict")


class ImageGenerator(nn.Module, PyTorchModelHubMixin):
    """Base class of generators: latent (B, latent_dim), condition (B, D) -> (B, C, size, size) in [-1, 1].

    The constructor's arguments are saved as the model's configuration. ``size``: side in pixels. ``widths``:
    channels from coarsest to finest resolution; the coarsest side is ``size / 2 ** (len(widths) - 1)``.

    The constructors of all families also take these arguments, only to save them: ``ground`` (the colour
    around the product in training), ``precision``, ``tolerance`` (levels of 255 by which an image may differ
    when it is generated again), ``family`` and ``format``.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        coders = {AttributeSchema: (AttributeSchema.model_dump, AttributeSchema.model_validate)}
        super().__init_subclass__(library_name="prodgen", coders=coders, **options)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, map_location: str = "cpu", **options: Any) -> Self:
        """Load a model from a folder, without the pickles and the printed output of huggingface_hub."""
        model = cls(**{name: value for name, value in options.items() if name not in HUB_OPTIONS})
        model.load_weights(Path(model_id), map_location)
        return model.eval()

    def load_weights(self, folder: Path, device: str) -> None:
        """Load the weights of a model folder onto ``device``."""
        load_model(self, folder / WEIGHTS, device=device)

    def __init__(
        self, attributes: AttributeSchema, size: int, channels: int, latent_dim: int, widths: list[int]
    ) -> None:
        super().__init__()
        self.schema, self.size, self.channels, self.latent_dim = attributes, size, channels, latent_dim
        self.condition_dim = condition_size(attributes)
        self.bottom = coarsest_side(size, widths)

    def size_in_bytes(self) -> int:
        """Return the size in bytes of the parameters and buffers."""
        return sum(t.numel() * t.element_size() for t in [*self.parameters(), *self.buffers()])


class ProjectionDiscriminator(nn.Module):
    """Base class of discriminators that use the condition by projection (Miyato & Koyama 2018).

    ``body``: the layers (B, C, H, W) -> (B, width, h, w). ``uses_batch_statistics``: whether the body has
    batch normalisation, so that real and generated images need separate batches. ``normalised``: whether the
    last layer is a direction of length 1, as in SAN (Takida et al. 2024).
    """

    uses_batch_statistics = False
    normalised = False

    def __init__(self, body: nn.Module, width: int, condition_dim: int, *, spectral: bool = True) -> None:
        super().__init__()
        constrain = constraint(spectral)
        self.body = body
        self.linear = constrain(nn.Linear(width, 1))
        self.projection = (
            constrain(Conditioned(0, condition_dim, width, bias=False)) if condition_dim else None
        )

    def forward(self, image: Tensor, condition: Tensor, *, apart: bool = False) -> Tensor:
        """Return logits (B,) for ``image`` (B, C, H, W) in [-1, 1] with ``condition`` (B, D).

        If ``apart`` and the last layer is normalised, returns (2, B). Gradients of the first row reach only
        the body and the bias. Gradients of the second row reach only the direction of the last layer.
        """
        if not self.normalised:
            return self.logits(self.body(image), condition)
        return self._normalised_logits(self.body(image), condition, apart=apart)

    def logits(self, features: Tensor, condition: Tensor) -> Tensor:
        """Return logits (B,) for the body's output ``features`` (B, width, h, w), computed in fp32."""
        with torch.autocast(features.device.type, enabled=False):
            pooled = F.relu(features.float()).sum((2, 3))
            logits = self.linear(pooled).squeeze(1)
            if self.projection is not None:
                logits = logits + (self.projection(condition) * pooled).sum(1)
        return logits

    def _normalised_logits(self, features: Tensor, condition: Tensor, *, apart: bool) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            pooled = F.relu(features.float()).sum((2, 3))
            direction = self.linear.weight
            if self.projection is not None:
                direction = direction + self.projection(condition)
            direction = F.normalize(direction, dim=1)
            if not apart:
                return (pooled * direction).sum(1) + self.linear.bias
            body_learns = (pooled * direction.detach()).sum(1) + self.linear.bias
            direction_learns = (pooled.detach() * direction).sum(1)
        return torch.stack([body_learns, direction_learns])
