"""What `layerwise train --resume` goes by: the options, the data files and the versions of a training."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console

from .. import __version__
from ..data.bundled import BUNDLED
from ..data.images import is_image_file
from ..errors import DataError, SpecificationError, StorageError
from ..storage import Checkpoint, load, unfinished
from ..storage.document import DESCRIPTION
from ..storage.reading import one_line
from ..training.batches import TrainingData
from ..training.state import TrainingState
from .experiment import Options
from .inspect import engine_facts

UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
ANEW: Final = "restore it, or train anew"


def seconds_of(given: str) -> float:
    """Return a time such as 30s, 0.2s, 5m or 1h in seconds.

    >>> seconds_of("5m")
    300.0

    Raises
    ------
    SpecificationError
        If it is no such time, or no time at all.
    """
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smh])", given.strip())
    seconds = float(found[1]) * UNITS[found[2]] if found else 0.0
    if seconds <= 0:
        raise SpecificationError(
            where="--checkpoint-every", expected="a time such as 30s, 5m or 1h", got=repr(given),
            remedy="write a number above 0 and its unit",
        )  # fmt: skip
    return seconds


@dataclass(frozen=True)
class Plan:
    """What a training is made of.

    Attributes
    ----------
    options : Options
        As they were given.
    every : str
        The time between two checkpoints, as it was given.
    command : list of str
    files : list of dict
        Of each data file: option, path, absolute, bytes, sha256.
    versions : dict of str to str
        What the bits of the result depend on.
    """

    options: Options
    every: str
    command: list[str]
    files: list[dict[str, Any]]
    versions: dict[str, str]

    @classmethod
    def of(cls, options: Options, every: str, command: list[str]) -> Plan:
        """Describe a training that is about to begin."""
        return cls(options, every, command, files_of(options), versions())

    def to_data(self) -> dict[str, Any]:
        """Return what training.json keeps."""
        return asdict(self)

    @classmethod
    def read(cls, folder: Path) -> Plan:
        """Read it from the folder of a training.

        Raises
        ------
        StorageError
            If it is missing or damaged.
        """
        document = unfinished.read(folder)
        try:
            options = Options(**document["options"])
            for field in fields(Options):
                _check_kind(field.name, getattr(options, field.name), str(field.type))
            files = [{key: file[key] for key in ("option", "path", "absolute", "bytes", "sha256")}
                     for file in document["files"]]  # fmt: skip
            if not all(
                isinstance(file[key], str) for file in files for key in ("option", "path", "absolute", "sha256")
            ):
                raise TypeError("files without names")
            if any(file["option"].removeprefix("folder ") not in ("data", "test", "validation") for file in files):
                raise ValueError("files of other options")
            seconds_of(document["every"])
            command = [str(word) for word in document["command"]]
            made = {str(name): str(value) for name, value in document["versions"].items()}
            return cls(options, document["every"], command, files, made)
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise StorageError(
                where=str(folder / unfinished.TRAINING), expected="a training as Layerwise writes it",
                got=one_line(problem), remedy=ANEW,
            ) from problem  # fmt: skip

    def with_files(self) -> Options:
        """Return the options with the files found again, after a look at every one.

        Raises
        ------
        DataError
            If a file is gone or another one.
        """
        places: dict[str, str] = {}
        for file in self.files:
            path = next((p for p in (Path(file["absolute"]), Path(file["path"]).expanduser()) if p.exists()), None)
            if path is None:
                raise DataError(
                    where=file["absolute"],
                    expected="the data of this training",
                    got="nothing of that name",
                    remedy=ANEW,
                )
            place = path
            if file["option"].startswith("folder "):
                place = path.parent
            found = _described(file["option"], path, file["path"])
            if found["sha256"] != file["sha256"]:
                raise DataError(
                    where=str(path),
                    expected=f"{file['bytes']} bytes of checksum {file['sha256'][:16]}..., as when training began",
                    got=f"{found['bytes']} of {found['sha256'][:16]}...", remedy=ANEW,
                )  # fmt: skip
            places[file["option"].removeprefix("folder ")] = str(place)
        return replace(self.options, **places)  # type: ignore[arg-type]  # names of options that are paths

    def differences(self) -> list[str]:
        """Return what is not as it was when training began, of what the bits of the result depend on."""
        now = versions()
        return [f"{name} {old}, now {now.get(name)}" for name, old in self.versions.items() if now.get(name) != old]


def _check_kind(name: str, value: Any, kind: str) -> None:
    """Raise a TypeError unless a value is of the kind that the options have."""
    kinds = {"str": str, "int": int, "float": int | float, "bool": bool}
    wanted = kinds.get(kind.split(" ")[0], str)
    given = isinstance(value, wanted) and (kind == "bool" or not isinstance(value, bool))
    if not given and not (value is None and kind.endswith("| None")):
        raise TypeError(f"{name} {str(value)[:40]!r}")


def versions() -> dict[str, str]:
    """Return what the bits of a result depend on, beside options and data."""
    facts = engine_facts()
    return {
        "Layerwise": __version__, "Python": sys.version.split()[0], "NumPy": np.__version__, "engine": facts.engine,
        "code path": str(facts.code_path),
    }  # fmt: skip


def files_of(options: Options) -> list[dict[str, Any]]:
    """Return what tells the data files of a training from others: size and checksum."""
    given = {"test": options.test}
    if options.data not in BUNDLED:
        given["data"] = options.data
    try:
        float(options.validation)
    except ValueError:
        given["validation"] = options.validation
    files = []
    for option, name in given.items():
        path = None if name is None else Path(name).expanduser()
        if path is not None and path.is_dir():
            images = sorted(file for file in path.iterdir() if is_image_file(file.name))
            files += [_described(f"folder {option}", image, str(Path(str(name)) / image.name)) for image in images]
        elif path is not None:
            files.append(_described(option, path, str(name)))
    return files


def _described(option: str, path: Path, given: str) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
    except OSError as problem:
        got = (problem.strerror or str(problem)).lower()
        raise DataError(where=str(path), expected="a file to read", got=got, remedy="check the path") from problem
    return {"option": option, "path": given, "absolute": os.path.abspath(path), "bytes": size, "sha256": digest}


class Announced:
    """A checkpoint that says where training goes on.

    Parameters
    ----------
    checkpoint : Checkpoint
    console : Console or None
        Where to say it.
    """

    def __init__(self, checkpoint: Checkpoint, console: Console | None) -> None:
        self.checkpoint, self.console = checkpoint, console

    def begin(self, state: TrainingState, data: TrainingData) -> bool:
        """See `Checkpoint`."""
        found = self.checkpoint.begin(state, data)
        if self.console is not None:
            line = "no checkpoint yet: training begins from the start"
            if found:
                line = f"going on after {state.steps} updates, in epoch {state.epoch + 1}"
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
        return found

    def due(self) -> bool:
        """See `Checkpoint`."""
        return self.checkpoint.due()

    def write(self, state: TrainingState) -> None:
        """See `Checkpoint`."""
        self.checkpoint.write(state)


def finished(folder: Path) -> Mapping[str, Any]:
    """Return the description of a model that is finished, where there is no training to go on with.

    Raises
    ------
    StorageError
        If the folder holds neither a training nor a finished model.
    """
    if not os.path.isfile(folder / DESCRIPTION):
        raise StorageError(
            where=str(folder), expected="a folder that layerwise train --checkpoint-every has made",
            got="another folder" if os.path.isdir(folder) else "a file" if os.path.exists(folder) else "none",
            remedy="check the path; a training killed before its data were read has to be started anew",
        )  # fmt: skip
    description = load(folder).description
    training = description.get("training")
    if not isinstance(training, dict) or training.get("stopped") == "interrupted":
        raise StorageError(
            where=str(folder), expected="a checkpoint", got="a model without one, of a training that was interrupted",
            remedy="train it anew with --checkpoint-every",
        )  # fmt: skip
    return description


def summary_of(folder: Path, description: Mapping[str, Any]) -> str:
    """Return the JSON that `train --json` prints, of a model that was finished before."""
    training, found = description["training"], description.get("results")
    shown = {key: training.get(key) for key in ("epochs", "seconds")}
    return json.dumps({**(found if isinstance(found, dict) else {}), **shown, "model": str(folder)})


def kept_for_later(folder: Path) -> dict[str, bytes]:
    """Return the files of a training that was interrupted and can go on; none where nothing was kept."""
    return {
        name: (folder / name).read_bytes()
        for name in (unfinished.TRAINING, unfinished.CHECKPOINT)
        if (folder / unfinished.CHECKPOINT).exists()
    }


def how_to_go_on(folder: Path) -> str:
    """Return the command that goes on with a training."""
    return f"layerwise train --resume {shlex.quote(str(folder))}"
