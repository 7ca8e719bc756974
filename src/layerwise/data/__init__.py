"""Data in: reading tables and images, coding targets, preparing features, splitting rows."""

from .dataset import DataSet, Part
from .preparation import Preparation
from .sources import load
from .splits import Split, split_rows
from .streams import Piece, table_pieces
from .tables import read_table
from .targets import TargetCoding

__all__ = [
    "DataSet", "Part", "Piece", "Preparation", "Split", "TargetCoding", "load", "read_table", "split_rows",
    "table_pieces",
]  # fmt: skip
