"""Saving and loading through huggingface_hub, in safetensors only."""

from pathlib import Path
from typing import Any, Self

from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from safetensors.torch import load_model

from prodgen.spec.model_config import FILES

CONFIG, WEIGHTS = FILES


class SafetensorsHubMixin(PyTorchModelHubMixin):
    """The hub's mixin without its fallback to pickles and without its output.

    Loading from a folder uses no network.
    """

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        map_location: str = "cpu",
        strict: bool = True,
        **arguments: Any,
    ) -> Self:
        path = Path(model_id) / WEIGHTS
        if not Path(model_id).is_dir():
            path = Path(
                hf_hub_download(
                    model_id,
                    WEIGHTS,
                    revision=revision,
                    cache_dir=cache_dir,
                    force_download=force_download,
                    local_files_only=local_files_only,
                    token=token,
                )
            )
        model = cls(**arguments)
        load_model(model, path, strict=strict, device=map_location)
        return model.eval()
