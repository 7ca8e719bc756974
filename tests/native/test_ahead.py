"""With batches of one row, W is multiplied with the next row while it is updated: the bits must not show it."""

import numpy as np
import pytest

import layerwise as lw
from layerwise.engines import Source
from layerwise.engines.native.engine import NativeExecutable
from layerwise.errors import LayerwiseError
from layerwise.network.programs import Setting, record, vectors_of
from layerwise.training.scalars import scalar_table
from layerwise.training.state import start

#: Columns from which on an engine looks ahead (kLongRow in core/formulas.hpp), and around vectors.
INPUTS = (255, 256, 257, 271, 300, 784)
UPDATES = {"SGD": lw.SGD(0.01), "momentum": lw.SGD(0.01, momentum=0.9), "Adam": lw.Adam(), "AdamW": lw.AdamW()}
#: Rows of the batches: of one row, and others between them.
SIZES = (1, 1, 1, 3, 1, 1, 9, 1, 1, 1)


def trained(engines, net, update, pieces, dtype=None, X=None, order=None, clip_norm=None):
    """The vectors and sums after the batches, run in pieces of so many."""
    dtype = engines.dtype if dtype is None else dtype
    program = record(net, Setting("train_step", update, lw.L2(1e-3), clips=clip_norm is not None))
    generator = np.random.default_rng(net.inputs)
    n = sum(SIZES)
    X = generator.normal(size=(n, net.inputs)).astype(dtype) if X is None else X
    source = Source(X, generator.integers(0, net.outputs, n))
    state = start(net, update=update, penalty=lw.L2(1e-3), dtype=dtype, clip_norm=clip_norm)
    vectors = vectors_of(state.parameters) | state.update_state
    ends = np.cumsum(SIZES)
    bounds = np.stack([ends - SIZES, ends], axis=1)
    order = np.arange(n) if order is None else order
    run = NativeExecutable(program, dtype, engines.path)
    table = scalar_table(net, state.settings, program.scalars, 0, len(SIZES), 0)
    seen = []
    for begin in range(0, len(SIZES), pieces):
        part = slice(begin, begin + pieces)
        totals = run.run(vectors, source, order, bounds[part], table[part], (0, begin), lambda batches: False)
        seen.append((totals.rows, totals.means))
    return vectors, seen


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("inputs", INPUTS)
def test_bits_do_not_depend_on_how_an_epoch_is_cut(engines, inputs, update):
    """Alone, a batch cannot look ahead; in pieces of three, some do; in one piece, all that can."""
    net = lw.Network(inputs, [37], 3)
    alone, means_alone = trained(engines, net, UPDATES[update], 1)
    for pieces in (3, len(SIZES)):
        vectors, means = trained(engines, net, UPDATES[update], pieces)
        for name in alone:
            assert vectors[name].tobytes() == alone[name].tobytes(), (name, pieces)
        if pieces == len(SIZES):
            rows = sum(count for count, _ in means_alone)
            for name, value in means[0][1].items():
                parts = sum(count * part[name] for count, part in means_alone)
                assert value == pytest.approx(parts / rows, rel=1e-12), name


@pytest.mark.parametrize("inputs", [256, 271])
def test_a_limit_of_the_gradient_keeps_the_next_row_waiting(engines, inputs, monkeypatch):
    """W is not updated before the norm is known: the bits are those of batches that stand alone, on any threads."""
    net = lw.Network(inputs, [37], 3, dropout=0.2)
    alone, _ = trained(engines, net, lw.SGD(0.1, momentum=0.5), 1, clip_norm=0.5)
    for threads in ("1", "3"):
        monkeypatch.setenv("LAYERWISE_THREADS", threads)
        vectors, _ = trained(engines, net, lw.SGD(0.1, momentum=0.5), len(SIZES), clip_norm=0.5)
        for name in alone:
            assert vectors[name].tobytes() == alone[name].tobytes(), (name, threads)
    free, _ = trained(engines, net, lw.SGD(0.1, momentum=0.5), 1)
    assert np.abs(free["theta"] - alone["theta"]).max() > 1e-3


@pytest.mark.parametrize("inputs", [256, 271])
def test_a_row_that_is_corrupted_first_is_not_multiplied_before(engines, inputs):
    net = lw.Network(inputs, [37], 3, input_dropout=0.3, input_noise=0.1)
    alone, _ = trained(engines, net, lw.SGD(0.01), 1)
    vectors, _ = trained(engines, net, lw.SGD(0.01), len(SIZES))
    assert vectors["theta"].tobytes() == alone["theta"].tobytes()


@pytest.mark.parametrize("clip_norm", [None, 0.5])
@pytest.mark.parametrize("inputs", [256, 271])
def test_a_w_of_two_layers_is_not_multiplied_before_it_has_both_gradients(engines, inputs, clip_norm):
    net = lw.Network(inputs, [37], inputs, tied=True)
    alone, _ = trained(engines, net, lw.SGD(0.01), 1, clip_norm=clip_norm)
    vectors, _ = trained(engines, net, lw.SGD(0.01), len(SIZES), clip_norm=clip_norm)
    assert vectors["theta"].tobytes() == alone["theta"].tobytes()


@pytest.mark.parametrize("inputs", [256, 271])
def test_a_penalty_on_activations_changes_nothing_about_it(engines, inputs):
    net = lw.Network(inputs, [lw.Layer(37, "tanh", activity=lw.L1(0.1))], 3)
    alone, _ = trained(engines, net, lw.SGD(0.01), 1)
    vectors, _ = trained(engines, net, lw.SGD(0.01), len(SIZES))
    assert vectors["theta"].tobytes() == alone["theta"].tobytes()


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_bits_do_not_depend_on_threads(engines, threads, monkeypatch):
    net = lw.Network(700, [200], 3)  # large enough to be shared
    monkeypatch.setenv("LAYERWISE_THREADS", "1")
    alone, _ = trained(engines, net, lw.SGD(0.01), 1)
    monkeypatch.setenv("LAYERWISE_THREADS", threads)
    vectors, _ = trained(engines, net, lw.SGD(0.01), len(SIZES))
    assert vectors["theta"].tobytes() == alone["theta"].tobytes()


def test_rows_are_converted_on_their_way(engines):
    """From bytes, in Fortran order."""
    net = lw.Network(300, [20], 3)
    X = np.asfortranarray(np.random.default_rng(0).integers(0, 2, (sum(SIZES), 300)).astype(np.uint8))
    alone, _ = trained(engines, net, lw.SGD(0.01), 1, X=X)
    vectors, _ = trained(engines, net, lw.SGD(0.01), len(SIZES), X=X)
    assert vectors["theta"].tobytes() == alone["theta"].tobytes()


def test_a_next_row_that_there_is_not_is_refused(engines):
    net = lw.Network(300, [20], 3)
    order = np.arange(sum(SIZES))
    order[1] = 10**9
    with pytest.raises(LayerwiseError, match="order"):
        trained(engines, net, lw.SGD(0.01), len(SIZES), order=order)
