"""Data in: reading tables and images, coding targets, preparing features, splitting rows."""

from .dataset import DataSet, Part
from .preparation import Preparation
from .sources import load
from .splits import Split, split_rows
from .tables import read_table
from .targets import TargetCoding

__all__ = ["DataSet", "Part", "Preparation", "Split", "TargetCoding", "load", "read_table", "split_rows"]
