"""All outputs: those with a name, and the functions that make others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ...errors import SpecificationError, closest
from .classes import SIGMOID, SOFTMAX, Sigmoid, Softmax
from .distributions import GAUSSIAN, Quantile
from .elementwise import ABSOLUTE, IDENTITY, POISSON, Huber, own
from .groups import SoftmaxGroups
from .output import Output

TABLE: Final[dict[str, Output]] = {
    output.name: output for output in (SOFTMAX, SIGMOID, IDENTITY, ABSOLUTE, Huber(), POISSON, GAUSSIAN)
}
#: What makes outputs with settings, by `Output.maker`.
MAKERS: Final[dict[str, Callable[..., Output]]] = {
    "softmax": Softmax, "sigmoid": Sigmoid, "huber": Huber, "quantile": Quantile, "softmax_groups": SoftmaxGroups,
    "own": own,
}  # fmt: skip


def output(choice: str | Output) -> Output:
    """Return the output of that name.

    Raises
    ------
    SpecificationError
        If the name is unknown; the message lists all.

    Examples
    --------
    >>> output("softmax").loss
    'negative log-likelihood'
    """
    if isinstance(choice, Output):
        return choice
    name = {"linear": "identity", "logistic": "sigmoid"}.get(str(choice).lower(), str(choice).lower())
    if name in TABLE:
        return TABLE[name]
    raise SpecificationError(
        where="output", expected="one of " + ", ".join(TABLE), got=repr(choice), remedy=closest(name, list(TABLE))
    )
