"""Find, load and save models: ``config.json`` and ``model.safetensors``, never a pickle."""

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError

from prodgen.bundled import bundled_folders
from prodgen.errors import NotFound, ProdgenError
from prodgen.models.base import ImageGenerator, ProjectionDiscriminator
from prodgen.models.dcgan import DCGANDiscriminator, DCGANGenerator
from prodgen.models.onnx_network import OnnxGenerator
from prodgen.models.r3gan import R3GANDiscriminator, R3GANGenerator
from prodgen.models.resnet import ResNetDiscriminator, ResNetGenerator, SAGANDiscriminator, SAGANGenerator
from prodgen.models.vae import VAE
from prodgen.spec.model_config import (
    CONFIG,
    ONNX,
    ONNX_WEIGHTS,
    STUDIO,
    WEIGHTS,
    ModelConfig,
    check_files,
    folder_version,
    read_config,
)


@dataclass(frozen=True)
class Family:
    """The network classes of a family. ``discriminator`` is None if training uses no discriminator."""

    generator: type[ImageGenerator]
    discriminator: type[ProjectionDiscriminator] | None = None


FAMILIES = {
    "dcgan": Family(DCGANGenerator, DCGANDiscriminator),
    "resnet": Family(ResNetGenerator, ResNetDiscriminator),
    "sagan": Family(SAGANGenerator, SAGANDiscriminator),
    "r3gan": Family(R3GANGenerator, R3GANDiscriminator),
    "vae": Family(VAE),
    "vaegan": Family(VAE, ResNetDiscriminator),
}
"""The families that prodgen trains."""
GENERATORS = {name: family.generator for name, family in FAMILIES.items()} | {ONNX: OnnxGenerator}
"""The generator of each family that prodgen runs."""


FORMAT = 1
"""The newest format of config.json and of the weights that this version of prodgen reads."""


@dataclass(frozen=True)
class SavedModel:
    """A generator in evaluation mode, with its configuration, name and version."""

    generator: ImageGenerator
    config: ModelConfig
    name: str
    digest: str

    @property
    def id(self) -> str:
        """``name@digest``, which identifies the model version in manifests."""
        return f"{self.name}@{self.digest}"


def bundled_names() -> list[str]:
    """Return the names of the models that come with the package."""
    return [folder.name for folder in bundled_folders()]


def find_model(ref: str) -> tuple[Path, str]:
    """Return the folder and the name of a model. Raises NotFound if there is no such model or version.

    ``ref``: the name of a bundled model, a model folder, or ``owner/name`` on the Hugging Face hub. A bundled
    or hub name may end in ``@digest``: the model must then have this version. The network is used only for a
    name that is neither bundled nor a folder.
    """
    name, _, version = ref.partition("@")
    folder = {folder.name: folder for folder in bundled_folders()}.get(name)
    if folder is None and Path(ref).is_dir():
        return Path(ref), _name(Path(ref))
    if folder is None and name.count("/") == 1 and not name.startswith((".", "/", "~")):
        folder = _download(name)
    if folder is None:
        raise NotFound(
            f"there is no model {ref!r}: it is not a folder, and bundled are {', '.join(bundled_names())}"
        )
    if version and version != folder_version(folder):
        raise NotFound(f"{name} has version {folder_version(folder)} here, not {version}")
    return folder, name


def _name(folder: Path) -> str:
    """Return the folder's name, or its parent's if the folder is called ``model``, as by `prodgen train`."""
    path = folder.resolve()
    return path.parent.name or path.name if path.name == "model" else path.name


def _download(name: str) -> Path:
    try:
        return Path(snapshot_download(name, allow_patterns=[CONFIG, WEIGHTS, ONNX_WEIGHTS]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise NotFound(f"there is no folder {name}, and fetching it from the hub failed: {reason}") from None


def load_model(ref: str | Path, name: str | None = None, device: str = "cpu") -> SavedModel:
    """Load a model in fp32 onto ``device``. ``ref``: a bundled model's name, a folder, or a name on the hub.

    Raises ProdgenError if the files are missing or broken, or if the model is too large.
    """
    folder, own_name = (ref, _name(ref)) if isinstance(ref, Path) else find_model(ref)
    config = read_config(folder)
    if config.family == STUDIO:
        raise ProdgenError(
            f"{name or own_name} makes pictures of photographs and generates none; use `prodgen edit`, or "
            f"`prodgen submit ORDER --model {name or own_name} --photos FOLDER`"
        )
    kind = GENERATORS.get(config.family)
    if kind is None:
        raise ProdgenError(
            f"{folder} has a model of family {config.family!r}; the known ones are {', '.join(GENERATORS)}"
        )
    if config.format > FORMAT:
        raise ProdgenError(f"{folder} has format {config.format}; this prodgen reads formats up to {FORMAT}")
    check_files(folder)
    try:
        generator = kind.from_pretrained(folder)
    except (SafetensorError, OSError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ProdgenError(
            f"the weights in {folder} are broken or belong to another model: {reason}"
        ) from None
    if not _is_finite(generator):
        raise ProdgenError(f"the weights in {folder} are broken: some are not finite")
    generator = generator.float().eval().requires_grad_(False)
    try:
        # This layout is nearly always the faster one; `Forward.tune` measures both.
        generator = generator.to(device, memory_format=torch.channels_last)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise too_large(name or own_name, generator, device) from None
        raise
    return SavedModel(generator, config, name or own_name, folder_version(folder))


def save_model(generator: ImageGenerator, folder: Path) -> None:
    """Save a generator to ``folder``: ``config.json``, and ``model.safetensors`` in half precision.

    Raises ProdgenError if a weight is not finite in half precision.
    """
    half = copy.deepcopy(generator).to("cpu", torch.float16)
    if not _is_finite(half):
        raise ProdgenError(
            "the weights do not fit into half precision: some are not finite, or larger than 65,504"
        )
    readme = folder / "README.md"
    had_readme = readme.exists()
    half.save_pretrained(folder)
    if not had_readme:
        readme.unlink()  # the hub's model card; prodgen's is card.md
    (folder / WEIGHTS).chmod(0o644)  # safetensors writes files that only their owner can read


def _is_finite(generator: ImageGenerator) -> bool:
    return all(bool(t.isfinite().all()) for t in generator.state_dict().values())


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether torch raised ``error`` because the memory of a GPU or of the machine is full."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def too_large(model: str, network: ImageGenerator, device: str) -> ProdgenError:
    """Return the error for a ``model`` whose weights, or whose smallest batch, do not fit on ``device``."""
    size = network.size_in_bytes() / 2**20
    return ProdgenError(
        f"{model} is too large for the device {device}: its weights take {size:,.0f} MiB, and there is not "
        "enough free memory for them and one image"
    )
