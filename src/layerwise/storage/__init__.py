"""Model folders and checkpoints: plain data, written whole or not at all, read without running code."""

from .checkpoint import Checkpoint
from .model_folder import SavedModel, load, save

__all__ = ["Checkpoint", "SavedModel", "load", "save"]
