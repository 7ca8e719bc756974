"""What the tests of cli/ share: every test has an empty folder of its own as the current one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from layerwise.cli import main
from layerwise.cli.experiment import Options
from layerwise.storage import Checkpoint

Run = Callable[..., "Answer"]


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def workplace(monkeypatch, tmp_path) -> Path:
    """The current folder; no terminal, no settings of the user."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _brief_reports(monkeypatch, request) -> None:
    """A report takes two seconds; whoever tests reports asks for a real one by the fixture whole_reports."""
    if "whole_reports" not in request.fixturenames:
        monkeypatch.setattr("layerwise.reports.model_report.model_report", lambda trained: f"<p>{trained.title}</p>")


@pytest.fixture
def whole_reports() -> None:
    """Reports as users get them."""


@pytest.fixture
def run(capsys) -> Run:
    """Run a command in this process."""

    def command(*arguments: object) -> Answer:
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return command


@pytest.fixture
def tree(workplace) -> Callable[[], dict[str, bytes | None]]:
    """Everything in the current folder, hidden names included: path to content, None for folders."""

    def everything() -> dict[str, bytes | None]:
        return {
            str(path.relative_to(workplace)): path.read_bytes() if path.is_file() else None
            for path in sorted(workplace.rglob("*"))
        }

    return everything


@pytest.fixture
def refused(run, tree) -> Callable[..., None]:
    """Run a command that must answer with one line on standard error, exit with 2, and leave the folder as it was."""

    def command(arguments: list[object], *pieces: str) -> None:
        before = tree()
        answer = run(*arguments)
        assert answer.code == 2
        assert answer.out == ""
        assert answer.err.startswith("layerwise: ")
        assert answer.err.count("\n") == 1
        assert answer.err.endswith("\n")
        for piece in pieces:
            assert piece in answer.err
        assert tree() == before

    return command


@pytest.fixture
def without_pictures(monkeypatch) -> None:
    """As if matplotlib were not installed: what is not about pictures runs faster without."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)


@pytest.fixture(scope="session")
def options() -> Callable[..., Options]:
    """The options of `layerwise train`, each at its default unless given."""
    import inspect

    from layerwise.cli.train import train

    defaults = {name: parameter.default for name, parameter in inspect.signature(train).parameters.items()}

    def make(data: str, **changes: Any) -> Options:
        names = {field.name for field in fields(Options)} - {"data"}
        assert set(changes) <= names
        return Options(data, **({name: defaults[name] for name in names} | changes))

    return make


def rows(n: int) -> list[str]:
    """Lines of a table: two numbers, a word, and a class that the first number decides."""
    return [f"{k},{k * 7 % 5}.5,{'red' if k % 3 else 'blue'},{'yes' if k < n / 2 else 'no'}" for k in range(n)]


@pytest.fixture
def table(workplace) -> Callable[..., Path]:
    """Write a table of the columns a, b, colour and y into the current folder."""

    def write(name: str = "t.csv", lines: list[str] | None = None, header: str = "a,b,colour,y") -> Path:
        path = workplace / name
        path.write_text("\n".join([header, *(rows(40) if lines is None else lines)]) + "\n", encoding="utf-8")
        return Path(name)

    return write


# --- trainings that are cut and go on ---------------------------------------------------------------------------------


class Power(Exception):
    """The power went."""


@pytest.fixture
def always_due(monkeypatch) -> None:
    """As if each batch took so long that a checkpoint is due after it."""
    monkeypatch.setattr("layerwise.engines.interface.POLL_SECONDS", 0.0)
    monkeypatch.setattr(Checkpoint, "due", lambda self: True)
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # no power goes here; there is a test that it is asked for


@pytest.fixture
def cut(run, monkeypatch) -> Callable[..., None]:
    """Run a command until some checkpoint has been written; then the power goes."""

    def command(*arguments: object, after: int = 15) -> None:
        usual, written = Checkpoint.write, []

        def write(self, state):
            usual(self, state)
            written.append(state.steps)
            if len(written) == after:
                raise Power

        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "write", write)
            with pytest.raises(Power):
                run(*arguments)

    return command


CUT = ["train", "iris", "--epochs", "6", "--hidden", "5", "--quiet"]
#: What that training leaves; made once.
LEFT: dict[str, bytes] = {}


@pytest.fixture
def left(cut, workplace) -> None:
    """The folder m of the training of CUT, cut after 15 updates."""
    if not LEFT:
        cut(*CUT, "--checkpoint-every", "1s", "--out", "m")
        LEFT.update({path.name: path.read_bytes() for path in (workplace / "m").iterdir()})
    (workplace / "m").mkdir(exist_ok=True)
    for name, content in LEFT.items():
        (workplace / "m" / name).write_bytes(content)
