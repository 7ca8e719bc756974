"""The command in processes of its own: signals, closed pipes, full disks, odd environments."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import layerwise
from layerwise.storage import load

RUN = "from layerwise.cli import run; run()"
#: A test runner in the background may have Ctrl-C switched off, and children inherit that.
WITH_CTRL_C = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {RUN}"
#: The kernel then refuses to let a file grow past 20 000 bytes.
SMALL_FILES = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); {RUN}"
TRAIN = ("train", "iris", "--epochs", "2", "--hidden", "5")
PATIENCE = 100  # seconds that a process may take on a busy machine


@pytest.fixture
def environment() -> dict[str, str]:
    """That of this process, with the package to be found."""
    places = [str(Path(layerwise.__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(place for place in places if place)}


def start(environment, *arguments: str, program=("-m", "layerwise"), stdout=subprocess.PIPE):
    return subprocess.Popen(
        [sys.executable, *program, *arguments], env=environment, stdout=stdout, stderr=subprocess.PIPE,
        text=True, encoding="utf-8",
    )  # fmt: skip


def finish(process) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def test_bad_input(environment):
    code, out, err = finish(start(environment, *TRAIN, "--rate", "-1"))
    assert (code, out) == (2, "")
    assert err == "layerwise: --rate: expected a number above 0, got -1.0; choose such a value\n"


def test_ctrl_c(environment):
    process = start(
        environment, "train", "digits", "--epochs", "100000", "--patience", "0", "--hidden", "5", "--json",
        program=("-c", WITH_CTRL_C),
    )  # fmt: skip
    for line in process.stderr:
        if line.split()[0] == "2":  # the second epoch has ended
            break
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert code == 0
    assert "Traceback" not in err
    assert 2 <= json.loads(out)["epochs"] < 100_000
    assert load("models/digits").description["training"]["stopped"] == "interrupted"
    assert [path.name for path in Path("models").iterdir()] == ["digits"]


@pytest.mark.parametrize("how", [["--json"], ["--help"]])
def test_whoever_read_the_output_has_gone(environment, how):
    reader, writer = os.pipe()
    os.close(reader)
    code, _, err = finish(start(environment, *TRAIN, "--quiet", *how, stdout=writer))
    os.close(writer)
    assert (code, err) == (1, "")
    if how != ["--help"]:
        assert load("models/iris").network.sizes == (4, 5, 3)


def test_standard_output_is_full(environment):
    with open("/dev/full", "w") as full:
        process = start(environment, *TRAIN, "--quiet", "--json", stdout=full)
        code, _, err = finish(process)
    assert code == 2
    assert err.count("\n") == 1
    assert "to be able to write the output" in err
    assert load("models/iris").network.sizes == (4, 5, 3)


def test_the_disk_is_full(environment):
    arguments = ("train", "iris", "--epochs", "1", "--quiet", "--out", "a/m")
    code, out, err = finish(start(environment, *arguments, program=("-c", SMALL_FILES)))
    assert (code, out) == (2, "")
    assert err.startswith("layerwise: a/m: expected to be able to write there, got file too large; ")
    assert err.count("\n") == 1
    assert list(Path().iterdir()) == []


def test_without_a_home(environment):
    environment = {name: value for name, value in environment.items() if name not in ("HOME", "MPLCONFIGDIR")}
    code, out, err = finish(start(environment | {"HOME": "/proc/nobody"}, *TRAIN, "--json", "--quiet"))
    assert (code, err) == (0, "")
    assert json.loads(out)["epochs"] == 2
    assert Path("models/iris/learning_curve.png").is_file()


def test_a_console_that_has_not_all_letters(environment, table):
    table("größe.csv")
    odd = environment | {"PYTHONIOENCODING": "ascii"}
    code, out, err = finish(start(odd, "train", "größe.csv", "--epochs", "1", "--hidden", "3"))
    assert code == 0
    assert "gr\\xf6\\xdfe: 28 train" in err
    assert out.splitlines()[-1] == "model: 'models/gr\\xf6\\xdfe'"
    assert load("models/größe").description["data"]["name"] == "größe"


def on_a_terminal(environment, *arguments: str) -> str:
    """What a terminal of 90 columns shows."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 90, 0, 0))
    plain = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "layerwise", *arguments]
    process = subprocess.Popen(command, env=plain, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(screen, 65536)
        except OSError:  # how Linux says that the other side has closed
            break
        if not piece:
            break
        shown += piece
    os.close(screen)
    assert process.wait(PATIENCE) == 0
    return shown.decode()


def test_a_terminal(environment):
    shown = on_a_terminal(environment | {"TERM": "xterm"}, *TRAIN)
    assert "epoch 2/2" in shown
    assert "left" in shown
    assert "\x1b[?25l" in shown
    assert shown.rstrip().endswith("model: models/iris")
