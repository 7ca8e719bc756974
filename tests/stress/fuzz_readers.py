"""The readers that are written in Python, guided by what of them has been run: ``fuzz_readers.py [RUNS] [SEED]``.

atheris, which is libFuzzer, changes bytes and keeps those that come to new lines of Layerwise. Whatever a reader raises
that is no error of Layerwise on one line ends it with exit code 1, and the bytes are kept; so does a run of more than
20 s by the clock or more than 1 GiB of memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cases import CLOCK, FAILURES, MEMORY, PLACE, bad_message

FIXTURES = Path(__file__).parents[1] / "storage" / "fixtures"
#: Begun anew for each reader, and ended by libFuzzer itself.
READERS = ("text", "idx", "specification", "tensors", "checkpoint")


def guarded(reader: Callable[[bytes], Any]) -> Callable[[bytes], None]:
    """A reader that may raise errors of Layerwise and nothing else."""
    from layerwise.errors import LayerwiseError

    def read(content: bytes) -> None:
        try:
            reader(content)
        except LayerwiseError as problem:
            if wrong := bad_message(problem):
                raise AssertionError(f"{wrong}: {problem!r}") from problem

    return read


def reader_of(name: str, place: Path) -> tuple[Callable[[bytes], Any], list[bytes]]:
    """Return a reader of bytes, and some that it reads."""
    import numpy as np

    file = place / "file"
    if name == "text":
        from layerwise.data.columns import from_text
        from layerwise.data.text import cells_of_text

        def text(content: bytes) -> None:
            cells, _ = cells_of_text(content, "t.csv")
            for column in cells:
                from_text(column, "t.csv")

        return text, [b"a,b\n1,x\n", b'a;b\n"1,5";2024-01-01\n\n;true\n', b'"a ""b"""\tc\r\nNA\t1e5\r\n']
    if name == "idx":
        from layerwise.data.images import read_idx

        def idx(content: bytes) -> None:
            file.write_bytes(content)
            read_idx(file)

        return idx, [b"\0\0\x08\x01\0\0\0\x03abc", b"\0\0\x0d\x02\0\0\0\x01\0\0\0\x02" + bytes(8)]
    if name == "specification":
        from layerwise.storage.reading import parsed
        from layerwise.storage.specification import network_from_data

        models = [json.loads(path.read_bytes())["network"] for path in sorted(FIXTURES.glob("v*/model.json"))]
        return (
            lambda content: network_from_data(parsed(content, "model.json")),
            [json.dumps(model).encode() for model in models if model is not None],
        )
    if name == "tensors":
        from layerwise.storage.tensors import tensor_file

        def tensors(content: bytes) -> None:
            file.write_bytes(content)
            with tensor_file(place, "file", hashlib.sha256(content).hexdigest(), 1 << 20) as found:
                for part in found.entries:
                    found.read(part)

        return tensors, [path.read_bytes() for path in sorted(FIXTURES.glob("v*/*.safetensors"))]
    from layerwise.storage.checkpoint_file import read_file, to_bytes

    def checkpoint(content: bytes) -> None:
        file.write_bytes(content)
        read_file(file, lambda document, shapes: {"theta": ("float32", (None,))})

    return checkpoint, [to_bytes({"epoch": 3}, {"theta": np.ones(2, np.float32)})]


def fuzz(name: str, runs: int, seed: int, place: Path) -> None:
    """Change bytes for one reader; this does not return."""
    import atheris

    with atheris.instrument_imports(include=["layerwise.data", "layerwise.storage", "layerwise.network"]):
        import layerwise.data
        import layerwise.storage.checkpoint_file
        import layerwise.storage.specification
        import layerwise.storage.tensors  # noqa: F401

    reader, seeds = reader_of(name, place)
    corpus = place / "corpus"
    corpus.mkdir()
    for number, content in enumerate(seeds):
        (corpus / str(number)).write_bytes(content)
    kept = FAILURES / f"{name}-{seed}-"
    FAILURES.mkdir(parents=True, exist_ok=True)
    options = [
        f"-runs={runs}", f"-seed={seed % 2**32 or 1}", f"-timeout={CLOCK:.0f}", f"-rss_limit_mb={MEMORY}",
        "-max_len=20000", "-verbosity=0", f"-artifact_prefix={kept}",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], guarded(reader))
    atheris.Fuzz()


def main(arguments: list[str]) -> int:
    """Fuzz every reader; return the exit code."""
    if find_spec("atheris") is None:
        print("fuzz_readers: left out, atheris is not installed (pip install 'layerwise[stress]')")
        return 0
    runs = int(arguments[0]) if arguments else 20_000
    seed = int(arguments[1] if len(arguments) > 1 else os.environ.get("LAYERWISE_STRESS_SEED", time.time()))
    print(f"fuzz_readers: {runs} runs of each of {', '.join(READERS)}, seed {seed}", flush=True)
    failed = []
    for name in READERS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="layerwise-fuzz-", dir=PLACE) as place:
            command = [sys.executable, __file__, "--reader", name, str(runs), str(seed), place]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        print(f"  {name}: exit code {done.returncode}, {time.monotonic() - began:.0f} s", flush=True)
        if done.returncode:
            failed.append(name)
            print(done.stderr[-3000:], file=sys.stderr, flush=True)
    if failed:
        where = f"the bytes are in {FAILURES}"
        print(f"fuzz_readers: FAILED with seed {seed}: {', '.join(failed)}; {where}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--reader"]:
        fuzz(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
    sys.exit(main(sys.argv[1:]))
