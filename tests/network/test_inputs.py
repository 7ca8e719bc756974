"""Checks of X, y and weights: what is accepted as it is, and the one line that names the row and the column."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import layerwise as lw
from layerwise.errors import InputError, SpecificationError
from layerwise.network import Network, inputs
from layerwise.network.inputs import check_inputs, check_targets, check_weights

NET = Network(3, [4], 2)
LABELS = Network(3, [4], 2, output="sigmoid")
NUMBERS = Network(3, [4], 2, output="identity")


def grid(n=10, dtype="float64"):
    return np.arange(3 * n, dtype=dtype).reshape(n, 3)


def memory_map(folder, array):
    mapped = np.memmap(folder / "X", array.dtype, "w+", shape=array.shape)
    mapped[...] = array
    return mapped


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "uint8", "int64", "bool", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_not_copied(dtype, order):
    X = np.asarray(grid().astype(dtype), order=order)
    assert check_inputs(X, NET) is X


def test_memory_maps_are_not_copied(tmp_path):
    X = memory_map(tmp_path, grid())
    assert np.shares_memory(check_inputs(X, NET), X)


def test_lists():
    assert check_inputs([[1, 2, 3], [4, 5, 6]], NET).tolist() == [[1, 2, 3], [4, 5, 6]]


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    n=st.integers(1, 20), row=st.integers(0, 19), column=st.integers(0, 2), chunk=st.integers(1, 30),
    order=st.sampled_from("CF"), value=st.sampled_from([np.nan, np.inf, -np.inf]),
    dtype=st.sampled_from(["float32", "float64"]),
)  # fmt: skip
def test_the_first_value_that_is_not_finite(n, row, column, chunk, order, value, dtype, refuses):
    row %= n
    X = np.asarray(grid(n, dtype), order=order)
    X[row:, 2] = np.nan  # later ones are not the first
    X[row, :column] = 1
    X[row, column] = value
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "CHUNK", chunk)
        with refuses(InputError, "X:", "finite numbers", f"got {value} in row {row}, column {column};"):
            check_inputs(X, NET)
        X[~np.isfinite(X)] = 0
        check_inputs(X, NET)


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_big_memory_maps_at_the_border_of_a_chunk(shift, tmp_path, refuses):
    step = inputs.CHUNK // 3
    X = memory_map(tmp_path, np.zeros((2 * step + 5, 3), np.float32))
    check_inputs(X, NET)
    for border in (step, 2 * step):
        X[border + shift, 1] = np.inf
        with refuses(InputError, f"got inf in row {border + shift}, column 1;"):
            check_inputs(X, NET)
        X[border + shift, 1] = 0


def test_values_that_are_not_finite_in_targets_and_weights(refuses):
    for y in ([0, np.nan, 1], [[0], [np.nan], [1]]):
        with refuses(InputError, "y:", "finite", "got nan in row 1;"):
            check_targets(y, NET, 3)
    with refuses(InputError, "y:", "got inf in row 2, column 1;"):
        check_targets([[0, 0], [0, 0], [0, np.inf]], NUMBERS, 3)
    with refuses(InputError, "weights:", "got nan in row 0;"):
        check_weights([np.nan, 1], 2, None)


@pytest.mark.parametrize(
    ("X", "pieces"),
    [
        (np.zeros((5, 4)), ("n rows of 3 columns", "got 5x4", "one column a feature")),
        (np.zeros((5, 3, 1)), ("n rows of 3 columns", "5x3x1")),
        (np.zeros(3), ("got 3;", "X[None, :]")),
        (np.zeros(5), ("got 5;", "one column a feature")),
        (1.0, ("a single number",)),
        (np.zeros((0, 3)), ("at least one row", "none")),
        ([], ("n rows of 3 columns", "got 0")),
        ([[1, 2, 3], [4, 5]], ("rows of one length", "rectangular")),
        ([["1", "2", "3"]], ("numbers", "'1'", "layerwise train")),
        (np.array([["a", "b", "c"]], object), ("numbers", "object such as 'a'")),
        (np.zeros((2, 3), complex), ("numbers", "complex128")),
        (np.zeros((2, 3), "datetime64[D]"), ("numbers", "datetime64")),
        (None, ("numbers", "None")),
    ],
)
def test_wrong_inputs(X, pieces, refuses):
    with refuses(InputError, "X:", *pieces):
        check_inputs(X, NET)
    with refuses(InputError, "X:", *pieces):
        NET.predict(NET.initialize(), X)
    with refuses(InputError, "X:", *pieces):
        NET.trace(NET.initialize(), X, [0])


@pytest.mark.parametrize(
    "y", [[0, 1, 1], (0.0, 1.0, 1.0), np.array([[0], [1], [1]]), np.array([0, 1, 1], np.uint8), [False, True, True]]
)
def test_class_codes(y):
    codes = check_targets(y, NET, 3)
    assert codes.dtype == np.int64
    assert codes.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("y", "pieces"),
    [
        ([0, 1, 2], ("class codes 0 to 1", "got 2 in row 2", "number the classes from 0")),
        ([0, -1, 1], ("class codes 0 to 1", "got -1 in row 1")),
        ([0.5, 0, 1], ("class codes 0 to 1", "got 0.5 in row 0")),
        ([0, 1], ("shape (3,) for softmax", "got (2,)", "code of its class")),
        (np.eye(3)[:, :2], ("shape (3,) for softmax", "got (3, 2)")),
        (["cat", "dog", "cat"], ("numbers", "'cat'", "encode words")),
        (1, ("shape (3,)", "got ()")),
    ],
)
def test_wrong_class_codes(y, pieces, refuses):
    with refuses(InputError, "y:", *pieces):
        check_targets(y, NET, 3)


@pytest.mark.parametrize("code", [1e300, -1e300])
def test_class_code_beyond_all_integers(code, refuses):
    with refuses(InputError, "y:", "class codes 0 to 1", "in row 1"):
        check_targets([0, code, 1], NET, 3)


@pytest.mark.parametrize("net", [LABELS, NUMBERS], ids=["labels", "numbers"])
def test_other_targets(net, refuses):
    y = np.array([[0.0, 1.0], [1.0, 0.25], [0.5, 1.0]], np.float32)
    assert check_targets(y, net, 3) is y
    single = Network(3, [4], 1, output=net.output)
    assert check_targets([0, 1, 1], single, 3).tolist() == [[0], [1], [1]]
    assert check_targets([[0], [1], [1]], single, 3).shape == (3, 1)
    for wrong in ([0, 1, 1], np.zeros((3, 3)), np.zeros((2, 2))):
        with refuses(InputError, "y:", f"shape (3, 2) for {net.output.name}", str(np.shape(wrong))):
            check_targets(wrong, net, 3)


@pytest.mark.parametrize("value", [-0.25, 1.5])
def test_labels_outside_0_to_1(value, refuses):
    y = np.array([[0, 1], [1, value], [value, 0]])
    with refuses(InputError, "y:", "values from 0 to 1", f"got {value} in row 1", "0 for no and 1 for yes"):
        check_targets(y, LABELS, 3)
    assert check_targets(y, NUMBERS, 3) is y


def test_counts_below_zero(refuses):
    net = Network(3, [4], 2, output="poisson")
    y = np.array([[0, 1], [3, 2], [5, -2]])
    with refuses(InputError, "y:", "values of at least 0 for poisson", "got -2 in row 2, column 1"):
        check_targets(y, net, 3)
    assert check_targets(abs(y), net, 3).tolist() == [[0, 1], [3, 2], [5, 2]]


@pytest.mark.parametrize("output", ["gaussian", lw.Quantile([0.25, 0.75])])
def test_targets_have_columns_of_their_own(output, refuses):
    net, y = Network(3, [4], 4, output=output), np.zeros((3, 2))
    assert check_targets(y, net, 3) is y
    with refuses(InputError, "y:", f"shape (3, 2) for {net.output.name}", "(3, 4)", "2 targets a row"):
        check_targets(np.zeros((3, 4)), net, 3)
    assert check_targets([1, 2, 3], Network(3, [4], 2, output=output), 3).shape == (3, 1)


def test_several_classes(refuses):
    net, y = Network(3, [4], 5, output=lw.SoftmaxGroups([3, 2])), np.array([[0, 1], [2, 0], [1, 1]])
    assert check_targets(y, net, 3) is y
    with refuses(InputError, "y:", "shape (3, 2) for softmax_groups", "got (3,)", "a code for each group"):
        check_targets([0, 1, 2], net, 3)
    for wrong, pieces in ((2.5, "got 2.5 in row 1"), (3, "got 3.0 in row 1"), (-1, "got -1.0 in row 1")):
        with refuses(InputError, "y, column 0:", "class codes 0 to 2", pieces):
            check_targets(y + np.array([[0, 0], [wrong - 2, 0], [0, 0]]) * 1.0, net, 3)
    with refuses(InputError, "y, column 1:", "class codes 0 to 1", "got 2 in row 0"):
        check_targets(y + [0, 1], net, 3)


def test_weights():
    w, mean = check_weights([1, 2, 6], 3, None)
    assert (w.tolist(), w.dtype, mean) == ([1, 2, 6], np.float64, 3.0)
    assert check_weights([1, 2, 6], 3, 2)[1] == 2.0
    assert check_weights([1, -2, 0], 3, "as given")[1] == 1.0
    assert check_weights([0, 0, 0], 3, "as given")[1] == 1.0
    assert check_weights([True, False, True], 3, None)[1] == pytest.approx(2 / 3)
    assert check_weights(None, 3, None) == (None, 1.0)


@pytest.mark.parametrize(
    ("weights", "mean", "kind", "pieces"),
    [
        ([1, -2, 3], None, InputError, ("weights:", "at least 0", "got -2.0 in row 1", 'weight_mean="as given"')),
        ([1, 2, -3], 2.0, InputError, ("weights:", "at least 0", "got -3.0 in row 2")),
        ([0, 0, 0], None, InputError, ("weights:", "positive mean weight", "got 0.0")),
        ([1, 2, 3], -1.0, SpecificationError, ("weight_mean:", "a number above 0", "got -1.0")),
        (None, 0, SpecificationError, ("weight_mean:", "a number above 0", "got 0")),
        ([1, 2], None, InputError, ("weights:", "shape (3,)", "got (2,)", "one weight a row")),
        ([[1], [2], [3]], None, InputError, ("weights:", "shape (3,)", "got (3, 1)")),
        (["1", "2", "3"], None, InputError, ("weights:", "numbers", "'1'")),
        ([1, 2, 3], "given", SpecificationError, ("weight_mean:", '"as given"', "'given'")),
        (None, "given", SpecificationError, ("weight_mean:", '"as given"', "'given'")),
    ],
)
def test_wrong_weights(weights, mean, kind, pieces, refuses):
    with refuses(kind, *pieces):
        check_weights(weights, 3, mean)
    with refuses(kind, *pieces):
        NET.trace(NET.initialize(), grid(3), [0, 1, 1], weights=weights, weight_mean=mean)


def test_parameters_of_another_network():
    other = Network(3, [5], 2).initialize()
    with pytest.raises(InputError, match="theta"):
        NET.trace(other, grid(3), [0, 1, 1])


def test_masked_arrays(refuses):
    with refuses(InputError, "X:", "no masked values", "got 1 of them", "fill them in"):
        NET.predict(NET.initialize(), np.ma.masked_equal(grid(3), 4))
    assert check_inputs(np.ma.masked_equal(grid(3), -1), NET).tolist() == grid(3).tolist()
