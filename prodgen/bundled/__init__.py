"""The models that come with the package, as folders."""

from importlib import resources
from pathlib import Path


def bundled_folders() -> list[Path]:
    """A folder for each, in the order of their names."""
    root = Path(str(resources.files(__name__)))
    return sorted(path.parent for path in root.glob("*/config.json"))
