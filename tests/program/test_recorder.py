"""The recorder: shapes checked while recording, equal steps shared, unneeded ones dropped, writes kept in order."""

import numpy as np
import pytest

from layerwise.errors import InputError, SpecificationError
from layerwise.ops import NumpyOps, Purpose, expression
from layerwise.program import Recorder

add = expression(lambda s, x, y: x + y)
double = expression(lambda s, x: 2 * x)


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def matrix(recorder):
    return recorder.buffer("h", ("n", 6), "input")


@pytest.fixture
def codes(recorder):
    return recorder.buffer("y", ("n",), "codes")


def test_every_operation_has_the_shape_that_numpy_gives(recorder, matrix, codes):
    generator = np.random.default_rng(0)
    ops, n = NumpyOps(), 4
    h, y = generator.normal(size=(n, 6)), generator.integers(0, 6, n)
    W, G, table = generator.normal(size=(3, 6)), generator.normal(size=(2, 3, 5)), generator.normal(size=(6, 2))
    recorded = {
        "h": matrix, "y": codes, "W": recorder.buffer("W", (3, 6), "parameter"),
        "G": recorder.buffer("G", (2, 3, 5), "parameter"), "table": recorder.buffer("table", (6, 2), "parameter"),
        "rows": recorder.buffer("rows", ("n",), "rows"), "key": recorder.buffer("key", (2,), "key"),
    }  # fmt: skip
    given = {"h": h, "y": y, "W": W, "G": G, "table": table, "rows": np.arange(n), "key": (1, 2)}
    calls = {
        "matmul": lambda o, v: o.matmul(v["h"], v["W"], transpose_b=True),
        "outer": lambda o, v: o.matmul(v["h"], v["h"], transpose_a=True),
        "map": lambda o, v: o.map(add, v["h"], o.sum_rows(v["h"])),
        "sum_columns": lambda o, v: o.sum_columns(v["h"]),
        "max_columns": lambda o, v: o.max_columns(v["h"]),
        "sum_all": lambda o, v: o.sum_all(v["W"]),
        "pick": lambda o, v: o.pick(v["h"], v["y"]),
        "one_hot": lambda o, v: o.one_hot(v["y"], 6),
        "gather_rows": lambda o, v: o.gather_rows(v["table"], v["y"]),
        "scatter_add_rows": lambda o, v: o.scatter_add_rows(v["h"], v["y"], 6),
        "grouped_matmul": lambda o, v: o.grouped_matmul(v["h"], v["G"]),
        "split_and_join": lambda o, v: o.join_columns(o.map(double, o.split_columns(v["h"], 2)), 2),
        "concatenate": lambda o, v: o.concatenate(v["h"], v["h"]),
        "slice_columns": lambda o, v: o.slice_columns(v["h"], 1, 3),
        "uniform": lambda o, v: o.uniform(v["rows"], 5, Purpose.DROPOUT, 1, v["key"]),
        "row_count": lambda o, v: o.divide(v["h"], o.row_count(v["h"])),
    }
    outputs = {name: call(recorder, recorded) for name, call in calls.items()}
    results = recorder.program("all", outputs).run(ops, given)
    for name, call in calls.items():
        expected = call(ops, given)
        assert np.array_equal(results[name], expected), name
        assert tuple(n if size == "n" else size for size in outputs[name].shape) == expected.shape, name


@pytest.mark.parametrize(
    "wrong",
    [
        lambda o, h, y: o.matmul(h, h),
        lambda o, h, y: o.matmul(h, y),
        lambda o, h, y: o.map(add, h),
        lambda o, h, y: o.map(add, h, o.slice_columns(h, 0, 2)),
        lambda o, h, y: o.sum_rows(y),
        lambda o, h, y: o.slice_columns(h, 2, 9),
        lambda o, h, y: o.split_columns(h, 4),
        lambda o, h, y: o.one_hot(h, 3),
        lambda o, h, y: o.write(y, h),
        lambda o, h, y: o.concatenate(h, o.split_columns(h, 2)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(recorder, matrix, codes, wrong):
    with pytest.raises(SpecificationError, match=r"expected .*, got .*; check the rule.s shapes"):
        wrong(recorder, matrix, codes)


def test_equal_steps_are_recorded_once(recorder, matrix):
    total = recorder.add(recorder.sum_columns(matrix), recorder.sum_columns(matrix))
    program = recorder.program("p", {"total": total})
    assert [step.operation for step in program.steps] == ["sum_columns", "map"]


def test_steps_and_buffers_that_nothing_needs_are_dropped(recorder, matrix, codes):
    recorder.one_hot(codes, 6)
    program = recorder.program("p", {"total": recorder.sum_rows(matrix)})
    assert [step.operation for step in program.steps] == ["sum_rows"]
    assert [buffer.name for buffer in program.buffers] == ["h"]


def test_a_step_after_a_write_reads_what_was_written(recorder):
    W = recorder.buffer("W", (2, 2), "parameter")
    before = recorder.map(double, W)
    recorder.write(W, before)
    after = recorder.map(double, W)
    program = recorder.program("p", {"before": before, "after": after})
    array = np.ones((2, 2))
    results = program.run(NumpyOps(), {"W": array})
    assert (results["before"] == 2).all()
    assert (results["after"] == 4).all()
    assert (array == 2).all()


def test_a_missing_buffer_is_named(recorder, matrix):
    program = recorder.program("p", {"total": recorder.sum_rows(matrix)})
    with pytest.raises(InputError, match="p: expected a value for each buffer, got none for h"):
        program.run(NumpyOps(), {})


def test_two_values_of_one_label_stay_apart(recorder, matrix):
    first, second = recorder.sum_rows(matrix), recorder.sum_columns(matrix)
    recorder.label(first, "s")
    recorder.label(second, "s")
    program = recorder.program("p", {"one": first, "two": second})
    assert len({value for _, value in program.outputs}) == 2


def test_a_name_twice_is_refused(recorder, matrix):
    with pytest.raises(SpecificationError, match="buffer: expected a name for each buffer, got 'h' twice"):
        recorder.buffer("h", (3,), "parameter")


def test_rows_that_are_split_and_joined(recorder, matrix):
    W = recorder.buffer("W", (4, 6), "parameter")
    assert recorder.split_columns(W, 2).shape == (8, 3)
    six = recorder.split_columns(recorder.split_columns(matrix, 2), 3)
    assert six.shape == ("6n", 1)
    assert recorder.join_columns(six, 3).shape == ("2n", 3)
    assert recorder.join_columns(six, 6).shape == ("n", 6)
    with pytest.raises(SpecificationError, match="join_columns"):
        recorder.join_columns(six, 4)


same = expression(lambda s, x: x)
moved_and_kept = expression(lambda s, x, step: (x - step, x))


@pytest.mark.parametrize(
    ("look", "first"),
    [
        (lambda o, W: o.slice_columns(W, 0, 1), [[1.0], [3.0]]),
        (lambda o, W: o.split_columns(W, 2), [[1.0], [2.0], [3.0], [4.0]]),
        (lambda o, W: o.join_columns(W, 2), [[1.0, 2.0, 3.0, 4.0]]),
        (lambda o, W: o.map(same, W), [[1.0, 2.0], [3.0, 4.0]]),
        (lambda o, W: o.slice_columns(o.map(same, W), 1, 2), [[2.0], [4.0]]),
    ],
    ids=["slice", "split", "join", "identity", "slice of identity"],
)
def test_a_value_stays_what_it_was_when_its_buffer_is_written(recorder, look, first):
    W = recorder.buffer("W", (2, 2), "parameter")
    seen = look(recorder, W)
    recorder.write(W, recorder.map(double, W))
    outputs = {"seen": seen, "doubled": recorder.map(double, seen), "again": look(recorder, W)}
    program = recorder.program("p", outputs)
    array = np.array([[1.0, 2.0], [3.0, 4.0]])
    results = program.run(NumpyOps(), {"W": array})
    assert results["seen"].tolist() == first
    assert np.array_equal(results["doubled"], 2 * np.array(first))
    assert np.array_equal(results["again"], 2 * np.array(first))
    assert array.tolist() == [[2.0, 4.0], [6.0, 8.0]]


def test_memory_that_keeps_the_value_of_before(recorder):
    W, kept = recorder.buffer("W", (2,), "parameter"), recorder.buffer("kept", (2,), "memory")
    new, old = recorder.map(moved_and_kept, W, 1.0)
    recorder.write(W, new)
    recorder.write(kept, old)
    given = {"W": np.array([5.0, 6.0]), "kept": np.zeros(2)}
    recorder.program("p", {}).run(NumpyOps(), given)
    assert given["W"].tolist() == [4.0, 5.0]
    assert given["kept"].tolist() == [5.0, 6.0]


def test_only_what_is_overwritten_is_copied(recorder, matrix):
    W = recorder.buffer("W", (2, 2), "parameter")
    part, whole = recorder.slice_columns(matrix, 0, 2), recorder.map(same, W)
    recorder.write(W, recorder.map(double, whole))
    program = recorder.program("p", {"part": part})
    h, array = np.ones((3, 6)), np.ones((2, 2))
    results = program.run(NumpyOps(), {"h": h, "W": array})
    assert np.shares_memory(results["part"], h)
    assert set(program.views.values()) == {"h", "W"}
    assert program.written == {"W"}


def test_slices_of_vectors(recorder):
    W = recorder.buffer("W", (2, 3), "parameter", "theta", 1)
    b = recorder.buffer("b", (2,), "parameter", "theta", 7)
    rate = recorder.buffer("rate", (), "scalar")
    recorder.write(b, recorder.multiply(b, rate))
    program = recorder.program("p", {"sum": recorder.sum_rows(W)})
    assert program.vectors == {"theta": 9}
    assert program.vectors_written == {"theta"}
    assert program.scalars == ("rate",)
    assert [(buffer.start, buffer.stop) for buffer in program.buffers] == [(1, 7), (7, 9), (0, 1)]
    theta = np.arange(9.0)
    assert program.buffers[0].view(theta).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert np.shares_memory(program.buffers[0].view(theta), theta)
    assert program.shapes["W"] == (2, 3)
