"""What interface.py promises, on whatever engine the tests run with."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
import pytest

import layerwise as lw
from layerwise.engines import EpochTotals, ReferenceEngine, Source, engine, one_thread
from layerwise.errors import InputError, SpecificationError
from layerwise.network.programs import Setting, executable, vectors_of
from layerwise.ops import expression
from layerwise.program import Recorder

NET = lw.Network(4, [6], 3, hidden="tanh", dropout=0.3)
PLAIN = lw.Network(4, [6], 3, hidden="tanh")
ROWS = 23
GENERATOR = np.random.default_rng(0)
X, Y = GENERATOR.normal(size=(ROWS, 4)), GENERATOR.integers(0, 3, ROWS)
BOUNDS = np.array([[0, 10], [10, 20], [20, 23]])
ORDER = np.arange(ROWS)[::-1].copy()


def never(batches: int) -> bool:
    return False


def training(net=NET, dtype="float64", weighted=False):
    return executable(net, Setting("train_step", update=lw.SGD(0.1), weighted=weighted), dtype)


def scalars(program, rate=0.1):
    return [rate if name == "rate" else math.ceil(0.3 * 2**24) / 2**24 for name in program.scalars]


def run(net=NET, dtype="float64", source=None, order=ORDER, bounds=BOUNDS, table=None, key=(5, 0), poll=never):
    loaded = training(net, dtype, source is not None and source.weights is not None)
    theta = net.initialize(1, dtype)
    table = np.array([scalars(loaded.program)]) if table is None else table
    totals = loaded.run(vectors_of(theta), source or Source(X, Y), order, bounds, table, key, poll)
    return totals, theta


@pytest.fixture
def after_every_batch(monkeypatch):
    monkeypatch.setattr("layerwise.engines.interface.POLL_SECONDS", 0.0)


# --- run --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_run_is_one_call_after_the_other(dtype):
    totals, theta = run(dtype=dtype)
    loaded, twin = training(dtype=dtype), NET.initialize(1, dtype)
    seen = []
    for i, (start, end) in enumerate(BOUNDS):
        rows = ORDER[start:end]
        given = {"h^(0)": X[rows].astype(dtype), "y": Y[rows], "rows": rows, "key": (5, i)}
        given |= dict(zip(loaded.program.scalars, scalars(loaded.program), strict=True))
        seen.append({name: float(value[0]) for name, value in loaded.call(vectors_of(twin), given).items()})
    assert theta.vector.tobytes() == twin.vector.tobytes()
    assert (totals.batches, totals.rows, totals.finite, totals.stopped) == (3, ROWS, True, False)
    assert list(totals.means) == ["objective", "loss", "score", "gradient_norm"]
    for name, mean in totals.means.items():
        expected = sum(values[name] * n for values, n in zip(seen, (10, 10, 3), strict=True)) / ROWS
        assert mean == pytest.approx(expected, rel=1e-14)


def test_one_row_of_scalars_holds_for_all():
    row = scalars(training().program)
    whole = run(table=np.array([row] * 3))[1]
    assert run()[1].vector.tobytes() == whole.vector.tobytes()
    changing = run(table=np.array([row, scalars(training().program, 0.2), row]))[1]
    assert changing.vector.tobytes() != whole.vector.tobytes()


def test_pairs_do_for_bounds():
    assert run(bounds=[(0, 10), (10, 20), (20, 23)])[1].vector.tobytes() == run()[1].vector.tobytes()


def test_the_key_counts_on():
    first = run(bounds=BOUNDS[:2])[1]
    loaded = training()
    table = np.array([scalars(loaded.program)])
    rest = loaded.run(vectors_of(first), Source(X, Y), ORDER, BOUNDS[2:], table, (5, 2), never)
    assert (rest.batches, rest.rows) == (1, 3)
    assert first.vector.tobytes() == run()[1].vector.tobytes()
    assert run(key=(5, 1))[1].vector.tobytes() != first.vector.tobytes()
    assert run(key=(2**64 - 1, 2**32 - 3))[0].finite


@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_go_on_bit_for_bit(cut, dtype):
    """Not so for means of means: an epoch that was cut has to be recorded as if it had not been."""
    whole = run(dtype=dtype)[0].sums
    first, theta = run(dtype=dtype, bounds=BOUNDS[:cut])
    loaded = training(dtype=dtype)
    table = np.array([scalars(loaded.program)])
    source, given = Source(X, Y), dict(first.sums)
    rest = loaded.run(vectors_of(theta), source, ORDER, BOUNDS[cut:], table, (5, cut), never, given)
    assert rest.sums == whole
    assert given == first.sums
    assert set(whole) == {"objective", "loss", "score", "gradient_norm"}


def test_places_name_the_rows_for_masks():
    places = np.arange(ROWS) + 100
    moved = run(source=Source(X, Y, None, places))[1].vector
    assert moved.tobytes() != run()[1].vector.tobytes()
    assert run(source=Source(X, Y, None, np.arange(ROWS)))[1].vector.tobytes() == run()[1].vector.tobytes()
    shifted = Source(np.vstack([np.zeros((100, 4)), X]), np.concatenate([np.zeros(100, np.int64), Y]))
    assert run(source=shifted, order=ORDER + 100)[1].vector.tobytes() == moved.tobytes()


@pytest.mark.parametrize("convert", [
    lambda x: x, lambda x: x.astype("float32"), np.asfortranarray, lambda x: x[:, ::-1].copy()[:, ::-1],
    lambda x: np.repeat(x, 2, axis=0)[::2],
], ids=["float64", "float32", "fortran", "backwards", "every other"])  # fmt: skip
def test_sources_in_any_layout(convert):
    exact = X.astype("float32").astype("float64")
    found = run(dtype="float32", source=Source(convert(exact), Y))[1]
    assert found.vector.tobytes() == run(dtype="float32", source=Source(exact, Y))[1].vector.tobytes()


def test_weights_of_a_source():
    weights = np.linspace(0.5, 1.5, ROWS)
    totals, theta = run(PLAIN, source=Source(X, Y, weights))
    trace = PLAIN.trace(PLAIN.initialize(1), X[ORDER[:10]], Y[ORDER[:10]], weights=weights[ORDER[:10]], weight_mean=1.0)
    first = run(PLAIN, source=Source(X, Y, weights), bounds=BOUNDS[:1])[0]
    assert first.means["loss"] == pytest.approx(trace.loss, rel=1e-12)
    assert totals.finite
    assert theta.vector.tobytes() != run(PLAIN)[1].vector.tobytes()


def test_nothing_to_do():
    totals, theta = run(bounds=BOUNDS[:0])
    assert totals == EpochTotals()
    assert theta.vector.tobytes() == NET.initialize(1).vector.tobytes()


def test_a_program_that_changes_nothing():
    loaded = executable(NET, Setting("evaluate"), "float64")
    theta = NET.initialize(1)
    theta.vector.flags.writeable = False  # which is enough, as it is only read
    totals = loaded.run(vectors_of(theta), Source(X, Y), ORDER, BOUNDS, np.empty((1, 0)), (0, 0), never)
    trace = NET.trace(theta, X, Y)
    assert totals.means["loss_sum"] == pytest.approx(trace.loss, rel=1e-12)
    assert totals.means["score_sum"] == pytest.approx((trace.f.argmax(axis=1) == Y).mean(), rel=1e-12)


# --- ends and questions -----------------------------------------------------------------------------------------------


def test_asked_after_every_batch(after_every_batch):
    asked = []
    assert not run(poll=lambda batches: bool(asked.append(batches)))[0].stopped
    assert asked == [1, 2, 3]


def test_asked_once_at_the_end_of_a_short_run():
    asked = []
    run(poll=lambda batches: bool(asked.append(batches)))
    assert asked[-1] == 3
    assert asked == sorted(set(asked))


def test_asked_by_time():
    asked = []
    bounds = np.tile([[0, 23]], (10**6, 1))
    began = time.monotonic()
    totals, _ = run(bounds=bounds, poll=lambda batches: asked.append(batches) or len(asked) == 5)
    assert (totals.stopped, totals.batches, totals.rows) == (True, asked[-1], 23 * asked[-1])
    assert asked == sorted(set(asked))
    assert asked[-1] < 10**6
    assert time.monotonic() - began > 0.05


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_stopping(batches, after_every_batch):
    totals, theta = run(poll=lambda done: done == batches)
    assert (totals.batches, totals.stopped) == (batches, True)
    assert theta.vector.tobytes() == run(bounds=BOUNDS[:batches])[1].vector.tobytes()


def test_what_a_question_raises_is_the_callers(after_every_batch):
    def broken(batches):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run(poll=broken)
    assert run()[0].batches == 3


@pytest.mark.parametrize("value", [np.inf, np.nan, 1e300])
def test_a_loss_that_is_not_finite_ends_the_run(value):
    spoilt = X.copy()
    spoilt[ORDER[12]] = value
    asked = []
    net = lw.Network(4, [], 1, output="identity")
    totals, _ = run(net, source=Source(spoilt, X[:, :1]), poll=lambda batches: bool(asked.append(batches)))
    assert (totals.batches, totals.rows, totals.finite, totals.stopped) == (2, 20, False, False)
    assert asked[-1] == 2
    assert not math.isfinite(totals.means["loss"])


def test_two_threads_with_one_executable():
    loaded = training()
    table = np.array([scalars(loaded.program)])
    bounds = np.tile(BOUNDS, (50, 1))
    thetas = [NET.initialize(1) for _ in range(4)]
    threads = [
        threading.Thread(target=loaded.run, args=(vectors_of(t), Source(X, Y), ORDER, bounds, table, (5, 0), never))
        for t in thetas
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {t.vector.tobytes() for t in thetas} == {run(bounds=bounds)[1].vector.tobytes()}


# --- what is refused, before anything is changed ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": Source(X[:, :3], Y)}, r"train_step: h\^\(0\): expected 23x4 numbers, got \(23, 3\)"),
        ({"source": Source(X, X)}, "train_step: y: expected 23 whole numbers"),
        ({"source": Source(X, Y[:5])}, r"train_step: y: expected 23 whole numbers, got \(5,\)"),
        ({"source": Source(X, Y, None, np.arange(5))}, "train_step: rows: expected 23 whole numbers"),
        ({"order": ORDER + 1}, "train_step: order: expected int64 positions of 23 rows"),
        ({"order": ORDER - 1}, "train_step: order"),
        ({"order": ORDER.astype(float)}, "train_step: order"),
        ({"bounds": [(0, 24)]}, "train_step: bounds: expected batches within 0 to 23"),
        ({"bounds": [(3, 3)]}, "train_step: bounds"),
        ({"bounds": [(-1, 3)]}, "train_step: bounds"),
        ({"table": np.zeros((2, 2))}, r"train_step: table: expected \(3, 2\) float64, got \(2, 2\)"),
        ({"table": np.zeros((3, 1))}, "train_step: table"),
        ({"table": np.zeros((3, 2), np.float32)}, "train_step: table"),
        ({"key": (-1, 0)}, r"key: expected \(seed, step\)"),
        ({"key": (0, 2**32 - 2)}, "key"),
        ({"key": 5}, "key"),
    ],
)
def test_wrong_runs(change, message):
    loaded, theta = training(), NET.initialize(1)
    given = {"source": Source(X, Y), "order": ORDER, "bounds": BOUNDS, "table": np.array([scalars(loaded.program)])}
    given |= {"key": (0, 0)} | change
    with pytest.raises(InputError, match=message):
        loaded.run(vectors_of(theta), poll=never, **given)
    assert theta.vector.tobytes() == NET.initialize(1).vector.tobytes()


def test_weights_that_the_program_does_not_count():
    loaded, table = training(), np.array([scalars(training().program)])
    with pytest.raises(InputError, match="train_step: weights: expected none, got some"):
        loaded.run(vectors_of(NET.initialize()), Source(X, Y, np.ones(ROWS)), ORDER, BOUNDS, table, (0, 0), never)
    with pytest.raises(InputError, match="train_step: w: expected "):
        training(weighted=True).run(vectors_of(NET.initialize()), Source(X, Y), ORDER, BOUNDS, table, (0, 0), never)


@pytest.mark.parametrize(
    ("vector", "got"),
    [
        (None, "none"),
        (np.zeros(NET.n_parameters - 1), r"\(50,\) float64"),
        (np.zeros(NET.n_parameters, np.float32), "float32"),
        (np.zeros(2 * NET.n_parameters)[::2], "not in one piece"),
        (np.zeros((1, NET.n_parameters)), r"\(1, 51\)"),
        (np.broadcast_to(np.zeros(NET.n_parameters), NET.n_parameters), "a read-only one"),
    ],
)
def test_wrong_vectors(vector, got):
    vectors = {} if vector is None else {"theta": vector}
    with pytest.raises(InputError, match=f"train_step: theta: expected .*{got}"):
        training().run(vectors, Source(X, Y), ORDER, BOUNDS, np.zeros((1, 2)), (0, 0), never)


def test_a_program_with_other_outputs_runs_on_no_batches():
    loaded = executable(NET, Setting("predict"), "float64")
    with pytest.raises(SpecificationError, match=r"predict: f: expected a mean over rows, of shape \(1,\)"):
        loaded.run(vectors_of(NET.initialize()), Source(X, Y), ORDER, BOUNDS, np.empty((1, 0)), (0, 0), never)


# --- call -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"h^(0)": None}, r"h\^\(0\): expected a value, got none"),
        ({"h^(0)": X[:, :3].copy()}, r"h\^\(0\): expected \(n, 4\) float64.*got \(23, 3\) float64"),
        ({"h^(0)": X.astype(np.float32)}, r"h\^\(0\): expected \(n, 4\) float64, got \(23, 4\) float32"),
        ({"h^(0)": np.asfortranarray(X)}, r"h\^\(0\): expected an aligned array in C order"),
        ({"h^(0)": X.tolist()}, r"h\^\(0\): expected \(n, 4\) float64, got <class 'list'>"),
        ({"h^(0)": X[:0]}, r"h\^\(0\): expected"),
        ({"y": Y[:4].copy()}, r"y: expected \(n\) int64, n = 23, got \(4,\) int64"),
        ({"y": Y.astype(np.int32)}, "y: expected"),
        ({"rows": np.arange(ROWS, dtype=float)}, "rows: expected"),
        ({"rate": "fast"}, "rate: expected a number, got 'fast'"),
        ({"key": (1,)}, "key: expected"),
    ],
)
def test_wrong_calls_name_the_buffer(change, message):
    loaded, theta = training(), NET.initialize(1)
    given = {"h^(0)": X, "y": Y, "rows": np.arange(ROWS), "key": (0, 0)}
    given |= dict(zip(loaded.program.scalars, scalars(loaded.program), strict=True)) | change
    given = {name: value for name, value in given.items() if value is not None}
    with pytest.raises(InputError, match=message):
        loaded.call(vectors_of(theta), given)
    assert theta.vector.tobytes() == NET.initialize(1).vector.tobytes()


def test_results_are_arrays_of_their_own():
    recorder = Recorder()
    W = recorder.buffer("W", (2, 2), "parameter", "theta", 0)
    h = recorder.buffer("h", ("n", 2), "input")
    recorder.write(W, recorder.map(expression(lambda s, x: 2 * x), W))
    outputs = {"W": W, "first": recorder.slice_columns(h, 0, 1), "a": recorder.matmul(h, W)}
    loaded = engine().load(recorder.program("p", outputs), "float64")
    theta, rows = np.arange(4.0), np.ones((3, 2))
    results = loaded.call({"theta": theta}, {"h": rows})
    assert results["W"].tolist() == [[0, 2], [4, 6]]
    assert results["first"].tolist() == [[1]] * 3
    assert results["a"].tolist() == [[4, 8]] * 3
    assert theta.tolist() == [0, 2, 4, 6]
    for array in results.values():
        assert not np.shares_memory(array, theta)
        assert not np.shares_memory(array, rows)


def test_rows_in_multiples():
    recorder = Recorder()
    h, twice = recorder.buffer("h", ("n", 2), "input"), recorder.buffer("twice", ("2n", 1), "input")
    total = recorder.add(recorder.split_columns(h, 2), twice)
    loaded = engine().load(recorder.program("p", {"total": total}), "float64")
    rows = np.arange(6.0).reshape(3, 2)
    assert loaded.call({}, {"h": rows, "twice": np.ones((6, 1))})["total"].ravel().tolist() == [1, 2, 3, 4, 5, 6]
    with pytest.raises(InputError, match=r"p: twice: expected \(2n, 1\) float64, n = 3, got \(5, 1\)"):
        loaded.call({}, {"h": rows, "twice": np.ones((5, 1))})


@pytest.mark.parametrize("dtype", ["float16", "int64"])
def test_other_types_are_refused(dtype):
    with pytest.raises(SpecificationError, match=f"dtype: expected float32 or float64, got {dtype}"):
        engine().load(NET.program("predict"), dtype)


# --- choosing ---------------------------------------------------------------------------------------------------------


def test_the_engine_is_chosen_at_each_load(monkeypatch):
    monkeypatch.setenv("LAYERWISE_ENGINE", "reference")
    assert engine() is engine()
    assert isinstance(engine(), ReferenceEngine)
    net = lw.Network(2, [3], 2)
    loaded = executable(net, Setting("predict"), "float32")
    assert executable(net, Setting("predict"), np.float32) is loaded
    assert executable(net, Setting("predict"), "float64") is not loaded
    monkeypatch.setenv("LAYERWISE_ENGINE", "nativ")
    with pytest.raises(SpecificationError, match="LAYERWISE_ENGINE: expected native or reference, got 'nativ'"):
        executable(net, Setting("predict"), "float32")


def test_one_thread_until_the_last_is_done():
    from threadpoolctl import threadpool_limits

    def threads():
        return {library["num_threads"] for library in one_thread().libraries.info() if library["user_api"] == "blas"}

    with threadpool_limits(2, "blas"):
        before = threads()
        with one_thread():
            with one_thread():
                assert threads() == {1}
            assert threads() == {1}
        assert threads() == before
