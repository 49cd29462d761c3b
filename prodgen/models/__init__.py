"""The networks of the model families, one file for each family, and functions to load and save models."""

from prodgen.models.saved import SavedModel, bundled_names, load_model, save_model

__all__ = ["SavedModel", "bundled_names", "load_model", "save_model"]
