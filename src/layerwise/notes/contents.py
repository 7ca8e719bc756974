"""The chapters, in the order in which they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import SpecificationError, closest

#: Where the notebooks lie.
FOLDER: Final = Path(__file__).parent / "chapters"


@dataclass(frozen=True)
class Chapter:
    """One notebook.

    Parameters
    ----------
    number : int
        From 1.
    name : str
        Its address on the page and on the command line.
    title : str
    about : str
        One sentence for the table of contents.
    """

    number: int
    name: str
    title: str
    about: str

    @property
    def path(self) -> Path:
        """The notebook's file."""
        return FOLDER / f"ch{self.number:02}_{self.name}.py"


CHAPTERS: Final = tuple(
    Chapter(number, *row)
    for number, row in enumerate(
        [
            ("regression", "Regression and basis functions",
             "Least squares in closed form, and what the order of a polynomial does to bias and variance."),
            ("features", "Features and linear separability",
             "What a line cannot separate, a line in feature space can."),
            ("learning", "Types of learning",
             "Supervised, unsupervised and by reinforcement: one gradient, three sources of targets."),
            ("neuron", "The artificial neuron",
             "A ridge: its direction is w, its position b, its range g's."),
            ("activations", "Activation functions",
             "From the sigmoid to Mish: g, its derivative, its range, and your own."),
            ("capacity", "Capacity of a neuron",
             "AND and OR with one neuron, XOR with a hidden layer."),
            ("approximation", "Universal approximation",
             "Bumps by hand and bumps learned: the error falls with the number of hidden units."),
            ("network", "The network with L hidden layers",
             "Every a, h and gradient of a digit that you choose, by name."),
            ("loss", "Output and loss",
             "Softmax and negative log-likelihood, and how not to overflow."),
            ("gradient", "The gradient at the output",
             "From -e(y)/f(x)_y to f(x) - e(y), every line proved."),
            ("backpropagation", "Backpropagation",
             "The flow graph, layer by layer, the program that runs it, and a check of it."),
            ("descent", "Stochastic gradient descent",
             "One example at a time: steps, batches, momentum, rates, and what diverges."),
            ("regularisation", "Initialisation and regularisation",
             "Why not all zero, what L1 and L2 do to weights, when to stop."),
            ("representation", "Representation learning",
             "What hidden layers do to the space, and how much a linear classifier reads from each."),
        ],
        start=1,
    )
)  # fmt: skip


def chapter(name: str) -> Chapter:
    """Return a chapter by its name or number.

    Parameters
    ----------
    name : str
        Such as "neuron" or "4".

    Returns
    -------
    Chapter

    Raises
    ------
    SpecificationError
        If there is no such chapter.

    Examples
    --------
    >>> chapter("4").title
    'The artificial neuron'
    >>> chapter("neuon")
    Traceback (most recent call last):
    layerwise.errors.SpecificationError: chapter: expected a chapter's name or number, got 'neuon'; did you mean ...
    """
    for one in CHAPTERS:
        if name.strip().lower() in (one.name, str(one.number)):
            return one
    raise SpecificationError(
        where="chapter", expected="a chapter's name or number", got=repr(name),
        remedy=closest(name, [one.name for one in CHAPTERS]),
    )  # fmt: skip
