"""Write docs/cli.md: every command as a user gives it, with typos and wrong files too, and what it answered.

``python docs/write_cli.py`` runs them all in an empty folder; what differs from run to run is masked.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parent / "cli.md"
#: Lines of an answer that are shown.
MOST_LINES: Final = 30
SECONDS: Final = 300

#: What the commands find in their folder: people of whom two columns say whether they are old.
PREPARE: Final = """
import gzip, pathlib
import numpy as np
import polars as pl

def people(n, seed):
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 12, n).round(1)
    return pl.DataFrame({
        "id": [f"p{i:04}" for i in range(n)], "age": age, "job": rng.choice(["clerk", "smith", "baker"], n),
        "group": np.where(age + rng.normal(0, 4, n) > 40, "old", "young")})

people(600, 0).drop("id").write_csv("people.csv")
people(5, 1).drop("group").write_csv("new.csv")
people(200, 2).write_csv("more.csv")
people(3, 3).with_columns(age=pl.lit("forty")).write_csv("words.csv")
people(3, 4).drop("job").write_csv("narrow.csv")
pathlib.Path("empty.csv").write_text("")
pathlib.Path("ragged.csv").write_text("age,job,group\\n40,clerk\\n")
pathlib.Path("picture.png").write_bytes(b"\\x89PNG")
pathlib.Path("cut.csv.gz").write_bytes(gzip.compress(b"age,job,group\\n" * 99)[:40])
"""

#: (heading, what it is about, commands)
SECTIONS: Final[list[tuple[str, str, list[str]]]] = [
    (
        "Train",
        "A model is a folder: [what lies in it](model-folder.md). Without `--out` it is a new one under `models/`.",
        [
            "layerwise train people.csv --target group --epochs 30 --quiet --out m",
            "layerwise train people.csv --target group --epochs 30 --quiet --out m",
            "layerwise train digits --epochs 20 --json --quiet --out d",
            "layerwise train peple.csv",
            "layerwise train people.csv --target grup",
            "layerwise train people.csv --hidden 20,x",
            "layerwise train people.csv --rate -1",
            "layerwise train people.csv --activation reluu",
            "layerwise train people.csv --hiden 20",
            "layerwise train empty.csv",
            "layerwise train ragged.csv",
            "layerwise train picture.png",
            "layerwise train cut.csv.gz",
            "layerwise train .",
            "layerwise train",
        ],
    ),
    (
        "Go on after a crash",
        "With checkpoints, a training that was ended by a crash, kill -9 or a loss of power goes on to the bits of one "
        "that was not.",
        [
            "layerwise train people.csv --target group --epochs 30 --quiet --out c --checkpoint-every 30s",
            "layerwise train --resume c",
            "layerwise train --resume nowhere",
            "layerwise train people.csv --checkpoint-every often",
            "layerwise train --resume c --rate 0.1",
        ],
    ),
    (
        "Predict",
        "Tables are read piece by piece, so they may be larger than memory. A file appears when it is complete.",
        [
            "layerwise predict m new.csv",
            "layerwise predict m new.csv --keep id --probabilities",
            "layerwise predict m more.csv --out predicted.parquet --keep id",
            "layerwise predict m more.csv --out predicted.parquet",
            "layerwise predict d digits --quiet | head -3",
            "layerwise predict m words.csv",
            "layerwise predict m narrow.csv",
            "layerwise predict m new.csv --keep idd",
            "layerwise predict m new.csv --out predicted.xls",
            "layerwise predict m digits",
            "layerwise predict people.csv m",
            "layerwise predict nowhere new.csv",
        ],
    ),
    (
        "Evaluate",
        "Metrics come with 95 % intervals by the bootstrap; `--json` has all of it.",
        [
            "layerwise evaluate m more.csv",
            "layerwise evaluate m more.csv --json | head -c 200",
            "layerwise evaluate m new.csv",
        ],
    ),
    (
        "Inspect",
        "What a model is, and every quantity of one row by its name in the course.",
        [
            "layerwise inspect m",
            "layerwise inspect m --trace 0 --data more.csv",
            "layerwise inspect m --trace 1000 --data more.csv",
            "layerwise inspect --engine",
        ],
    ),
    (
        "Diagnose",
        "What may be wrong with a model on data, and what to try. The exit code is 1 where something is a problem.",
        ["layerwise diagnose m more.csv", "layerwise diagnose m new.csv", "layerwise diagnose m"],
    ),
    (
        "Export",
        "To ONNX, checked against onnxruntime on your rows, and to a C header that needs nothing but a compiler.",
        [
            "layerwise export m --onnx m.onnx --check more.csv",
            "layerwise export d --c digits.h",
            "layerwise export m",
            "layerwise export m --onnx m.txt",
        ],
    ),
    (
        "Notes",
        "`layerwise notes` opens the executable notes in the browser.",
        [
            "layerwise notes nueron",
            "layerwise notes neuron --export site",
            "layerwise notes --edit --export site",
        ],
    ),
    (
        "In general",
        "Exit codes: 0 done, 1 a check failed, 2 bad input with one line that says what to do, 130 interrupted. "
        "Results go to standard output, everything else to standard error. `layerwise --install-completion` has the "
        "shell complete names.",
        ["layerwise --version", "layerwise tran people.csv", "layerwise --help"],
    ),
]  # fmt: skip


def answers(folder: Path) -> Iterator[tuple[str, str, list[tuple[str, int, str]]]]:
    """Run every command; yield heading, text and (command, exit code, answer)."""
    environment = os.environ | {"COLUMNS": "100"}
    subprocess.run([sys.executable, "-c", PREPARE], cwd=folder, check=True, env=environment)
    # The command itself, and not what may be installed elsewhere under its name.
    program = folder / ".bin" / "layerwise"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m layerwise "$@"\n')
    program.chmod(0o755)
    environment["PATH"] = f"{program.parent}{os.pathsep}{environment['PATH']}"
    for heading, about, commands in SECTIONS:
        found = []
        for command in commands:
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", command], cwd=folder, env=environment, text=True, timeout=SECONDS,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            found.append((command, done.returncode, masked(done.stdout, folder)))
        yield heading, about, found


def masked(answer: str, folder: Path) -> str:
    """Return an answer without what differs from run to run, and cut if it is long."""
    answer = answer.replace(str(folder), "/somewhere").replace(str(PAGE.parents[1]), "/somewhere/layerwise")
    answer = re.sub(r"\b\d{4}-\d\d-\d\dT[0-9:]+Z", "2026-01-01T00:00:00Z", answer)
    answer = re.sub(r"\b\d+\.\d s; ended", "0.1 s; ended", answer)
    answer = re.sub(r"\bin \d+\.\d+ s\b", "in 0.1 s", answer)
    answer = re.sub(r'"seconds": \d+\.\d+', '"seconds": 0.1', answer)
    lines = [line.rstrip() for line in answer.rstrip("\n").splitlines()]
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], f"... ({len(lines) - MOST_LINES} more lines)"]
    return "\n".join(lines)


def page(folder: Path) -> str:
    """Return docs/cli.md."""
    parts = [
        "# The command line\n\nWhat every command answers, to mistakes too; this page is written by running them "
        "(`python docs/write_cli.py`). After each answer stands the exit code, where it is not 0.\n"
    ]
    for heading, about, found in answers(folder):
        parts.append(f"## {heading}\n\n{about}\n")
        for command, code, answer in found:
            ending = f"\n[exit code {code}]" if code else ""
            parts.append(f"```console\n$ {command}\n{answer}{ending}\n```\n".replace("\n\n```\n", "\n```\n"))
    return "\n".join(parts)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        PAGE.write_text(page(Path(made)), encoding="utf-8")
