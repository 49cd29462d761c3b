"""The models, the upscaler and the photographs that come with the package."""

from importlib import resources
from pathlib import Path


def bundled_folders() -> list[Path]:
    """Return the models' folders, sorted by name."""
    root = Path(str(resources.files(__name__)))
    return sorted(path.parent for path in root.glob("*/config.json"))


def bundled_upscaler() -> Path:
    """Return the path of the file with the weights of the upscaler that prodgen contains."""
    return Path(str(resources.files(__name__))) / "upscaler" / "model.safetensors"


def bundled_photographs() -> list[Path]:
    """Return the photographs that come with the package, sorted by name."""
    return sorted((Path(str(resources.files(__name__))) / "photographs").glob("*.jpg"))
