"""Load and save models through huggingface_hub, as safetensors only."""

from pathlib import Path
from typing import Any, Self

from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from safetensors.torch import load_model

from prodgen.spec.model_config import FILES

CONFIG, WEIGHTS = FILES
DOWNLOAD_OPTIONS = ("revision", "cache_dir", "force_download", "local_files_only", "token")


class SafetensorsHubMixin(PyTorchModelHubMixin):
    """huggingface_hub's mixin to load and save models, without its pickles and its printed output.

    Loading from a folder does not use the network.
    """

    @classmethod
    def _from_pretrained(
        cls, *, model_id: str, map_location: str = "cpu", strict: bool = True, **options: Any
    ) -> Self:
        download = {name: options.pop(name) for name in DOWNLOAD_OPTIONS}
        path = Path(model_id) / WEIGHTS
        if not Path(model_id).is_dir():
            path = Path(hf_hub_download(model_id, WEIGHTS, **download))
        model = cls(**options)
        load_model(model, path, strict=strict, device=map_location)
        return model.eval()
