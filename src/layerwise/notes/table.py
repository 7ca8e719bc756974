"""The reader's own data: a CSV file in, rows ready for a network out; what cannot be used changes nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ..data import Preparation, TargetCoding, load
from ..errors import DataError, LayerwiseError
from ..reports.figures import as_text

if TYPE_CHECKING:
    import marimo as mo

Array = npt.NDArray[Any]
#: The largest file that a page takes, and the most rows and inputs of it that are used.
LARGEST_FILE: Final = 5_000_000
MOST_ROWS: Final = 5_000
MOST_INPUTS: Final = 100
#: What the browser itself refuses to send.
_MOST_SENT: Final = 100_000_000


@dataclass(frozen=True, eq=False)
class Table:
    """Rows for a chapter: inputs as the network reads them, and what to learn.

    Parameters
    ----------
    name : str
    X : array (n, inputs), float64
        Standardised numbers and coded words.
    y : array (n,)
        Class codes (int64), or standardised numbers (float64).
    features : tuple of str
        The inputs' names.
    target : str
    classes : tuple of str
        The classes' names; empty for numbers.

    Examples
    --------
    >>> iris = Table.named("iris")
    >>> iris.X.shape, iris.classes
    ((150, 4), ('setosa', 'versicolor', 'virginica'))
    """

    name: str
    X: Array
    y: Array
    features: tuple[str, ...]
    target: str
    classes: tuple[str, ...] = ()

    @classmethod
    def named(cls, source: str | Path, title: str = "") -> Table:
        """Read a bundled data set or a file.

        Parameters
        ----------
        source : str or Path
            As `layerwise train` takes it.
        title : str
            A name other than the source's own.

        Raises
        ------
        DataError
            If it cannot be read or used; the message names the column or the line.
        """
        data = load(str(source))
        part = data.parts["all"] if "all" in data.parts else data.parts["train"]
        if data.kind == "images":
            prepared = Preparation.for_images(data.image_shape, data.pixel_max)  # type: ignore[arg-type]
        else:
            prepared = Preparation.fit(part.features)  # type: ignore[arg-type]
        coding = TargetCoding.fit(part.target, name=data.target_name)
        if prepared.n_inputs > MOST_INPUTS:
            raise DataError(
                where=title or data.name, expected=f"at most {MOST_INPUTS} inputs", got=f"{prepared.n_inputs}",
                remedy="keep fewer columns",
            )  # fmt: skip
        X = prepared.transform(part.features, dtype="float64")[:MOST_ROWS]
        y = coding.encode(part.target)[:MOST_ROWS]
        names = tuple(map(as_text, prepared.feature_names))  # dollars would begin formulas, in text and figures alike
        classes = tuple(map(as_text, coding.classes))
        return cls(as_text(title or data.name), X, y, names, as_text(data.target_name), classes)

    @classmethod
    def of(cls, name: str, X: Any, y: Any, *, features: Sequence[str] = (), classes: Sequence[str] = ()) -> Table:
        """Make a table of arrays (n, inputs) and (n,); whole numbers in y are classes."""
        X = np.asarray(X, dtype=np.float64)
        y = np.asarray(y)
        named = tuple(features) or tuple(f"x_{k + 1}" for k in range(X.shape[1]))
        codes = tuple(classes) or (tuple(map(str, range(int(y.max()) + 1))) if y.dtype.kind in "iu" else ())
        return cls(name, X, y, named, "y", codes)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.X)

    @property
    def outputs(self) -> int:
        """How many outputs a network for it has: one per class, or one for numbers."""
        return len(self.classes) or 1

    def first(self, inputs: int) -> Table:
        """Return it with the first inputs only.

        >>> Table.named("iris").first(2).features
        ('sepal length (cm)', 'sepal width (cm)')
        """
        return replace(self, X=self.X[:, :inputs], features=self.features[:inputs])

    def against_rest(self, which: int = 0) -> Table:
        """Return it with two classes: 1 for one of the classes, 0 for the others.

        >>> Table.named("iris").against_rest(2).classes
        ('not virginica', 'virginica')
        """
        name = self.classes[which]
        return replace(self, y=(self.y == which).astype(np.int64), classes=(f"not {name}", name))

    def about(self) -> str:
        """Return one line about it.

        >>> Table.named("iris").about()
        'iris: 150 rows, 4 inputs, 3 classes of species'
        """
        kind = f"{len(self.classes)} classes of {self.target}" if self.classes else f"numbers of {self.target}"
        return f"{self.name}: {len(self)} rows, {self.X.shape[1]} inputs, {kind}"


class Upload:
    """A place for the reader's own file: it keeps the last data that could be used.

    Parameters
    ----------
    table : Table
        What is there before a file is chosen.
    inputs : int, optional
        A file has to bring as many inputs, and its first ones are used; by default all are.
    classes : bool, optional
        Whether the last column has to be classes (True) or numbers (False); by default either.

    Examples
    --------
    In a notebook, each line in a cell of its own::

        own = notes.Upload(notes.Table.named("iris"), inputs=2, classes=True)
        file = own.button()
        table, message = own.take(file)
    """

    def __init__(self, table: Table, *, inputs: int | None = None, classes: bool | None = None) -> None:
        self._inputs, self._classes = inputs, classes
        self.table = self._fitting(table)

    @property
    def needs(self) -> str:
        """What a file has to bring, in words.

        >>> Upload(Table.named("iris"), inputs=2, classes=True).needs
        '2 columns of inputs, then a column named target, or the last, of classes'
        """
        inputs = f"{self._inputs} columns" if (self._inputs or 0) > 1 else "a column" if self._inputs else "columns"
        kind = {True: "of classes", False: "of numbers", None: "to learn"}[self._classes]
        return f"{inputs} of inputs, then a column named target, or the last, {kind}"

    def _fitting(self, table: Table) -> Table:
        """Return what the chapter uses of a table; DataError if it cannot."""
        enough = self._inputs is None or table.X.shape[1] >= self._inputs
        if not enough or self._classes not in (None, bool(table.classes)):
            raise DataError(
                where=table.name, expected=self.needs, got=table.about().partition(": ")[2],
                remedy="choose another file, or rearrange its columns",
            )  # fmt: skip
        return table if self._inputs is None else table.first(self._inputs)

    def button(self) -> mo.ui.file:
        """Return the button that takes a file."""
        import marimo as mo

        limit = f"up to {LARGEST_FILE / 1e6:g} MB"
        return mo.ui.file(
            filetypes=[".csv", ".tsv", ".txt"], max_size=_MOST_SENT, label=f"Your own CSV: {self.needs} ({limit})"
        )

    def take(self, file: mo.ui.file) -> tuple[Table, mo.Html]:
        """Return the data to use, and a message about them for the page."""
        import marimo as mo

        if not file.value:
            return self.table, mo.md(self.table.about())
        sent = file.value[0]
        table, problem = self.read(sent.name, sent.contents)
        if problem:
            return table, mo.md(f"{problem}\n\nStill in use: {table.about()}").callout(kind="warn")
        return table, mo.md(table.about()).callout(kind="success")

    def read(self, name: str, contents: bytes) -> tuple[Table, str]:
        """Return the data to use after a file came, and what is wrong with it, or "".

        Examples
        --------
        >>> own = Upload(Table.named("iris"))
        >>> table, problem = own.read("mine.csv", b"")
        >>> table.name, problem
        ('iris', 'mine.csv: expected data, got an empty file; copy or export the file again')
        """
        try:
            self.table = self._fitting(_of_bytes(name, contents))
        except LayerwiseError as problem:
            return self.table, str(problem)
        return self.table, ""


def _of_bytes(name: str, contents: bytes) -> Table:
    if len(contents) > LARGEST_FILE:
        raise DataError(
            where=name, expected=f"at most {LARGEST_FILE / 1e6:g} MB", got=f"{len(contents) / 1e6:.1f} MB",
            remedy="send fewer rows; `layerwise train` takes files of any size",
        )  # fmt: skip
    plain = Path(name).name or "file.csv"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / plain
        path.write_bytes(contents)
        return Table.named(path)
