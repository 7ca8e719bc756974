"""A saved estimator as `predict` and `evaluate` use it: its features by name, or all columns in their order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..data import TargetCoding, table_pieces
from ..data import load as load_data
from ..data.bundled import BUNDLED
from ..data.columns import is_words
from ..data.files import probe
from ..errors import DataError, SpecificationError, closest
from ..estimators import MLPClassifier, MLPRegressor
from ..loading import load
from ..storage import SavedModel
from .models import ROWS, Rows, UsedModel, described, kept_columns, located

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]


def open_model(folder: Path, target: str | None = None) -> UsedModel | UsedEstimator:
    """Read a model folder, whatever wrote it.

    Parameters
    ----------
    folder : Path
    target : str, optional
        The column with the target, which estimators do not know by themselves.

    Raises
    ------
    StorageError
        If it is no model folder, or damaged.
    SpecificationError
        If such a model cannot be used on files.
    """
    model = load(folder)
    if not isinstance(model, SavedModel):
        return UsedEstimator.of(folder, model, target)
    used = UsedModel.of(folder, model)
    if target is not None and target != used.target_name:
        raise SpecificationError(
            where="--target", expected=f"{used.target_name!r}, which the model predicts", got=repr(target),
            remedy="leave it out",
        )  # fmt: skip
    return used


def names_of(estimator: Any) -> list[str]:
    """Return the names of the features that an estimator was trained on; none if it was given arrays."""
    return list(getattr(estimator, "feature_names_in_", ()))


@dataclass(frozen=True, eq=False)
class UsedEstimator:
    """An estimator and what reading data for it needs.

    Parameters
    ----------
    folder : Path
    estimator : MLPClassifier or MLPRegressor
    target_name : str
    unknown : dict of str to None
        Columns of the data read so far that mean nothing to it, in their order.
    """

    folder: Path
    estimator: Any
    target_name: str
    unknown: dict[str, None] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, estimator: Any, target: str | None) -> UsedEstimator:
        """Return it; SpecificationError for what does not answer with one class."""
        classes = getattr(estimator, "classes_", None)
        single = isinstance(estimator, MLPClassifier) and estimator._labels.kind in ("two classes", "classes")
        if not (isinstance(estimator, MLPRegressor) or single):
            raise SpecificationError(
                where=str(folder), expected="a classifier or regressor of one target",
                got=type(estimator).__name__ + " of several" * (classes is not None),
                remedy="use it in Python: lw.load",
            )  # fmt: skip
        return cls(folder, estimator, target or "target")

    @property
    def classes(self) -> tuple[Any, ...]:
        """The classes, or () for numbers."""
        return tuple(getattr(self.estimator, "classes_", np.array([])).tolist())

    def rows(self, data: str, keep: Sequence[str] = ()) -> Iterator[Rows]:
        """Read data for it; see `UsedModel.rows`."""
        path = Path(data).expanduser()
        if data in BUNDLED or probe(path) == "folder":
            found = load_data(data)
            pixels = found.kind == "images"
            if pixels and (
                names_of(self.estimator) or self.estimator.n_features_in_ != math.prod(found.image_shape or ())
            ):
                raise DataError(where=data, expected="data like those of training", got="images", remedy="give a table")
            total, done = sum(map(len, found.parts.values())), 0
            for part in found.parts.values():
                for start in range(0, len(part), ROWS):
                    features, target = part.features[start : start + ROWS], part.target[start : start + ROWS]
                    done += len(target)
                    if pixels:
                        yield Rows(np.asarray(features, np.float64), target, None, found.name, done / total)
                    else:
                        frame = features.with_columns(target.rename(self.target_name))  # type: ignore[union-attr]
                        yield self._parted(frame, keep, done / total, found.name)
            return
        words = (set(keep) - set(names_of(self.estimator))) | (
            {self.target_name} if self.classes and isinstance(self.classes[0], str) else set()
        )
        for piece in table_pieces(path, words):
            where = path.name if piece.first_row == 0 else f"{path.name}, rows from {piece.first_row + 1} on"
            yield self._parted(piece.frame, keep, piece.done, where)

    def _parted(self, frame: pl.DataFrame, keep: Sequence[str], done: float, where: str) -> Rows:
        kept = kept_columns(frame, keep, names_of(self.estimator))
        target = frame[self.target_name] if self.target_name in frame.columns else None
        rest = [name for name in frame.columns if name != self.target_name]
        names = names_of(self.estimator)
        used = names or [name for name in rest if name not in keep]
        if names:
            absent = [name for name in used if name not in frame.columns]
            if absent:
                raise DataError(
                    where=where, expected="the columns used in training", got=f"no column {absent[0]!r}",
                    remedy=closest(absent[0], rest) if rest else "add it",
                )  # fmt: skip
            self.unknown.update(dict.fromkeys(name for name in rest if name not in used and name not in keep))
        count = self.estimator.n_features_in_
        if len(used) != count:
            raise DataError(
                where=where, expected=f"{count} columns of features, as in training", got=str(len(used)),
                remedy="name the target by --target and others by --keep, or remove them",
            )  # fmt: skip
        for name in used:
            column = frame[name]
            if is_words(column):
                raise DataError(
                    where=f"{where}, column {name!r}", expected="numbers", got="words",
                    remedy="code it as in training",
                )  # fmt: skip
            if column.null_count():
                raise DataError(
                    where=f"{where}, column {name!r}", expected="a number in every row",
                    got=f"{column.null_count()} missing", remedy="fill them in as in training",
                )  # fmt: skip
        features = frame.select(used)
        return Rows(features if names else features.to_numpy().astype(np.float64), target, kept, where, done)

    def check_target(self, rows: Rows, data: str) -> None:
        """Raise a DataError if the rows do not say their target."""
        if rows.target is None:
            raise DataError(
                where=data, expected=f"the target {self.target_name!r} among the columns", got="none of that name",
                remedy="name it by --target",
            )  # fmt: skip

    def predict(self, rows: Rows) -> Array:
        """Return the class probabilities (n, C), or the numbers (n,)."""
        try:
            made = (
                self.estimator.predict_proba(rows.features) if self.classes else self.estimator.predict(rows.features)
            )
        except ValueError as problem:
            raise DataError(
                where=rows.where, expected="rows that the estimator takes", got=" ".join(str(problem).split()),
                remedy="give data like those of training",
            ) from problem  # fmt: skip
        if not self.classes and np.ndim(made) != 1:
            raise SpecificationError(
                where=str(self.folder), expected="a regressor with one number for each row",
                got=f"one with {np.shape(made)[1]}", remedy="use it in Python: lw.load",
            )  # fmt: skip
        return np.asarray(made, dtype=np.float64)

    def encode(self, rows: Rows) -> Array:
        """Return the target as class codes, or as numbers."""
        coding = TargetCoding("numbers", self.target_name)  # mean 0 and scale 1: as they are, checked
        if not self.classes:
            with located(rows.where):
                return coding.encode(rows.target)
        values = np.asarray(rows.target.to_list() if hasattr(rows.target, "to_list") else rows.target)
        places = {name: code for code, name in enumerate(self.classes)}
        unseen = [value for value in values.tolist() if value not in places]
        if unseen:
            raise DataError(
                where=f"{rows.where}, {self.target_name!r}", expected="the classes of training", got=repr(unseen[0]),
                remedy="correct it, or remove the row",
            )  # fmt: skip
        return np.array([places[value] for value in values.tolist()], dtype=np.int64)

    def described(self, predicted: Array, rows: Rows, probabilities: bool) -> pl.DataFrame:
        """Return what is written of rows; see `UsedModel.described`."""
        return described(self.classes, predicted, rows, probabilities)
