"""The pages as served: contents, chapters, a port that is taken, Ctrl-C, copies for editing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from layerwise.cli import main
from layerwise.notes import server
from layerwise.notes.contents import FOLDER

pytest.importorskip("marimo")


@pytest.fixture
def served(tmp_path):
    """The address where the command serves, and its process."""
    code = (  # who runs tests in the background has Ctrl-C ignored in all children
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "sys.argv = ['layerwise', 'notes', '--no-browser']; from layerwise.cli import run; run()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    line = process.stdout.readline()
    assert "http://127.0.0.1:" in line, process.stderr.read()
    yield line.split()[4], process
    if process.poll() is None:
        process.kill()
    process.communicate()


def fetched(address):
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.status, answer.read().decode()


def test_pages_and_ctrl_c(served, tmp_path):
    address, process = served
    status, contents = fetched(address)
    assert status == 200
    assert 'href="neuron/"' in contents
    status, page = fetched(f"{address}neuron/")
    assert status == 200
    assert "<title>" in page
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetched(f"{address}nowhere/")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert "Traceback" not in out + err
    assert process.returncode in (0, 130)
    assert os.listdir(tmp_path) == []  # nothing left behind


def test_a_port_that_is_taken(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["notes", "--no-browser", "--port", str(taken.getsockname()[1])]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected a free port" in line


def test_editing_is_of_copies(tmp_path, monkeypatch):
    started = []

    def run(command, **options):
        started.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(server.subprocess, "run", run)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "ch04_neuron.py").write_text("changed")
    assert server.edit(folder) == 3
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in FOLDER.glob("ch*.py"))
    assert (folder / "ch04_neuron.py").read_text() == "changed"
    assert started[0][2:5] == ["marimo", "edit", str(folder)]


def test_without_marimo(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "marimo", None)
    assert main(["notes", "--no-browser"]) == 2
    assert "pip install 'layerwise[notes]'" in capsys.readouterr().err
