"""Model folders and checkpoints: plain data, written whole or not at all, read without running code.

What leaves Layerwise is written here too: ONNX files and C headers.
"""

from .c_header import export_c
from .checkpoint import Checkpoint
from .histories import load_history
from .model_folder import SavedModel, load, save
from .onnx_check import export_onnx

__all__ = ["Checkpoint", "SavedModel", "export_c", "export_onnx", "load", "load_history", "save"]
