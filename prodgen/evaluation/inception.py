"""Inception-v3 with the published weights of the FID (Heusel et al. 2017), by torch-fidelity's loader."""

import hashlib
import pickle
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from prodgen.errors import NotFound, ProdgenError
from prodgen.evaluation.network import FeatureNetwork

PUBLISHED = "6726825d"
"""How the sha256 of the published file begins; torch-fidelity puts it into the file's name."""
RESIZER = "bilinear to 299x299 as in TensorFlow 1, grey repeated to RGB"
OUTPUTS = ["2048", "logits_unbiased"]


def inception(weights: Path | None, device: str) -> FeatureNetwork:
    """2,048 features and 1,008 probabilities, from a local file or else from where they are published.

    Raises NotFound or ProdgenError, with what to do, if torch-fidelity or the weights cannot be had.
    """
    loader = _loader()
    state, name = _download(loader) if weights is None else _read(weights)
    with tempfile.TemporaryDirectory(prefix="prodgen-inception-") as folder:
        # The loader unpickles whatever is in its file: it gets one that holds nothing but these tensors.
        safe = Path(folder) / "weights.pth"
        torch.save(state, safe)
        try:
            network = loader.FeatureExtractorInceptionV3("inception", OUTPUTS, str(safe))
        except (RuntimeError, TypeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ProdgenError(
                f"{weights or 'the published file'} holds no weights of this Inception-v3: {reason}"
            ) from None
    network = network.to(device).eval()

    def embed(images: Tensor) -> tuple[Tensor, Tensor]:
        features, logits = network(as_rgb(images).permute(0, 3, 1, 2).contiguous())
        return features.float(), logits.float().softmax(1)

    return FeatureNetwork(name, RESIZER, embed, device)


def as_rgb(images: Tensor) -> Tensor:
    """Bytes (B, H, W, C) with C = 1, 3 or 4 -> (B, H, W, 3): grey repeated, transparency laid on white."""
    if images.shape[3] == 1:
        return images.expand(-1, -1, -1, 3)
    if images.shape[3] == 3:
        return images
    opacity = images[..., 3:].float() / 255.0
    return (images[..., :3] * opacity + 255.0 * (1.0 - opacity)).round().to(torch.uint8)


def _loader() -> ModuleType:
    try:
        from torch_fidelity import feature_extractor_inceptionv3
    except (ImportError, RuntimeError) as error:  # a torchvision of another torch raises the latter
        reason = str(error).strip().splitlines()[0]
        raise ProdgenError(
            "Inception features need torch-fidelity and the torchvision of this torch "
            f"(pip install torch-fidelity torchvision; now: {reason}); or use --features domain"
        ) from None
    return feature_extractor_inceptionv3


def _download(loader: ModuleType) -> tuple[dict[str, Any], str]:
    url = loader.URL_INCEPTION_V3
    try:
        state = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        raise NotFound(
            f"Inception's weights cannot be fetched ({error}); "
            f"fetch {url} where you can, and name the file with --inception-weights"
        ) from None
    return state, "Inception-v3, FID weights"


def _read(path: Path) -> tuple[dict[str, Any], str]:
    if not path.is_file():
        raise NotFound(f"there is no file {path} with Inception's weights", param="inception_weights")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
        raise ProdgenError(f"{path} is no file of weights that PyTorch can read safely") from None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    published = digest.startswith(PUBLISHED)
    return state, "Inception-v3, FID weights" if published else f"Inception-v3, weights {digest[:6]}"
