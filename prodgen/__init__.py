"""Product images by the million, from generators trained on your own catalogue."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prodgen.pipeline import Pipeline

__version__ = "0.1.0"
__all__ = ["Pipeline"]


def __getattr__(name: str) -> Any:
    # On first use only: the pipeline needs torch, and the gateway imports prodgen without it.
    if name == "Pipeline":
        from prodgen.pipeline import Pipeline

        return Pipeline
    raise AttributeError(name)
