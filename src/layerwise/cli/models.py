"""A saved model as commands use it: which columns it reads, what it says of rows, and how that is called."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ..data import load as load_data
from ..data import table_pieces
from ..data.bundled import BUNDLED
from ..data.files import probe
from ..errors import DataError, SpecificationError, closest
from ..storage import SavedModel, load

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]
#: Rows of images that are predicted at once.
ROWS: Final = 10_000


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of the data, as they came.

    Parameters
    ----------
    features : polars.DataFrame or array (n, pixels)
    target : polars.Series, array or None
        If the data have it.
    kept : polars.DataFrame or None
        Columns that are handed through.
    where : str
        What error messages call them.
    done : float
        How much of the data has been read by now, from 0 to 1.
    """

    features: Any
    target: Any
    kept: pl.DataFrame | None
    where: str
    done: float


@dataclass(frozen=True, eq=False)
class UsedModel:
    """A model folder and what reading data for it needs.

    Parameters
    ----------
    folder : Path
    saved : SavedModel
    unknown : dict of str to None
        Columns of the data read so far that mean nothing to it, in their order.
    """

    folder: Path
    saved: SavedModel
    unknown: dict[str, None] = field(default_factory=dict)

    @classmethod
    def at(cls, folder: Path) -> UsedModel:
        """Read a model folder.

        Raises
        ------
        StorageError
            If it is none, or damaged.
        SpecificationError
            If it has no preparation, and so cannot read files.
        """
        return cls.of(folder, load(folder))

    @classmethod
    def of(cls, folder: Path, saved: SavedModel) -> UsedModel:
        """Return a model that has been read; SpecificationError if it has no preparation."""
        if saved.preparation is None or saved.target is None:
            raise SpecificationError(
                where=str(folder), expected="a model that layerwise train made, which knows its columns",
                got="one without preparation", remedy="load it in Python: lw.load",
            )  # fmt: skip
        return cls(folder, saved)

    @property
    def classes(self) -> tuple[Any, ...]:
        """The classes, or () for numbers."""
        assert self.saved.target is not None
        return self.saved.target.classes

    def described_by(self, name: str) -> dict[str, Any]:
        """Return an object of model.json, such as "options"; empty where it is missing or something else."""
        found = self.saved.description.get(name)
        return found if isinstance(found, dict) else {}

    @property
    def target_name(self) -> str:
        """The column that it predicts."""
        assert self.saved.target is not None
        return self.saved.target.name

    def rows(self, data: str, keep: Sequence[str] = ()) -> Iterator[Rows]:
        """Read data for it, piece by piece where they are a table in a file.

        Parameters
        ----------
        data : str
            As `layerwise train` takes it.
        keep : sequence of str
            Columns to hand through, whether it was trained on them or not.

        Raises
        ------
        DataError
            If they cannot be read, or lack a column.
        """
        preparation = self.saved.preparation
        assert preparation is not None
        path = Path(data).expanduser()
        if data in BUNDLED or probe(path) == "folder" or preparation.kind == "images":
            yield from self._rows_of_set(data, keep)
            return
        numbers = {column.name for column in preparation.numbers}
        words = {column.name for column in preparation.words} | (set(keep) - numbers) | self._words_of_target()
        for piece in table_pieces(path, words):
            where = path.name if piece.first_row == 0 else f"{path.name}, rows from {piece.first_row + 1} on"
            yield self._parted(piece.frame, keep, piece.done, where)

    def _rows_of_set(self, data: str, keep: Sequence[str]) -> Iterator[Rows]:
        found = load_data(data)
        assert self.saved.preparation is not None
        if found.kind != self.saved.preparation.kind:
            kinds = {"table": "a table", "images": "images"}
            raise DataError(
                where=data, expected=f"{kinds[self.saved.preparation.kind]}, as in training", got=kinds[found.kind],
                remedy="give data like those of training, or another model",
            )  # fmt: skip
        total = sum(len(part) for part in found.parts.values())
        done = 0
        for part in found.parts.values():
            for start in range(0, len(part), ROWS):
                features, target = part.features[start : start + ROWS], part.target[start : start + ROWS]
                done += len(target)
                if found.kind == "table":
                    frame = features.with_columns(target)  # type: ignore[union-attr]
                    yield self._parted(frame, keep, done / total, found.name)
                elif keep:
                    raise SpecificationError(
                        where="--keep", expected="columns of a table", got="images", remedy="leave it out"
                    )
                else:
                    yield Rows(features, target, None, found.name, done / total)

    def _words_of_target(self) -> set[str]:
        return {self.target_name} if self.classes and isinstance(self.classes[0], str) else set()

    def _parted(self, frame: pl.DataFrame, keep: Sequence[str], done: float, where: str) -> Rows:
        """Part a table into what the model reads, the target if it is there, and what is handed through."""
        preparation = self.saved.preparation
        assert preparation is not None
        kept = kept_columns(frame, keep, {c.name for c in preparation.numbers})
        used = {c.name for c in preparation.numbers} | {c.name for c in preparation.words}
        options = self.described_by("options")
        split_by = [name for name in (options.get("group"), options.get("time")) if isinstance(name, str)]
        known = {self.target_name, *split_by, *keep, *used, *preparation.left_out}
        self.unknown.update(dict.fromkeys(name for name in frame.columns if name not in known))
        target = frame[self.target_name] if self.target_name in frame.columns else None
        features = frame.select([name for name in frame.columns if name in used])
        return Rows(features, target, kept, where, done)

    def check_target(self, rows: Rows, data: str) -> None:
        """Raise a DataError if the rows do not say their target."""
        if rows.target is None:
            raise DataError(
                where=data, expected=f"the target {self.target_name!r} among the columns", got="none of that name",
                remedy="add it, or use predict",
            )  # fmt: skip

    def prepare(self, rows: Rows) -> Array:
        """Return what the network reads of the rows.  (n, inputs)"""
        preparation = self.saved.preparation
        assert preparation is not None
        with located(rows.where):
            return preparation.transform(rows.features, self.saved.parameters.vector.dtype.name)

    def predict(self, rows: Rows) -> Array:
        """Return the class probabilities (n, C), of two classes too, or the numbers (n,) in the target's units."""
        return self.decoded(self.saved.predict_prepared(self.prepare(rows)))

    def decoded(self, f: Array) -> Array:
        """Turn f, the network's output, into what `predict` returns.  f: (n, outputs)"""
        if not self.classes:
            assert self.saved.target is not None
            return np.asarray(self.saved.target.decode(f)[:, 0], dtype=np.float64)
        return f if f.shape[1] > 1 else np.concatenate([1 - f, f], axis=1)

    def named(self, predicted: Array) -> list[Any]:
        """Return the most likely class of each row, or its number; what `predict` gives in the user's words."""
        return [self.classes[c] for c in predicted.argmax(axis=1)] if self.classes else predicted.tolist()

    def codes(self, rows: Rows) -> Array:
        """Return the target as the network was trained on it: class codes, or standardised numbers.  (n,)"""
        coding = self.saved.target
        assert coding is not None
        with located(rows.where):
            return coding.encode(rows.target)

    def encode(self, rows: Rows) -> Array:
        """Return the target as class codes, or as numbers in its units."""
        coding = self.saved.target
        assert coding is not None
        codes = self.codes(rows)
        return codes if self.classes else coding.decode(codes)

    def described(self, predicted: Array, rows: Rows, probabilities: bool) -> pl.DataFrame:
        """Return what is written of rows: kept columns, "prediction", and probabilities if asked for."""
        return described(self.classes, predicted, rows, probabilities)


def kept_columns(frame: pl.DataFrame, keep: Sequence[str], numbers: Collection[str]) -> pl.DataFrame | None:
    """Return the columns that are handed through, numbers in one type in all pieces; DataError if one is missing."""
    import polars as pl

    absent = [name for name in keep if name not in frame.columns]
    if absent:
        raise DataError(
            where="--keep", expected="columns of the data", got=repr(absent[0]),
            remedy=closest(absent[0], frame.columns),
        )  # fmt: skip
    return frame.select(pl.col(name).cast(pl.Float64) if name in numbers else name for name in keep) if keep else None


def described(classes: Sequence[Any], predicted: Array, rows: Rows, probabilities: bool) -> pl.DataFrame:
    """Return what is written of rows: kept columns, "prediction", and probabilities if asked for."""
    import polars as pl

    columns: dict[str, Any] = {}
    if classes:
        names = np.array(classes, dtype=object)[predicted.argmax(axis=1)]
        columns["prediction"] = pl.Series(names.tolist(), strict=True)
        if probabilities:
            columns |= {f"probability_{name}": predicted[:, c] for c, name in enumerate(classes)}
    else:
        columns["prediction"] = predicted
    made = pl.DataFrame(columns)
    if rows.kept is None:
        return made
    twice = [name for name in rows.kept.columns if name in made.columns]
    if twice:
        raise SpecificationError(
            where="--keep", expected="columns with other names than those of the predictions", got=repr(twice[0]),
            remedy="rename it in the data",
        )  # fmt: skip
    return rows.kept.hstack(made)


@contextmanager
def located(where: str) -> Iterator[None]:
    """Say in errors about features which file and rows they are about."""
    try:
        yield
    except DataError as problem:
        raise DataError(
            where=problem.where.replace("features", where, 1) if "features" in problem.where
            else f"{where}, {problem.where}",
            expected=problem.expected, got=problem.got, remedy=problem.remedy,
        ) from problem  # fmt: skip
