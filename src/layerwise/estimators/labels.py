"""What a classifier's targets are: classes, labels, or several classes at once; from words to codes and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, final

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import unique_labels

from ..rules.outputs import Output, Sigmoid, Softmax, SoftmaxGroups
from .checks import kind_of

Array = npt.NDArray[Any]
Kind = Literal["two classes", "classes", "labels", "several"]
SEVERAL: Final = "multiclass-multioutput"


@final
class Labels:
    """The classes of a data set, and what a network makes of them.

    Parameters
    ----------
    y : array (n,) or (n, T)
        Targets with every class that there is, in scikit-learn's kinds: two classes and several classes (n,), labels as
        zeros and ones (n, C), or the classes of T answers (n, T).

    Attributes
    ----------
    kind : {"two classes", "classes", "labels", "several"}
        A single class counts as two.
    classes : array, or a list of T arrays

    Raises
    ------
    ValueError
        If y is of none of these kinds; scikit-learn's message where it has one.
    """

    def __init__(self, y: Any) -> None:
        self._binarizer: LabelBinarizer | None = None
        self.kind: Kind
        if kind_of(y) == SEVERAL:
            self._take_several([np.unique(column) for column in np.asarray(y).T])
            return
        self._binarizer = LabelBinarizer().fit(y)
        self.classes: Any = self._binarizer.classes_
        kind = self._binarizer.y_type_
        self.kind = "labels" if kind.startswith("multilabel") else "classes" if kind == "multiclass" else "two classes"

    @classmethod
    def of_classes(cls, classes: Any, y: Any) -> Labels:
        """Make it of all classes that will ever come: an array, or a list of arrays, one an answer."""
        kind = kind_of(y)
        if kind.startswith("multilabel"):
            return cls(y)
        if isinstance(classes, list | tuple) and classes and np.ndim(classes[0]) == 1:
            made = cls.__new__(cls)
            made._binarizer = None
            made._take_several([np.unique(column) for column in classes])
            return made
        return cls(classes)

    def _take_several(self, classes: list[Array]) -> None:
        self.kind, self.classes = "several", classes
        for t, column in enumerate(classes):
            if len(column) < 2:
                raise ValueError(f"Column {t} of y has the class {column.tolist()} alone; leave the column out.")

    def check(self, y: Any, what: str) -> None:
        """Raise a ValueError if y has a class that is not among these."""
        self.check_shape(y)
        given = np.asarray(y) if self.kind == "several" else unique_labels(y)
        known = self.classes if self.kind == "several" else [self.classes]
        if self.kind == "several" and given.shape[1:] != (len(known),):
            raise ValueError(f"{what} has the shape {given.shape}; there are {len(known)} answers a row.")
        for column, classes in zip(given.T if self.kind == "several" else [given], known, strict=True):
            if self.kind != "labels":
                unique_labels(column, classes)  # refuses words where numbers were, and the other way round
            if len(np.setdiff1d(column, classes)):
                raise ValueError(
                    f"{what} has classes not in `self.classes_`. `self.classes_` has {classes}. 'y' has "
                    f"{np.unique(column)}."
                )

    def check_shape(self, y: Any) -> None:
        """Raise scikit-learn's ValueError if y has several columns where there is one answer."""
        if self.kind in ("two classes", "classes") and np.ndim(y) == 2:
            raise ValueError("The object was not fitted with multilabel input.")

    def same_as(self, y: Any) -> bool:
        """Return whether y has all of these classes, and no others."""
        self.check_shape(y)
        other = Labels(y)
        return self.kind == other.kind and all(
            np.array_equal(mine, theirs) for mine, theirs in zip(self._listed, other._listed, strict=True)
        )

    def same_classes(self, classes: Any) -> bool:
        """Return whether these are the classes, in any order."""
        if self.kind == "several":
            given = [np.unique(column) for column in classes] if len(classes) == len(self.classes) else []
            return bool(given) and all(map(np.array_equal, given, self.classes))
        return np.array_equal(unique_labels(classes), self.classes)

    @property
    def _listed(self) -> Sequence[Array]:
        return self.classes if self.kind == "several" else [self.classes]

    def encoded(self, y: Any) -> Array:
        """Return targets as a network takes them.

        Returns
        -------
        array
            Codes (n,) of classes, a column (n, 1) of zeros and ones for two, labels (n, C), or codes (n, T).
        """
        if self.kind == "labels":
            assert self._binarizer is not None
            labels: Array = self._binarizer.transform(y).astype(np.uint8)
            return labels
        if self.kind == "several":
            columns = zip(self.classes, np.asarray(y).T, strict=True)
            return np.column_stack([np.searchsorted(classes, column) for classes, column in columns])
        codes: Array = np.searchsorted(self.classes, y)
        return codes if self.kind == "classes" else codes.astype(np.uint8)[:, None]

    def decoded(self, codes: Array) -> Array:
        """Return what the user called these targets."""
        if self.kind == "labels":
            return codes
        if self.kind == "several":
            return np.column_stack([classes[column] for classes, column in zip(self.classes, codes.T, strict=True)])
        labels: Array = self.classes[codes if codes.ndim == 1 else codes[:, 0]]
        return labels

    def predicted(self, f: Array) -> Array:
        """Return the labels that outputs f speak for."""
        if self.kind == "several":
            return self.decoded(np.column_stack([part.argmax(axis=1) for part in self.parts(f)]))
        assert self._binarizer is not None
        labels: Array = self._binarizer.inverse_transform(f.ravel() if f.shape[1] == 1 else f)
        return labels

    def probabilities(self, f: Array) -> Any:
        """Return the probability of each class or label; of several answers a list."""
        if self.kind == "several":
            return self.parts(f)
        if self.kind != "two classes":
            return f
        return np.ones_like(f) if len(self.classes) == 1 else np.hstack([1 - f, f])

    def right(self, f: Array, y: Array) -> Array:
        """Return for each row whether f speaks for all of its targets."""
        if self.kind == "classes":
            right: Array = f.argmax(axis=1) == y
        elif self.kind == "several":
            right = np.all([part.argmax(axis=1) == code for part, code in zip(self.parts(f), y.T, strict=True)], axis=0)
        else:
            right = ((f > 0.5) == y).all(axis=1)
        return right

    def parts(self, f: Array) -> list[Array]:
        """Return the columns of each of several answers."""
        return np.split(f, np.cumsum([len(classes) for classes in self.classes])[:-1], axis=1)

    def output(self, smoothing: float) -> tuple[Output, int]:
        """Return the network's output and its number of columns."""
        if self.kind == "several":
            sizes = [len(classes) for classes in self.classes]
            return SoftmaxGroups(sizes), sum(sizes)
        if self.kind == "classes":
            return Softmax(smoothing), len(self.classes)
        return Sigmoid(smoothing), 1 if self.kind == "two classes" else len(self.classes)


def columns_of(y: Any) -> Any:
    """Return y, a single column of it as an array (n,) with scikit-learn's warning."""
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
