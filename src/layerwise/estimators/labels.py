"""What a classifier's targets are: classes, labels, or several classes at once; from words to codes and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import unique_labels

from ..data.columns import shorten
from ..rules.outputs import Output, Sigmoid, Softmax, SoftmaxGroups
from ..storage.values import array_from_data, array_to_data
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
        self.classes: Any
        if _holds_several(y):
            self._take_several([np.unique(column) for column in columns_of_answers(y)])
            return
        self._binarizer = LabelBinarizer().fit(y)
        self.classes = self._binarizer.classes_
        kind = self._binarizer.y_type_
        self.kind = "labels" if kind.startswith("multilabel") else "classes" if kind == "multiclass" else "two classes"

    @classmethod
    def of_classes(cls, classes: Any, y: Any) -> Labels:
        """Make it of all classes that will ever come: an array, or a list of arrays, one an answer."""
        if isinstance(classes, list | tuple) and len(classes) and np.ndim(classes[0]) == 1:
            made = cls.__new__(cls)
            made._binarizer = None
            made._take_several([np.unique(column) for column in classes])
            return made
        return cls(y if kind_of(y).startswith("multilabel") else classes)

    def _take_several(self, classes: list[Array]) -> None:
        self.kind, self.classes = "several", classes
        for t, column in enumerate(classes):
            if len(column) < 2:
                raise ValueError(f"Column {t} of y has the class {column.tolist()} alone; leave the column out.")

    def check(self, y: Any, what: str) -> None:
        """Raise a ValueError if y has a class that is not among these."""
        self.check_shape(y)
        if self.kind == "labels":
            _check_zeros_and_ones(y, what)
        given = columns_of_answers(y) if self.kind == "several" else [unique_labels(y)]
        if len(given) != len(self._listed):
            raise ValueError(f"{what} has {len(given)} answers a row; there are {len(self._listed)}.")
        for column, classes in zip(given, self._listed, strict=True):
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
        same = self.kind == other.kind and len(self._listed) == len(other._listed)
        return same and all(map(np.array_equal, self._listed, other._listed))

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
            columns = zip(self.classes, columns_of_answers(y), strict=True)
            return np.column_stack([np.searchsorted(classes, column) for classes, column in columns])
        codes: Array = np.searchsorted(self.classes, y)
        return codes if self.kind == "classes" else codes.astype(np.uint8)[:, None]

    def decoded(self, codes: Array) -> Array:
        """Return what the user called these targets."""
        if self.kind == "labels":
            return codes
        if self.kind == "several":
            columns = [classes[column] for classes, column in zip(self.classes, codes.T, strict=True)]
            alike = len({column.dtype.kind in "US" for column in columns}) == 1
            return np.column_stack(columns if alike else [column.astype(object) for column in columns])
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


def columns_of_answers(y: Any) -> list[Array]:
    """Return the columns of y, each in the type of its own: those of a frame of words and numbers differ."""
    array = np.asarray(y)
    columns: list[Array] = list(array.T)
    return [np.array(column.tolist()) for column in columns] if array.dtype == object else columns


def _holds_several(y: Any) -> bool:
    """Return whether y holds several answers a row, and no labels of zeros and ones."""
    if sparse.issparse(y) or np.ndim(y) != 2 or np.shape(y)[1] < 2:
        return kind_of(y) == SEVERAL
    if np.asarray(y).dtype == object:
        return all(kind_of(column) in ("binary", "multiclass") for column in columns_of_answers(y))
    kind = kind_of(y)
    return kind == SEVERAL or (kind.startswith("multilabel") and not np.isin(y, (0, 1)).all())


def _check_zeros_and_ones(y: Any, what: str) -> None:
    values = y.data if sparse.issparse(y) else np.asarray(y)
    if values.dtype.kind in "biuf" and not np.isin(values, (0, 1)).all():
        other = values[~np.isin(values, (0, 1))][0]
        raise ValueError(f"{what} has {other} among labels, which are 0 for no and 1 for yes.")


def labels_to_data(labels: Labels) -> dict[str, Any]:
    """Return the classes as plain data; a TypeError names what they are if they are no words, numbers or booleans."""
    binarizer = labels._binarizer
    return {
        "kind": labels.kind,
        "classes": [array_to_data(np.asarray(classes)) for classes in labels._listed],
        "sparse": bool(binarizer is not None and binarizer.sparse_input_),
    }


def labels_from_data(data: Any) -> Labels:
    """Return the classes of `labels_to_data`; its errors are those of wrong data."""
    classes, kind = [array_from_data(one) for one in data["classes"]], data["kind"]
    if any(one.ndim != 1 or not len(one) or len(np.unique(one)) < len(one) for one in classes):
        raise ValueError(f"classes that are no rows of different ones, {shorten(classes)}")
    labels = Labels.__new__(Labels)
    labels._binarizer = None
    if kind == "several":
        labels._take_several(classes)
        return labels
    (labels.classes,) = classes
    counts = {"two classes": range(1, 3), "classes": range(3, 1 << 62), "labels": range(1, 1 << 62)}
    if kind not in counts or len(labels.classes) not in counts[kind]:
        raise ValueError(f"{len(labels.classes)} classes of the kind {shorten(kind)}")
    labels.kind = kind
    labels._binarizer = LabelBinarizer()
    labels._binarizer.classes_, labels._binarizer.sparse_input_ = labels.classes, data["sparse"] is True
    labels._binarizer.y_type_ = {"two classes": "binary", "classes": "multiclass"}.get(kind, "multilabel-indicator")
    return labels
