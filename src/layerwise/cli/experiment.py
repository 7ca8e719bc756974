"""What `layerwise train` does between reading its options and printing: data in, model and results out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..data import DataSet, Preparation, TargetCoding, load, split_rows
from ..errors import DataError, DivergenceError, MissingExtraError, SpecificationError, check_number, closest
from ..network import Network
from ..rules.penalties import L1, L2, Penalty
from ..rules.updates import Update
from ..rules.updates import update as update_named
from ..training.fit import Model, fit
from ..training.state import TrainingState, batch_bounds

Array = npt.NDArray[Any]
PARTS = ("train", "validation", "test")


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
    features, targets, more = _split(data, options, fraction)
    notes += more
    wanted: Literal["classes", "numbers"] | None = None
    if options.output is not None:
        wanted = "numbers" if options.output in ("identity", "linear") else "classes"
    coding = TargetCoding.fit(targets["train"], wanted, data.target_name)
    if data.kind == "images":
        assert data.image_shape is not None
        assert data.pixel_max is not None
        preparation = Preparation.for_images(data.image_shape, data.pixel_max)
    else:
        preparation = Preparation.fit(features["train"])
    notes += preparation.notes
    X = {part: preparation.transform(rows, dtype=options.dtype) for part, rows in features.items() if len(rows)}
    y = {part: coding.encode(targets[part]) for part in X}
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
    Network(1, _hidden(options.hidden), 2, hidden=options.activation, output=options.output or "identity",
            dropout=options.dropout)  # fmt: skip
    update_of(options)
    _penalty(options)
    from ..rules.schedules import schedule

    schedule(options.schedule)


def run(
    experiment: Experiment, options: Options, callback: Callable[[TrainingState], object],
    progress: Callable[[TrainingState], object],
) -> Model:  # fmt: skip
    """Train; on divergence the error's model has the last good parameters."""
    X, y = experiment.X, experiment.y
    watch = "validation" in X
    return fit(
        experiment.net, X["train"], y["train"], update=update_of(options), epochs=options.epochs,
        batch_size=batch_size_of(options, len(X["train"])), penalty=_penalty(options),
        validation=(X["validation"], y["validation"]) if watch else None, seed=options.seed, schedule=options.schedule,
        dtype=options.dtype, patience=options.patience if watch and options.patience else None,
        restore_best=watch and options.patience > 0, callbacks=[callback], progress=progress,
    )  # fmt: skip


def results(experiment: Experiment, model: Model) -> dict[str, dict[str, float]]:
    """Return loss and metrics of every part; regression errors are in the units of the target."""
    found: dict[str, dict[str, float]] = {}
    for part in ("test", "validation", "train"):
        if part not in experiment.X:
            continue
        evaluation = model.evaluate(experiment.X[part], experiment.y[part])
        if experiment.target.kind == "classes":
            predicted = predicted_codes(model.predict(experiment.X[part]))
            found[part] = {"accuracy": float((predicted == experiment.y[part]).mean()), "loss": evaluation.loss}
        else:
            scale = experiment.target.scale
            difference = (model.predict(experiment.X[part])[:, 0].astype(np.float64) - experiment.y[part]) * scale
            found[part] = {
                "r2": evaluation.metric,
                "rmse": float(np.sqrt((difference**2).mean())),
                "mae": float(np.abs(difference).mean()),
                "loss": evaluation.loss,
            }
    return found


def predicted_codes(f: Array) -> Array:
    """Return the code of the most likely class: the largest of several outputs, or 1 where a single one is over 1/2."""
    return np.asarray(f.argmax(axis=1) if f.shape[1] > 1 else (f[:, 0] > 0.5).astype(np.int64))


def write(
    folder: Path, experiment: Experiment, options: Options, model: Model, found: dict[str, dict[str, float]],
    overwrite: bool, command: list[str],
) -> str | None:  # fmt: skip
    """Write the model folder with its picture; return why there is no picture, if so."""
    from ..reports import LossCurveDisplay
    from ..storage import save

    state = model.state
    assert state is not None
    best = state.early_stopping.best_epoch if options.patience else None
    files: dict[str, bytes] = {}
    missing = None
    try:
        display = LossCurveDisplay.from_history(model.history, best, f"{experiment.name}: {describe(experiment.net)}")
        files["learning_curve.png"] = display.png()
    except MissingExtraError as problem:
        missing = str(problem)
    save(
        folder, model, preparation=experiment.preparation, target=experiment.target, overwrite=overwrite, files=files,
        description={
            "layerwise": __version__,
            "data": {"name": experiment.name, "rows": experiment.rows},
            "options": asdict(options),
            "command": command,
            "results": found,
            "training": {
                "epochs": len(model.history), "best_epoch": best, "steps": state.steps, "seconds": state.seconds,
                "stopped": state.stopped or "epochs",
            },
            "python": sys.version.split()[0],
            "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
    )  # fmt: skip
    return missing


def describe(net: Network) -> str:
    """Return the network in a line, such as ``64-100-100-10 relu, softmax``."""
    names = list(dict.fromkeys(layer.activation.name for layer in net.layers))
    return "-".join(map(str, net.sizes)) + " " + ", ".join([*names, net.output.name])


def explain_divergence(problem: DivergenceError) -> str:
    """Return a line that says which parameters were kept, or an empty one."""
    epochs = len(problem.model.history) if problem.model is not None else 0
    return f"the parameters of epoch {epochs} were kept" if epochs else ""


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
        if not part.strip().isdigit() or int(part) < 1:
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
    if not given.isdigit() or int(given) < 1:
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


def _penalty(options: Options) -> Penalty:
    terms = [rule(strength) for rule, strength in ((L2, options.l2), (L1, options.l1)) if strength != 0]
    return sum(terms, Penalty())


def _network(options: Options, preparation: Preparation, coding: TargetCoding) -> Network:
    output = options.output or ("softmax" if coding.kind == "classes" else "identity")
    outputs = len(coding.classes) if output == "softmax" else 1
    if output == "sigmoid" and len(coding.classes) != 2:
        raise SpecificationError(
            where="--output",
            expected="two classes for sigmoid",
            got=str(len(coding.classes)),
            remedy="use --output softmax",
        )
    return Network(
        preparation.n_inputs, _hidden(options.hidden), outputs, hidden=options.activation, output=output,
        dropout=options.dropout, batch_norm=options.batch_norm,
    )  # fmt: skip


def _split(data: DataSet, options: Options, fraction: float) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Return features and targets of every part, and notes."""
    brought = dict(data.parts)
    pool = brought.pop("all", None) or brought.pop("train")
    features, groups = _take_out(pool.features, options.group, "--group")
    features, times = _take_out(features, options.time, "--time")
    for part, rest in list(brought.items()):
        cleaned = _take_out(_take_out(rest.features, options.group, "--group")[0], options.time, "--time")[0]
        brought[part] = type(rest)(cleaned, rest.target)
    test = 0.0 if "test" in brought else 0.2
    validation = 0.0 if "validation" in brought else fraction
    coding = None
    if groups is None and times is None:
        wanted: Literal["numbers"] | None = "numbers" if options.output in ("identity", "linear") else None
        coding = TargetCoding.fit(pool.target, wanted, data.target_name)
    strata = None if coding is None else _strata(coding, pool.target)
    split = split_rows(
        len(pool), seed=options.seed, test=test, validation=validation, strata=strata, groups=groups, times=times
    )
    chosen = {"train": split.train, "validation": split.validation, "test": split.test}
    parts: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for part, rows in chosen.items():
        if part in brought:
            parts[0][part], parts[1][part] = brought[part].features, brought[part].target
        elif len(rows):
            whole = len(rows) == len(pool)
            parts[0][part] = features if whole else features[rows]
            parts[1][part] = pool.target if whole else pool.target[rows]
    return *parts, list(split.notes)


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
