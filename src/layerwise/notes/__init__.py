"""Executable notes: the course's chapters as marimo notebooks, and what they share."""

from .contents import CHAPTERS, Chapter, chapter
from .exercises import Choice, Exercise, Exercises, Formula, Number, agree
from .figures import figure, show
from .outputs import trace_output
from .own_activation import activation_of
from .own_function import OwnFunction
from .proving import proof
from .table import Table, Upload

__all__ = [
    "CHAPTERS", "Chapter", "Choice", "Exercise", "Exercises", "Formula", "Number", "OwnFunction", "Table", "Upload",
    "activation_of", "agree", "chapter", "figure", "proof", "show", "trace_output",
]  # fmt: skip
