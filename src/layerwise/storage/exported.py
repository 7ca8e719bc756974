"""What leaves Layerwise: the networks of a model, with what stands before and after them, whichever file it goes into.

ONNX files and C headers are written from the same steps: those of the program `predict`, which is recorded from the
rules. So they compute what the engines compute, and an output of own rules goes with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..data.preparation import Preparation
from ..data.tables import plain_table
from ..data.targets import TargetCoding
from ..errors import SpecificationError
from ..network import Network, Parameters
from ..ops import NumpyOps
from ..program.program import Buffer, Program
from ..training.fit import Model
from .model_folder import SavedModel

Array = npt.NDArray[Any]
#: The input that images come in, and that of models without preparation.
IMAGE, INPUT = "image", "X"
#: A word that no table has: what a model says of words that it has not seen is compared too.
UNSEEN: Final = "a word of no table"


@dataclass(frozen=True)
class Classes:
    """One of C classes.

    Parameters
    ----------
    names : array (C,)
        Words, whole numbers, booleans or numbers.
    start, stop : int
        Its columns of f: C of them, or one with the probability of the second of two classes.
    """

    names: Array
    start: int
    stop: int

    @property
    def single(self) -> bool:
        """Whether one column stands for two classes."""
        return self.stop - self.start == 1

    def probabilities(self, f: Array) -> Array:
        """Return the probability of each class.  f: (n, columns) -> (n, C)"""
        part = f[:, self.start : self.stop]
        if not self.single:
            return part
        return np.ones_like(part) if len(self.names) == 1 else np.hstack([1 - part, part])


@dataclass(frozen=True)
class YesOrNo:
    """Labels: each column of f is the probability of one."""


@dataclass(frozen=True)
class Numbers:
    """Numbers in the units of the target: f scale + mean.

    Parameters
    ----------
    columns : tuple of int
        Those of f that are given, in this order.
    shape : tuple of int
        Of what is given of a row; () for one number.
    mean, scale : float
    """

    columns: tuple[int, ...]
    shape: tuple[int, ...]
    mean: float = 0.0
    scale: float = 1.0

    def values(self, f: Array) -> Array:
        """Return the numbers in float64.  f: (n, columns) -> (n, *shape)"""
        chosen: Array = f[:, list(self.columns)].astype(np.float64) * self.scale + self.mean
        return chosen.reshape(len(f), *self.shape)


#: What f says: one class, or a class for each of several questions; labels; numbers.
Answer = tuple[Classes, ...] | YesOrNo | Numbers


@dataclass(frozen=True, eq=False)
class Exported:
    """A model, ready to be written in another form.

    Parameters
    ----------
    name : str
        What to call it.
    members : tuple of Parameters
        One network, or those of an ensemble, whose f are averaged.
    answer : tuple of Classes, YesOrNo or Numbers
    preparation : Preparation, optional
        What the table or the images go through first.
    target : str
        The column that it predicts, if it has a name.
    """

    name: str
    members: tuple[Parameters, ...]
    answer: Answer
    preparation: Preparation | None = None
    target: str = ""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the networks."""
        dtype: np.dtype[Any] = self.members[0].vector.dtype
        return dtype

    @property
    def inputs(self) -> int:
        """The number of inputs of the networks."""
        return self.members[0].network.inputs

    @property
    def outputs(self) -> int:
        """The number of columns of f."""
        return self.members[0].network.outputs

    @property
    def columns(self) -> dict[str, str]:
        """What each input is called, by column of the table: the column's name, if it has one."""
        preparation = self.preparation
        if preparation is None or preparation.image_shape:
            return {}
        names = [column.name for column in preparation.numbers] + [column.name for column in preparation.words]
        return {name: name or "unnamed" for name in names}

    def result_names(self) -> list[tuple[str, str]]:
        """Return what the probabilities and the prediction of each answer are called; "" for no probabilities."""
        if isinstance(self.answer, tuple) and len(self.answer) > 1:
            return [(f"probabilities_{t}", f"prediction_{t}") for t in range(len(self.answer))]
        return [("" if isinstance(self.answer, Numbers) else "probabilities", "prediction")]

    def expected(self, features: Any) -> dict[str, Array]:
        """Return what Layerwise says of rows, by the names of the results.

        Parameters
        ----------
        features : polars.DataFrame or array
            As the preparation takes them; prepared inputs (n, inputs) if there is none.
        """
        if self.preparation is None:
            X = np.asarray(features, self.dtype)
        else:
            X = self.preparation.transform(features, dtype=self.dtype.name)
        fs = [theta.network.predict(theta, X) for theta in self.members]
        f = fs[0] if len(fs) == 1 else np.mean(fs, axis=0)
        names = self.result_names()
        if isinstance(self.answer, Numbers):
            return {names[0][1]: self.answer.values(f)}
        if isinstance(self.answer, YesOrNo):
            return {names[0][0]: f, names[0][1]: (f > 0.5).astype(np.int64)}
        found: dict[str, Array] = {}
        for (probabilities, prediction), classes in zip(names, self.answer, strict=True):
            found[probabilities] = classes.probabilities(f)
            found[prediction] = classes.names[found[probabilities].argmax(axis=1)]
        return found

    def given(self, features: Any) -> dict[str, Array]:
        """Return rows as an ONNX model takes them, by the names of its inputs.

        Parameters
        ----------
        features : polars.DataFrame or array
            See `expected`.
        """
        import polars as pl

        if self.preparation is None or self.preparation.image_shape:
            name = INPUT if self.preparation is None else IMAGE
            return {name: np.ascontiguousarray(features, dtype=self.dtype)}
        table, _ = plain_table(features.select(list(self.columns)), "features")
        made: dict[str, Array] = {}
        for number in self.preparation.numbers:
            values = table[number.name].cast(pl.Float64).fill_null(float("nan"))
            made[self.columns[number.name]] = values.to_numpy()[:, None]
        for word in self.preparation.words:
            words = table[word.name].cast(pl.String).fill_null("")
            made[self.columns[word.name]] = np.array(words.to_list(), dtype=object)[:, None]
        return made

    def random_rows(self, n: int = 256, seed: int = 0) -> Any:
        """Return rows such as the model could be asked about, some cells missing and some words never seen."""
        import polars as pl

        generator = np.random.default_rng(seed)
        preparation = self.preparation
        if preparation is None:
            return generator.normal(size=(n, self.inputs)).astype(self.dtype)
        if preparation.image_shape:
            return generator.uniform(0, preparation.pixel_max, (n, self.inputs)).astype(self.dtype)
        table: dict[str, pl.Series] = {}
        for number in preparation.numbers:
            values = generator.normal(number.mean, number.scale or 1.0, n)
            values[generator.random(n) < 0.1] = np.nan
            table[number.name] = pl.Series(values)
        for word in preparation.words:
            choices = [*word.words, None, UNSEEN]
            words = [choices[k] for k in generator.integers(len(choices), size=n)]
            table[word.name] = pl.Series(words, dtype=pl.String)
        return pl.DataFrame(table)


def exported(model: Any) -> Exported:
    """Return what of a model leaves Layerwise.

    Parameters
    ----------
    model : SavedModel, Model, or a fitted estimator

    Raises
    ------
    SpecificationError
        If it is something else, or its classes are of several kinds.
    """
    if isinstance(model, SavedModel):
        answer = _answer(model.network, model.target)
        target = model.target.name if model.target is not None else ""
        return Exported("model", (model.parameters,), answer, model.preparation, target)
    if isinstance(model, Model):
        return Exported("model", (model.parameters,), _answer(model.network, None))
    if hasattr(model, "_exported"):
        made: Exported = model._exported()
        return made
    raise SpecificationError(
        where="export", expected="a model of lw.fit or lw.load, or a fitted estimator", got=type(model).__name__,
        remedy="train one first",
    )  # fmt: skip


def _answer(net: Network, target: TargetCoding | None) -> Answer:
    if target is not None and target.kind == "classes":
        return (Classes(np.array(target.classes), 0, net.outputs),)
    if target is None and net.output.target == "classes":
        return (Classes(np.arange(net.outputs), 0, net.outputs),)
    if target is None and net.output.target == "several classes":
        return groups([np.arange(size) for size in net.output.groups])
    if target is None and net.output.target == "labels":
        return YesOrNo()
    mean, scale = (0.0, 1.0) if target is None else (target.mean, target.scale)
    return Numbers(tuple(range(net.outputs)), (net.outputs,) if net.outputs > 1 else (), mean, scale)


def groups(names: list[Array]) -> tuple[Classes, ...]:
    """Return the answers of groups of columns that stand side by side."""
    stops = np.cumsum([len(of_group) for of_group in names]).tolist()
    return tuple(Classes(of_group, stop - len(of_group), stop) for of_group, stop in zip(names, stops, strict=True))


def class_names(names: Array) -> Array:
    """Return the names of classes in a type that files have: words, int64, float64 or booleans.

    Raises
    ------
    SpecificationError
        If they are none of these, or a mixture.
    """
    listed = names.tolist()
    for kind, dtype in ((str, object), (bool, bool), (int, np.int64), (float, np.float64)):
        if all(type(name) is kind for name in listed):
            try:
                return np.array(listed, dtype=dtype)
            except OverflowError:
                break
    raise SpecificationError(
        where="classes", expected="all words, all whole numbers of 64 bits, all numbers or all booleans",
        got=", ".join(map(repr, listed[:3])), remedy="train with classes of one kind",
    )  # fmt: skip


def folded(theta: Parameters) -> tuple[Program, Mapping[str, Array]]:
    """Return the program that predicts, without the steps that parameters alone decide, and what stands for those.

    Parameters
    ----------
    theta : Parameters

    Returns
    -------
    program : Program
        Of h^(0) alone, and of constants.
    constants : mapping of name to array
        Of theta's dtype, for every other buffer.
    """
    program = theta.network.program("predict")
    vectors = {"theta": theta.vector, "statistics": theta.statistics}
    known = {buffer.name: buffer.view(vectors[buffer.vector]) for buffer in program.buffers if buffer.vector}
    ops, steps = NumpyOps(theta.vector.dtype), []
    for step in program.steps:
        if all(operand in known for operand in step.operands if isinstance(operand, str)):
            made = step.call(ops, [known[o] if isinstance(o, str) else o for o in step.operands])
            known.update(zip(step.results, made if isinstance(made, tuple) else (made,), strict=True))
        else:
            steps.append(step)
    read = {operand for step in steps for operand in step.operands}
    constants = {name: np.asarray(value, theta.vector.dtype) for name, value in known.items() if name in read}
    features = tuple(buffer for buffer in program.buffers if not buffer.vector)
    buffers = features + tuple(Buffer(name, value.shape, "input") for name, value in constants.items())
    return Program("predict", buffers, tuple(steps), program.outputs), constants


def refuse(net: Network, operation: str, form: str) -> SpecificationError:
    """Return the error for an output whose own rules need what a form has not."""
    return SpecificationError(
        where=f"output {net.output.name!r}", expected=f"rules that {form} can express",
        got=f"the operation {operation!r}", remedy="write it as a formula: Output.own",
    )  # fmt: skip
