"""Save plans of several programs, for the runner without Python: ``python tests/native/save_plans.py FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import layerwise as lw
from layerwise.engines.native.encoding import Encoded, encode

NETWORKS = {
    "small": lw.Network(17, [9], 3, hidden="tanh"),
    "wide": lw.Network(120, [200, 90], 10),
    "normalised": lw.Network(40, [128, 64], 2, hidden="gelu", dropout=0.3, batch_norm=True),
    "numbers": lw.Network(33, [70], 2, hidden="mish", output="identity"),
    "autoencoder": lw.Network(
        40, [lw.Layer(70, "tanh", activity=lw.L1(1e-3))], 40, output="identity", tied=True, input_dropout=0.2,
        input_noise=0.1,
    ),
}  # fmt: skip


def main(folder: Path) -> None:
    """Write two training steps and an evaluation of every network, in both precisions."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, net in NETWORKS.items():
        programs = {
            "train_step": net.program("train_step", update=lw.Adam(), penalty=lw.L2(1e-3), weighted=True),
            "clipped": net.program("train_step", update=lw.SGD(momentum=0.9), clips=True),
            "evaluate": net.program("evaluate"),
        }
        for kind, program in programs.items():
            for dtype in ("float32", "float64"):
                save(encode(program, dtype), folder / f"{name}-{kind}-{dtype}.plan")


def save(encoded: Encoded, path: Path) -> None:
    """Keep a plan as the runner reads it: the number of integers and of constants, then they themselves."""
    sizes = np.array([len(encoded.code), len(encoded.constants)], np.int64)
    path.write_bytes(sizes.tobytes() + encoded.code.tobytes() + encoded.constants.tobytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
