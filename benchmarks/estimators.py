"""The estimators beside scikit-learn's and skorch's: whole calls of `fit`, and `partial_fit` with one row.

Each peer has the same architecture, data, type, epochs and batches; scikit-learn the same numbers, which is checked.
``python -m benchmarks`` starts it: ``python -m benchmarks.estimators --rounds N --out FILE``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

from .child import add_selection
from .measure import DisagreementError

if TYPE_CHECKING:
    from layerwise.estimators import MLPClassifier

Array = npt.NDArray[Any]
OWN, SCIKIT, SKORCH = "layerwise", "scikit-learn", "skorch"
#: Seconds before each timing: OpenBLAS's threads spin for a tenth of a second or two after scikit-learn's last product,
#: and whoever came next would have a processor less. Nobody fits the two in turn.
SETTLE = 0.3
#: Calls of `partial_fit` that are timed in a round.
CALLS = {OWN: 500, SCIKIT: 50}


@final
@dataclass(frozen=True)
class EstimatorCase:
    """A classifier with one hidden layer, as scikit-learn's defaults have it.

    Attributes
    ----------
    name : str
    data : {"digits", "adult", "mnist"}
    dtype : {"float32", "float64"}
    units, epochs : int
    one_row : bool
        Whether `partial_fit` with one row after the other is timed, and not `fit`.
    peers : tuple of str
    """

    name: str
    data: str
    dtype: str
    units: int = 100
    epochs: int = 10
    one_row: bool = False
    peers: tuple[str, ...] = (SCIKIT,)

    def settings(self) -> dict[str, Any]:
        """Return what scikit-learn's and Layerwise's estimators are given alike."""
        return {
            "hidden_layer_sizes": (self.units,), "max_iter": self.epochs, "n_iter_no_change": self.epochs + 1,
            "random_state": 0,
        }  # fmt: skip


ESTIMATOR_CASES = (
    EstimatorCase("fit digits, float64", "digits", "float64", epochs=30),
    EstimatorCase("fit digits, float32", "digits", "float32", epochs=30, peers=(SCIKIT, SKORCH)),
    EstimatorCase("fit adult, float64", "adult", "float64", epochs=3),
    EstimatorCase("fit adult, float32", "adult", "float32", epochs=3),
    EstimatorCase("fit MNIST, float32", "mnist", "float32", epochs=1),
    EstimatorCase("fit MNIST, float64", "mnist", "float64", epochs=1),
    EstimatorCase("partial_fit one row, digits, float64", "digits", "float64", one_row=True),
)


def main() -> None:
    """Measure the selected cases and write them to a file."""
    parser = argparse.ArgumentParser()
    add_selection(parser)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # that epochs ran out
    documents, left_out = [], {}
    chosen = [case for case in ESTIMATOR_CASES if not options.case or any(text in case.name for text in options.case)]
    if not chosen:
        sys.exit(f"error: --case: expected a part of one of {', '.join(case.name for case in ESTIMATOR_CASES)}")
    if find_spec("skorch") is None or find_spec("torch") is None:
        left_out[SKORCH] = "not installed"
    for case in chosen:
        rows = data(case.data, case.dtype)
        if rows is None:
            left_out[case.data] = "no such files in ../shared/data or LAYERWISE_DATA"
            continue
        print(f"  {case.name} ...", file=sys.stderr, flush=True)
        documents.append(measure(case, *rows, options.rounds, left_out))
    options.out.write_text(json.dumps({"cases": documents, "left_out": left_out}), encoding="utf-8")


def data(name: str, dtype: str) -> tuple[Array, Array] | None:
    """Return the rows of a data set, ready for a network; None where its files are not there."""
    import layerwise.data as tables

    if name == "digits":
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        return (X / 16).astype(dtype), y
    folder = Path(os.environ.get("LAYERWISE_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    source = {"adult": folder / "adult" / "adult_train.csv.gz", "mnist": folder / "mnist"}[name]
    if not source.exists():
        return None
    part = tables.load(source).parts["all" if name == "adult" else "train"]
    if name == "adult":
        prepared = tables.Preparation.fit(part.features).transform(part.features, dtype)
    else:
        prepared = part.features.reshape(len(part.features), -1).astype(dtype) / np.dtype(dtype).type(255)
    return prepared, np.unique(np.asarray(part.target), return_inverse=True)[1]


def measure(case: EstimatorCase, X: Array, y: Array, rounds: int, left_out: dict[str, str]) -> dict[str, Any]:
    """Time one case.

    Parameters
    ----------
    case : EstimatorCase
    X, y : arrays
    rounds : int
    left_out : dict
        Peers that are not here.

    Returns
    -------
    dict
        Seconds of a call by peer (median, and of each round); how many times as long each peer takes (the median of the
        rounds' own ratios); how many processors others kept busy meanwhile.
    """
    from .machine import Neighbours

    names = [OWN, *(peer for peer in case.peers if peer not in left_out)]
    timed = {name: one_row(case, name, X, y) if case.one_row else whole_fit(case, name, X, y) for name in names}
    losses = {name: action()[1] for name, action in timed.items()}
    tolerance = 1e-3 if case.dtype == "float32" else 1e-6
    if abs(losses[OWN] - losses[SCIKIT]) > tolerance * abs(losses[SCIKIT]):
        raise DisagreementError(
            where=case.name, expected=f"scikit-learn's loss, {losses[SCIKIT]:.8g}", got=f"{losses[OWN]:.8g}",
            remedy="find out which of them is wrong",
        )  # fmt: skip
    rounds_of: dict[str, list[float]] = {name: [] for name in names}
    gc.collect()
    neighbours = Neighbours()
    for _ in range(rounds):
        for name, action in timed.items():
            time.sleep(SETTLE)
            rounds_of[name].append(action()[0])
    return {
        "case": case.name, "seconds": {name: statistics.median(times) for name, times in rounds_of.items()},
        "times_as_long": {
            name: statistics.median(theirs / own for theirs, own in zip(times, rounds_of[OWN], strict=True))
            for name, times in rounds_of.items()
        },
        "rounds": rounds_of, "losses": losses, "processors_of_others": neighbours.processors(),
    }  # fmt: skip


def estimator(case: EstimatorCase, name: str) -> Any:
    """Return the estimator, not fitted yet."""
    if name == SKORCH:
        return skorch_classifier(case)
    if name == SCIKIT:
        from sklearn.neural_network import MLPClassifier as Scikit

        return Scikit(**case.settings())
    from layerwise.estimators import MLPClassifier as Own

    own: MLPClassifier = Own(**case.settings())
    return own


def skorch_classifier(case: EstimatorCase) -> Any:
    """Return skorch's, with what it does after every epoch beside training switched off."""
    import torch
    from skorch import NeuralNetClassifier

    class Module(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.LazyLinear(case.units), torch.nn.ReLU(), torch.nn.LazyLinear(10))

        def forward(self, X: Any) -> Any:
            return self.layers(X)

    return NeuralNetClassifier(
        Module, criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=0.001, batch_size=200,
        max_epochs=case.epochs, train_split=None, iterator_train__shuffle=True, verbose=0, callbacks="disable",
    )  # fmt: skip


def whole_fit(case: EstimatorCase, name: str, X: Array, y: Array) -> Callable[[], tuple[float, float]]:
    """Return what fits a new estimator: seconds, and the last loss (NaN where it is no peer in numbers)."""

    def action() -> tuple[float, float]:
        made = estimator(case, name)
        started = time.perf_counter()
        made.fit(X, y)
        return time.perf_counter() - started, getattr(made, "loss_", float("nan"))

    return action


def one_row(case: EstimatorCase, name: str, X: Array, y: Array) -> Callable[[], tuple[float, float]]:
    """Return what calls `partial_fit` row after row: seconds of a call, and the loss after the first ten rows."""
    made = estimator(case, name).partial_fit(X[:1], y[:1], classes=np.unique(y))
    rows: Iterator[int] = iter(range(1, 1 << 40))

    def action() -> tuple[float, float]:
        calls = CALLS[name]
        started = time.perf_counter()
        for _ in range(calls):
            i = next(rows) % len(X)
            made.partial_fit(X[i : i + 1], y[i : i + 1])
        return (time.perf_counter() - started) / calls, made.loss_curve_[9]

    return action


if __name__ == "__main__":
    main()
