"""What the tests of reports/ share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import matplotlib
import matplotlib.pyplot
import pytest

from layerwise.training.history import History, Record

MakeHistory = Callable[..., History]
matplotlib.use("Agg")  # no window, also where there is a screen


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Displays leave their new figures with pyplot, as scikit-learn's do."""
    yield
    matplotlib.pyplot.close("all")


@pytest.fixture(scope="session")
def history() -> MakeHistory:
    """A history of the given losses and metrics; without validation unless its losses are given."""

    def make(
        losses: Sequence[float], metrics: Sequence[float] | None = None, validation: Sequence[float] | None = None,
        metric: str = "accuracy",
    ) -> History:  # fmt: skip
        scores = [0.5 + 0.01 * k for k in range(len(losses))] if metrics is None else metrics
        records = [
            Record(
                epoch=k + 1, steps=10 * (k + 1), rate=0.1, train_loss=loss, train_metric=scores[k], penalty=0.25,
                objective=loss + 0.25, gradient_norm=1.0, exact_train_loss=None,
                validation_loss=None if validation is None else validation[k],
                validation_metric=None if validation is None else scores[k] - 0.125, seconds=float(k),
            )
            for k, loss in enumerate(losses)
        ]  # fmt: skip
        return History(metric, records)

    return make
