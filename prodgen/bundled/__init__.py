"""The models that come with the package, each in a folder."""

from importlib import resources
from pathlib import Path


def bundled_folders() -> list[Path]:
    """Return the models' folders, sorted by name."""
    root = Path(str(resources.files(__name__)))
    return sorted(path.parent for path in root.glob("*/config.json"))
