"""What `layerwise train` leaves: the model folder with its picture and report."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from .. import __version__
from ..errors import MissingExtraError
from ..network import Network
from ..training.fit import Model
from .experiment import Experiment, Options, Results, batch_size_of, best_epoch, update_of


def write(
    folder: Path, experiment: Experiment, options: Options, model: Model, found: Results,
    overwrite: bool, command: list[str], unfinished: Mapping[str, bytes] | None = None, report: bool = True,
) -> str | None:  # fmt: skip
    """Write the model folder with its picture and report; return why there is none, if so."""
    from ..storage import save

    state = model.state
    assert state is not None
    best = best_epoch(options, model)
    try:
        files, missing = pictures(experiment, options, model, command, report), None
    except MissingExtraError as problem:
        files, missing = {}, str(problem)
    except (ValueError, RuntimeError) as problem:  # matplotlib's; a picture is not worth a model
        files, missing = {}, " ".join(str(problem).split())
    save(
        folder, model, preparation=experiment.preparation, target=experiment.target, overwrite=overwrite, files=files,
        unfinished=unfinished,
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


def pictures(
    experiment: Experiment, options: Options, model: Model, command: list[str], report: bool
) -> dict[str, bytes]:  # fmt: skip
    """Return the learning curve and, if wanted, the report, as files.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    from ..reports import LossCurveDisplay
    from ..reports.figures import as_text

    title = f"{as_text(experiment.name)}: {describe(experiment.net)}"
    display = LossCurveDisplay.from_history(model.history, best_epoch(options, model), title)
    curve = {"learning_curve.png": display.png()}
    return curve | ({"report.html": _report(experiment, options, model, command)} if report else {})


def _report(experiment: Experiment, options: Options, model: Model, command: list[str]) -> bytes:
    from ..reports.model_report import Trained, model_report

    state = model.state
    assert state is not None
    facts = {
        "training": f"{state.seconds:.1f} s, {state.steps:,} updates; ended by {state.stopped or 'epochs'}",
        "seed": str(options.seed),
        "Layerwise": __version__,
        "Python": sys.version.split()[0],
        "written": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }
    title = f"{experiment.name}: {describe(experiment.net)}"
    trained = Trained(
        title, experiment.net, model.parameters, model.history, experiment.X, experiment.y, experiment.preparation,
        experiment.target, best_epoch(options, model), settings(experiment, options), experiment.notes, facts,
        shlex.join(command),
    )  # fmt: skip
    return model_report(trained).encode()


def settings(experiment: Experiment, options: Options) -> str:
    """Say how the network is trained, in a line: nothing that changes the result is left unsaid."""
    parts = [str(update_of(options)), f"batches of {batch_size_of(options, experiment.rows['train'])}"]
    parts += [f"{options.schedule} rate"] if options.schedule != "constant" else []
    parts += [f"L2 {options.l2:g}"] if options.l2 else []
    parts += [f"L1 {options.l1:g}"] if options.l1 else []
    parts += [f"gradients of norm {options.clip_norm:g} at most"] if options.clip_norm is not None else []
    parts += [f"dropout {options.dropout:g}"] if options.dropout and experiment.net.layers else []
    parts += ["batch normalisation"] if options.batch_norm and experiment.net.layers else []
    parts += [f"at most {options.epochs} epoch{'s' * (options.epochs != 1)}"]
    parts += [f"patience {options.patience}"] if options.patience and experiment.rows["validation"] else []
    return ", ".join([*parts, options.dtype, f"seed {options.seed}"])


def describe(net: Network) -> str:
    """Return the network in a line, such as ``64-100-100-10 relu, softmax``."""
    names = list(dict.fromkeys(layer.activation.name for layer in net.layers))
    return "-".join(map(str, net.sizes)) + " " + ", ".join([*names, net.output.name])
