"""The networks, one file for each family, and the loading and saving of models."""

from prodgen.models.saved import SavedModel, bundled_names, load_model, save_model

__all__ = ["SavedModel", "bundled_names", "load_model", "save_model"]
