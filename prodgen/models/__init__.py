"""The networks: one file a family, and the loading of what was saved."""

from prodgen.models.saved import SavedModel, bundled_names, load_model, save_model

__all__ = ["SavedModel", "bundled_names", "load_model", "save_model"]
