"""What the tests of the compiled engine share: its code paths, and programs run on both engines side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import layerwise as lw
from layerwise.engines import Executable
from layerwise.engines.native.engine import NativeExecutable
from layerwise.engines.native.library import CODE_PATHS, code_paths
from layerwise.engines.reference import ReferenceExecutable
from layerwise.program import Program
from layerwise.training.state import TrainingState

Array = npt.NDArray[Any]
Child = Callable[..., str]
FitOn = Callable[..., lw.Model]
#: Numbers before and behind each array given to the engine; odd, so that no array begins where a vector does.
GUARDS = 67


@pytest.fixture(scope="session")
def built() -> None:
    """The engine is there; where it is not, tests are skipped, or fail if it is required."""
    if not code_paths():
        if os.environ.get("LAYERWISE_REQUIRE_NATIVE") not in (None, "", "0"):
            pytest.fail("LAYERWISE_REQUIRE_NATIVE is set, but the engine is not built")
        pytest.skip("the engine is not built")


@pytest.fixture(scope="session", params=CODE_PATHS)
def path(request: pytest.FixtureRequest, built: None) -> str:
    """Every instruction set that this processor has."""
    if request.param not in code_paths():
        pytest.skip(f"this processor has no {request.param}")
    name: str = request.param
    return name


@pytest.fixture(scope="session", params=["float64", "float32"])
def dtype(request: pytest.FixtureRequest) -> np.dtype[Any]:
    return np.dtype(request.param)


@dataclass(frozen=True)
class BothEngines:
    """Programs run on the compiled engine and on the reference, for one code path and dtype."""

    path: str
    dtype: np.dtype[Any]

    @property
    def eps(self) -> float:
        """The distance from 1 to the next number."""
        return float(np.finfo(self.dtype).eps)

    def agree(
        self, program: Program, given: Mapping[str, Any], tolerance: float = 0.0, exact: Collection[str] = ()
    ) -> dict[str, Array]:
        """Assert that both give the same: outputs, buffers that are written, and those that are not.

        Parameters
        ----------
        program : Program
        given : mapping of str to array, number or pair
            A value for each buffer, slices of vectors among them; arrays of float are converted to the dtype.
        tolerance : float
            The largest difference, as a share of an array's largest finite value; 0 means the same numbers.
        exact : collection of str
            Outputs that are the same numbers whatever the tolerance.

        Returns
        -------
        dict of str to array
            What the compiled engine returned and wrote.
        """
        ours, expected = self.native(program, given), self.reference(program, given)
        outputs = {name for name, _ in program.outputs}
        for name, value in expected.items():
            loose = (name in outputs or name in program.written) and name not in exact
            assert_close(ours[name], value, tolerance if loose else 0.0, name)
        return ours

    def native(self, program: Program, given: Mapping[str, Any]) -> dict[str, Array]:
        """Return what the compiled engine leaves in the buffers, and its outputs."""
        return self._called(NativeExecutable(program, self.dtype, self.path), given)

    def reference(self, program: Program, given: Mapping[str, Any]) -> dict[str, Array]:
        """Return what the reference leaves in the buffers, and its outputs."""
        return self._called(ReferenceExecutable(program, self.dtype), given)

    def _called(self, executable: Executable, given: Mapping[str, Any]) -> dict[str, Array]:
        guarded = Guarded(executable.program, given, self.dtype)
        outputs = executable.call(guarded.vectors, guarded.own)
        guarded.check()
        return guarded.arrays | {name: np.asarray(value) for name, value in outputs.items()}


def assert_close(ours: Array, expected: Array, tolerance: float, name: str) -> None:
    """NaN and infinities stand in the same places, and finite numbers are near each other."""
    assert ours.shape == expected.shape, name
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(ours[~finite], expected[~finite], name)
    bound = tolerance * np.abs(expected[finite]).max(initial=0.0)
    assert np.all(np.abs(ours[finite] - expected[finite]) <= bound), (
        f"{name}: {np.abs(ours[finite] - expected[finite]).max() / np.abs(expected[finite]).max()}"
    )


class Guarded:
    """Copies of arrays between guards that nothing may change: each a NaN of its own, which shows too if it is read."""

    def __init__(self, program: Program, given: Mapping[str, Any], dtype: np.dtype[Any]) -> None:
        self._guards: list[tuple[Array, Array]] = []
        self.vectors = {name: self._guarded((size,), dtype) for name, size in program.vectors.items()}
        self.own: dict[str, Any] = {}
        self.arrays: dict[str, Array] = {}
        for buffer in program.buffers:
            value = given[buffer.name]
            if buffer.vector:
                self.arrays[buffer.name] = buffer.view(self.vectors[buffer.vector])
                self.arrays[buffer.name][...] = value
            elif isinstance(value, np.ndarray):
                kind = dtype if value.dtype.kind == "f" else np.dtype(np.int64)
                self.own[buffer.name] = self.arrays[buffer.name] = self._guarded(value.shape, kind)
                self.own[buffer.name][...] = value
            else:
                self.own[buffer.name] = value

    def _guarded(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        size = int(np.prod(shape))
        whole = np.empty(size + 2 * GUARDS, dtype)
        bits = whole.view(f"i{dtype.itemsize}")
        bits[...] = np.arange(len(bits)) + 4096 * (1 + len(self._guards))
        bits |= 0 if dtype.kind == "i" else np.array(np.nan, dtype).view(bits.dtype)
        if dtype.kind == "i":
            bits *= -1  # no class and no row
        self._guards += [(guard, guard.copy()) for guard in (bits[:GUARDS], bits[-GUARDS:])]
        return whole[GUARDS : GUARDS + size].reshape(shape)

    def check(self) -> None:
        """Assert that all guards are as they were."""
        for guard, before in self._guards:
            assert np.array_equal(guard, before), "memory beyond an array was written"


@pytest.fixture(scope="session")
def engines(path: str, dtype: np.dtype[Any]) -> BothEngines:
    """Both engines, for each code path and dtype."""
    return BothEngines(path, dtype)


@pytest.fixture(scope="session")
def all_engines(built: None) -> list[BothEngines]:
    """Both engines, on every code path that this processor has, for both dtypes."""
    return [BothEngines(path, np.dtype(dtype)) for path in code_paths() for dtype in ("float64", "float32")]


# --- training on either engine ----------------------------------------------------------------------------------------


@pytest.fixture
def fit_on(built, monkeypatch) -> FitOn:
    """(engine, arguments of fit) -> the model that this engine trains, on so many threads if asked for."""

    def fit(engine: str, *arguments, threads: int | None = None, **settings) -> lw.Model:
        with monkeypatch.context() as environment:
            environment.setenv("LAYERWISE_ENGINE", engine)
            if threads is not None:
                environment.setenv("LAYERWISE_THREADS", str(threads))
            return lw.fit(*arguments, **settings)

    return fit


@pytest.fixture(scope="session")
def arrays_of() -> Callable[[TrainingState], dict[str, np.ndarray]]:
    """Everything that training has made, by name: parameters, statistics, memory, and the figures of the history."""

    def arrays(state: TrainingState) -> dict[str, np.ndarray]:
        vectors = {"": state.parameters.vector} | {f"{name} of ": memory for name, memory in state.update_state.items()}
        found = {f"{of}{s.name}^({s.k})": s.view(v) for of, v in vectors.items() for s in state.network.segments}
        found |= {f"{s.name}^({s.k})": s.view(state.statistics) for s in state.network.statistic_segments}
        names = ("rate", "train_loss", "train_metric", "penalty", "objective", "gradient_norm", "validation_loss")
        return found | {name: np.asarray(state.history[name], float) for name in names}

    return arrays


@pytest.fixture(scope="session")
def same_bits(arrays_of) -> Callable[[lw.Model, lw.Model], bool]:
    """Whether two models are the same to the last bit, memory and history included."""

    def same(one: lw.Model, other: lw.Model) -> bool:
        ones, others = arrays_of(one.state), arrays_of(other.state)
        return ones.keys() == others.keys() and all(ones[name].tobytes() == others[name].tobytes() for name in ones)

    return same


@pytest.fixture(scope="session")
def difference() -> Callable[[np.ndarray, np.ndarray], float]:
    """max|difference| / max|value| of an array and what it should be: zeros have to be zeros, and NaN to be NaN."""

    def measure(found: np.ndarray, expected: np.ndarray) -> float:
        assert found.shape == expected.shape
        unknown = np.isnan(expected)
        assert (np.isnan(found) == unknown).all()
        found, expected = np.where(unknown, 0, found).astype(float), np.where(unknown, 0, expected).astype(float)
        largest = np.abs(expected).max(initial=0.0)
        apart = np.abs(found - expected).max(initial=0.0)
        return float(apart / largest) if largest else (np.inf if apart else 0.0)

    return measure


@pytest.fixture
def child(built, tmp_path) -> Child:
    """(script, seconds, environment) -> what a Python of its own wrote; it must end well within the time."""

    def run(script: str, seconds: float = 60, **environment: str | None) -> str:
        file = tmp_path / "script.py"
        file.write_text(script, encoding="utf-8")
        changed = {"LAYERWISE_ENGINE": "native", "LAYERWISE_THREADS": None, "OMP_NUM_THREADS": None, **environment}
        given = {name: value for name, value in {**os.environ, **changed}.items() if value is not None}
        command = [sys.executable, "-W", "error", str(file)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=given, start_new_session=True, **pipes) as process:
            try:
                out, err = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # its children too, which hold the pipes
                out, err = process.communicate()
                pytest.fail(f"no end within {seconds} s: {out!r} {err!r}")
        assert process.returncode == 0, out + err
        return out

    return run
