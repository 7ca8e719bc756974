"""What `layerwise train` does between reading its options and printing: data in, model and results out."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..data import DataSet, Part, Preparation, TargetCoding, load, split_rows
from ..errors import DataError, SpecificationError, check_number, closest
from ..network import Network
from ..rules.activations import activation as activation_named
from ..rules.outputs import output as output_named
from ..rules.penalties import L1, L2, Penalty
from ..rules.schedules import schedule as schedule_named
from ..rules.updates import Update
from ..rules.updates import update as update_named
from ..training.batches import batch_bounds
from ..training.fit import Keeper, Model, fit
from ..training.state import TrainingState

Array = npt.NDArray[Any]
#: Loss and metrics by part; None where there is no number, such as R2 of rows with the same target.
Results = dict[str, dict[str, float | None]]
PARTS = ("train", "validation", "test")
#: More than any memory holds; arrays of even more entries than that are past NumPy.
MOST_WEIGHTS = 10**13


@dataclass(frozen=True)
class Options:
    """The options of `layerwise train`, as given."""

    data: str
    target: str | None
    test: str | None
    validation: str
    group: str | None
    time: str | None
    hidden: str
    activation: str
    output: str | None
    update: str
    rate: float | None
    momentum: float | None
    schedule: str
    l2: float
    l1: float
    clip_norm: float | None
    dropout: float
    batch_norm: bool
    batch_size: str
    epochs: int
    patience: int
    dtype: Literal["float32", "float64"]
    seed: int


@dataclass
class Experiment:
    """Everything ready to train.

    Attributes
    ----------
    X, y : dict of part to array
        Prepared inputs and coded targets of train, validation and test; parts without rows are absent.
    notes : list of str
        Decisions that the user should see.
    """

    name: str
    net: Network
    X: dict[str, Array]
    y: dict[str, Array]
    preparation: Preparation
    target: TargetCoding
    notes: list[str] = field(default_factory=list)

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows of every part."""
        return {part: len(self.X[part]) if part in self.X else 0 for part in PARTS}


def prepare(options: Options) -> Experiment:
    """Read the data, split them, fit the preparation on the training rows, and describe the network.

    Raises
    ------
    LayerwiseError
        If the data or an option cannot be used.
    """
    check_options(options)
    fraction, validation_file = _validation(options.validation)
    data = load(options.data, options.target, test=options.test, validation=validation_file)
    notes = list(data.notes)
    pool, rows, brought, more = _split(data, options, fraction)
    notes += more
    features: Any = pool.features
    coding = TargetCoding.fit(pool.target[rows["train"]], _wanted(options), data.target_name)
    if data.kind == "images":
        assert data.image_shape is not None
        assert data.pixel_max is not None
        preparation = Preparation.for_images(data.image_shape, data.pixel_max)
    else:
        preparation = Preparation.fit(features[rows["train"]])
    notes += preparation.notes
    # Transformed first and parted then, so that an error names the row of the file.
    inputs, targets = preparation.transform(features, options.dtype), coding.encode(pool.target)
    X: dict[str, Array] = {}
    y: dict[str, Array] = {}
    for part in PARTS:
        if part in brought:
            X[part] = preparation.transform(brought[part].features, options.dtype)
            y[part] = coding.encode(brought[part].target)
        elif part in rows:
            whole = len(rows[part]) == len(pool)
            X[part], y[part] = (inputs, targets) if whole else (inputs[rows[part]], targets[rows[part]])
    return Experiment(data.name, _network(options, preparation, coding), X, y, preparation, coding, notes)


def check_options(options: Options) -> None:
    """Refuse what cannot be before any data are read."""
    _hidden(options.hidden)
    check_number("--epochs", options.epochs, at_least=1, whole=True)
    check_number("--patience", options.patience, at_least=0, whole=True)
    check_number("--seed", options.seed, at_least=0, below=2**32, whole=True)
    if options.rate is not None:
        check_number("--rate", options.rate, above=0)
    batch_size_of(options, 1000)
    if options.dtype not in ("float32", "float64"):
        raise SpecificationError(
            where="--dtype", expected="float32 or float64", got=repr(options.dtype), remedy="choose one of them"
        )
    check_number("--dropout", options.dropout, at_least=0, below=1)
    check_number("--l2", options.l2, at_least=0)
    check_number("--l1", options.l1, at_least=0)
    if options.clip_norm is not None:
        check_number("--clip-norm", options.clip_norm, above=0)
    activation_named(options.activation)
    _wanted(options)
    update_of(options)
    schedule_named(options.schedule)


def run(
    experiment: Experiment, options: Options, callback: Callable[[TrainingState], object],
    progress: Callable[[TrainingState], object], checkpoint: Keeper | None = None,
) -> Model:  # fmt: skip
    """Train; on divergence the error's model has the last good parameters."""
    X, y = experiment.X, experiment.y
    watch = "validation" in X
    return fit(
        experiment.net, X["train"], y["train"], update=update_of(options), epochs=options.epochs,
        batch_size=batch_size_of(options, len(X["train"])), penalty=penalty_of(options), clip_norm=options.clip_norm,
        validation=(X["validation"], y["validation"]) if watch else None, seed=options.seed, schedule=options.schedule,
        dtype=options.dtype, patience=options.patience if watch and options.patience else None,
        restore_best=watch and options.patience > 0, callbacks=[callback], progress=progress,
        checkpoint=checkpoint,
    )  # fmt: skip


def results(experiment: Experiment, model: Model) -> Results:
    """Return loss and metrics of every part; regression errors are in the units of the target."""
    found: Results = {}
    for part in ("test", "validation", "train"):
        if part not in experiment.X:
            continue
        evaluation = model.evaluate(experiment.X[part], experiment.y[part])
        if experiment.target.kind == "classes":
            predicted = predicted_codes(model.predict(experiment.X[part]))
            numbers = {"accuracy": float((predicted == experiment.y[part]).mean()), "loss": evaluation.loss}
        else:
            scale = experiment.target.scale
            difference = (model.predict(experiment.X[part])[:, 0].astype(np.float64) - experiment.y[part]) * scale
            numbers = {
                "r2": evaluation.metric,
                "rmse": float(np.sqrt((difference**2).mean())),
                "mae": float(np.abs(difference).mean()),
                "loss": evaluation.loss,
            }
        found[part] = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    return found


def best_epoch(options: Options, model: Model) -> int | None:
    """Return the epoch whose parameters the model has, if the validation rows chose it; else it has the last ones."""
    assert model.state is not None
    return model.state.early_stopping.best_epoch if options.patience else None


def predicted_codes(f: Array) -> Array:
    """Return the code of the most likely class: the largest of several outputs, or 1 where a single one is over 1/2."""
    return np.asarray(f.argmax(axis=1) if f.shape[1] > 1 else (f[:, 0] > 0.5).astype(np.int64))


def _validation(given: str) -> tuple[float, str | None]:
    try:
        fraction = float(given)
    except ValueError:
        return 0.0, given
    check_number("--validation", fraction, at_least=0, below=1)
    return fraction, None


def _hidden(given: str) -> list[int]:
    if given.strip().lower() == "none":
        return []
    sizes = []
    for part in given.split(","):
        if not part.strip().isdecimal() or int(part) < 1:
            raise SpecificationError(
                where="--hidden", expected="layers of at least 1 unit", got=repr(given),
                remedy="write 100 or 100,50, or none for no hidden layer",
            )  # fmt: skip
        sizes.append(int(part))
    return sizes


def batch_size_of(options: Options, n: int) -> int | Literal["all"]:
    """Return the batch size for n training rows; by default about a hundred updates an epoch, of 16 to 256 rows."""
    given = options.batch_size
    if given == "all":
        return "all"
    if given == "auto":
        return int(np.clip(2 ** round(np.log2(max(n / 100, 1))), 16, 256))
    if not given.isdecimal() or int(given) < 1:
        raise SpecificationError(
            where="--batch-size",
            expected="a whole number of at least 1, or all",
            got=repr(given),
            remedy="choose such a value",
        )
    return int(given)


def steps_per_epoch(experiment: Experiment, options: Options) -> int:
    """Return the number of updates in an epoch."""
    n = experiment.rows["train"]
    size = batch_size_of(options, n)
    return len(batch_bounds(n, None if size == "all" else size, experiment.net))


def update_of(options: Options) -> Update:
    """Return the update rule that the options name."""
    return update_named(options.update, options.rate, options.momentum)


def _wanted(options: Options) -> Literal["classes", "numbers"] | None:
    """Return what the chosen output makes of the target; None if the target itself decides."""
    if options.output is None:
        return None
    return "numbers" if output_named(options.output).target == "numbers" else "classes"


def penalty_of(options: Options) -> Penalty:
    """Return the penalty that the options ask for."""
    terms = [rule(strength) for rule, strength in ((L2, options.l2), (L1, options.l1)) if strength != 0]
    return sum(terms, Penalty())


def _network(options: Options, preparation: Preparation, coding: TargetCoding) -> Network:
    output = output_named(options.output or ("softmax" if coding.kind == "classes" else "identity"))
    outputs = len(coding.classes) if output.target == "classes" else 1
    if output.columns_per_target > 1 or (output.target == "numbers" and output.target_range[0] == 0):
        raise SpecificationError(
            where="--output", expected="an output for standardised numbers, with a column for each", got=output.name,
            remedy="use --output identity, absolute or huber, or train it from Python",
        )  # fmt: skip
    if output.target == "labels" and len(coding.classes) != 2:
        raise SpecificationError(
            where="--output",
            expected="two classes for sigmoid",
            got=str(len(coding.classes)),
            remedy="use --output softmax",
        )
    net = Network(
        preparation.n_inputs, _hidden(options.hidden), outputs, hidden=options.activation, output=output,
        dropout=options.dropout, batch_norm=options.batch_norm,
    )  # fmt: skip
    weights = sum(itertools.starmap(operator.mul, itertools.pairwise(net.sizes)))
    if weights > MOST_WEIGHTS:
        raise SpecificationError(
            where="--hidden", expected=f"a network of at most {MOST_WEIGHTS:.0e} weights", got=f"{weights:.0e}",
            remedy="use fewer units",
        )  # fmt: skip
    return net


def _split(
    data: DataSet, options: Options, fraction: float
) -> tuple[Part, dict[str, Array], dict[str, Part], list[str]]:
    """Return what is split, the numbers of its rows by part, the parts that need no splitting, and notes."""

    def cleaned(part: Part) -> Part:
        features, _ = _take_out(part.features, options.group, "--group")
        return Part(_take_out(features, options.time, "--time")[0], part.target)

    brought = dict(data.parts)
    pool = brought.pop("all", None) or brought.pop("train")
    groups = _take_out(pool.features, options.group, "--group")[1]
    times = _take_out(pool.features, options.time, "--time")[1]
    coding = None
    if groups is None and times is None:
        coding = TargetCoding.fit(pool.target, _wanted(options), data.target_name)
    split = split_rows(
        len(pool), seed=options.seed, test=0.0 if "test" in brought else 0.2,
        validation=0.0 if "validation" in brought else fraction,
        strata=None if coding is None else _strata(coding, pool.target), groups=groups, times=times,
    )  # fmt: skip
    rows = {"train": split.train, "validation": split.validation, "test": split.test}
    return (
        cleaned(pool),
        {part: numbers for part, numbers in rows.items() if len(numbers)},
        {name: cleaned(part) for name, part in brought.items()},
        list(split.notes),
    )


def _strata(coding: TargetCoding, target: Any) -> Array:
    """Return what the random split keeps in proportion: classes, or tenths of the numbers (fewer for small tables)."""
    coded = coding.encode(target)
    if coding.kind == "classes":
        return coded
    bins = int(np.clip(len(coded) // 20, 1, 10))
    return np.searchsorted(np.quantile(coded, np.arange(1, bins) / bins), coded)


def _take_out(features: Any, column: str | None, option: str) -> tuple[Any, Any]:
    """Return the features without a column, and that column."""
    if column is None:
        return features, None
    names = list(getattr(features, "columns", []))
    if column not in names:
        raise DataError(
            where=option, expected="a column of the data", got=repr(column),
            remedy=closest(column, names) if names else "images have no columns",
        )  # fmt: skip
    return features.drop(column), features[column]
