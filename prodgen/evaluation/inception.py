"""Inception-v3 with the published weights of the FID (Heusel et al. 2017), loaded by torch-fidelity."""

import importlib.util
import pickle
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from prodgen.errors import NotFound, ProdgenError
from prodgen.evaluation.features import FeatureNetwork
from prodgen.files import sha256

PUBLISHED = "6726825d"
"""The first digits of the sha256 of the published weights. torch-fidelity has them in the file's name."""
RESIZER = "bilinear to 299x299 as in TensorFlow 1"
AS_RGB = {1: ", grey repeated to RGB", 3: "", 4: ", transparency laid on white"}
"""Words that say how images become RGB before they are resized, by the images' number of channels."""
PACKAGE = "torch_fidelity"
BATCH = 50
OUTPUTS = ["2048", "logits_unbiased"]


def inception(weights: Path | None, channels: int, device: str) -> FeatureNetwork:
    """Return Inception-v3 as a feature network, with 2,048 features and 1,008 class probabilities.

    ``weights``: a file with weights. If it is None, the published weights are downloaded. ``channels``: the
    number of channels of the images that the network will receive. Raises NotFound or ProdgenError if
    torch-fidelity or the weights are missing.
    """
    loader = _loader()
    state, name = _download(loader) if weights is None else _read(weights)
    with tempfile.TemporaryDirectory(prefix="prodgen-inception-") as folder:
        # The loader unpickles its file, so it gets one that holds these tensors and no code.
        safe = Path(folder) / "weights.pth"
        torch.save(state, safe)
        try:
            network = loader.FeatureExtractorInceptionV3("inception", OUTPUTS, str(safe))
        except (RuntimeError, TypeError, AttributeError):
            raise ProdgenError(
                f"{weights or 'the published file'} does not hold the weights of this Inception-v3; download "
                f"them from {loader.URL_INCEPTION_V3}"
            ) from None
    network = network.to(device).eval()

    def embed(images: Tensor) -> tuple[Tensor, Tensor]:
        features, logits = network(as_rgb(images).permute(0, 3, 1, 2).contiguous())
        return features.float(), logits.float().softmax(1)

    return FeatureNetwork(name, RESIZER + AS_RGB[channels], embed, device, BATCH)


def as_rgb(images: Tensor, ground: int = 255) -> Tensor:
    """Convert images in bytes (B, H, W, C) to RGB (B, H, W, 3).

    Repeats grey three times, and lays premultiplied RGBA on a grey ground. ``ground``: the level of this
    ground, by default 255, white.
    """
    if images.shape[3] == 1:
        return images.expand(-1, -1, -1, 3)
    if images.shape[3] == 3:
        return images
    colour, alpha = images[..., :3].int(), images[..., 3:].int()
    return (colour + (255 - alpha) * ground // 255).clamp(max=255).to(torch.uint8)


def _loader() -> ModuleType:
    """Import and return torch-fidelity's module of Inception-v3, without the rest of the package.

    The rest imports torchvision, and pip's torchvision does not load with a CPU build of torch. Raises
    ProdgenError if torch-fidelity is not installed or has no such module.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None:
        raise ProdgenError(
            "Inception features need torch-fidelity: pip install torch-fidelity; or use --features domain"
        )
    bare = ModuleType(PACKAGE)
    bare.__path__ = list(found.submodule_search_locations or [])
    whole = sys.modules.get(PACKAGE)
    sys.modules[PACKAGE] = whole or bare
    try:
        return importlib.import_module(f"{PACKAGE}.feature_extractor_inceptionv3")
    except ImportError as error:
        raise ProdgenError(f"this torch-fidelity has no Inception-v3 to load: {error}") from None
    finally:
        if whole is None:
            del sys.modules[PACKAGE]


def _download(loader: ModuleType) -> tuple[dict[str, Any], str]:
    url = loader.URL_INCEPTION_V3
    try:
        with redirect_stdout(sys.stderr):  # the hub prints to stdout, which is for results
            state = torch.hub.load_state_dict_from_url(
                url, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise NotFound(
            f"Inception's weights cannot be downloaded ({error}); download {url} elsewhere and pass the "
            "file with --inception-weights"
        ) from None
    return state, "Inception-v3, FID weights"


def _read(path: Path) -> tuple[dict[str, Any], str]:
    if not path.is_file():
        raise NotFound(f"there is no file {path} with Inception's weights", param="inception_weights")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
        raise ProdgenError(f"{path} is not a file of weights that PyTorch can read safely") from None
    digest = sha256(path)
    published = digest.startswith(PUBLISHED)
    return state, "Inception-v3, FID weights" if published else f"Inception-v3, weights {digest[:6]}"
