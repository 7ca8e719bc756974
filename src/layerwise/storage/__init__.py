"""Model folders: a trained network as plain data, written whole or not at all, read without running code."""

from .model_folder import SavedModel, load, load_history, save

__all__ = ["SavedModel", "load", "load_history", "save"]
