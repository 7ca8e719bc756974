"""`save`, and what a loaded estimator asks for before it goes on training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import SpecificationError

if TYPE_CHECKING:
    from .perceptron import Perceptron


class Stored:
    """An estimator that can be stored as a model folder.

    ``_left_out`` says which parameters the folder that it comes from did not hold, and what they were.
    """

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the estimator to a model folder, which appears complete or not at all; `lw.load` gives it back.

        Everything that predictions and further training need is stored as plain data, nothing as Python. Formulas
        (``activation=lambda s, a: ...``) are stored as such. `callbacks`, a `metric` that is a function and a
        `random_state` that is a generator are left out, and named in model.json under "left_out": predictions do not
        depend on them, and to train the loaded estimator they have to be given anew, with ``set_params``.

        Parameters
        ----------
        path : path
            The folder.
        overwrite : bool
            Replace an existing model folder, if nothing else is in it.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        StorageError
            If a parameter cannot be stored, or the folder cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> import layerwise as lw
        >>> X, y = [[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0]
        >>> regressor = lw.MLPRegressor(hidden_layer_sizes=3, solver="lbfgs", random_state=0).fit(X, y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     regressor.save(folder + "/squares")
        ...     loaded = lw.load(folder + "/squares")
        >>> bool(loaded.predict([[1.5]]) == regressor.predict([[1.5]]))
        True
        """
        from .stored import save_estimator

        save_estimator(cast("Perceptron", self), Path(path), overwrite)

    def set_params(self, **params: Any) -> Any:
        """Set parameters; see scikit-learn's own. What is given here is no longer missing after loading."""
        result = super().set_params(**params)  # type: ignore[misc]
        left_out = self.__dict__.get("_left_out", {})
        if left_out.keys() & params.keys():
            self._left_out = {name: kind for name, kind in left_out.items() if name not in params}
        return result


def check_nothing_is_missing(est: Any) -> None:
    """Raise a SpecificationError if a parameter was left out when the estimator was stored, and none is given since."""
    for name, kind in est.__dict__.get("_left_out", {}).items():
        if getattr(est, name) is None:
            raise SpecificationError(
                where=name, expected=f"{kind}, as in the training before",
                got="None, since a model folder does not hold such a one",
                remedy=f"call set_params({name}=...) first; None is an answer too",
            )  # fmt: skip
