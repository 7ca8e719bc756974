"""Executable notes: the course's chapters as marimo notebooks, and what they share."""

from .contents import CHAPTERS, Chapter, chapter
from .exercises import Choice, Exercise, Exercises, Formula, Number, agree
from .figures import figure, show
from .own_function import OwnFunction
from .table import Table, Upload

__all__ = [
    "CHAPTERS", "Chapter", "Choice", "Exercise", "Exercises", "Formula", "Number", "OwnFunction", "Table", "Upload",
    "agree", "chapter", "figure", "show",
]  # fmt: skip
