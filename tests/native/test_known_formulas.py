"""Formulas that the compiler has seen: the list is current, and their code gives what the bytecode gives."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import layerwise as lw
from layerwise.engines import Source
from layerwise.engines.native.engine import NativeExecutable
from layerwise.engines.reference import ReferenceExecutable
from layerwise.network.programs import Setting, record, vectors_of
from layerwise.training.scalars import scalar_table
from layerwise.training.state import start

_spec = importlib.util.spec_from_file_location("known_formulas", Path(__file__).with_name("known_formulas.py"))
known_formulas = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(known_formulas)
PENALTIES, UPDATES = known_formulas.PENALTIES, known_formulas.UPDATES

SIZES = ((5, 3), (16, 16), (33, 17), (70, 40))


def test_the_list_is_current():
    assert known_formulas.TARGET.read_text(encoding="utf-8") == known_formulas.text(), (
        "run python tests/native/known_formulas.py"
    )


@pytest.mark.parametrize("batch", [1, 3, 20])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("update", UPDATES)
def test_updates_agree_with_the_reference(engines, update, penalty, batch):
    """Three steps from the same parameters, for widths around a vector's: theta, memory and what is reported."""
    for inputs, units in SIZES:
        net = lw.Network(inputs, [units], 3, hidden="relu")
        generator = np.random.default_rng([inputs, batch])
        source = Source(generator.normal(size=(3 * batch, inputs)), generator.integers(0, 3, 3 * batch))
        chosen = PENALTIES[penalty] or lw.Penalty()
        program = record(net, Setting("train_step", UPDATES[update], chosen))
        bounds = [(i * batch, (i + 1) * batch) for i in range(3)]
        found = []
        for made in (
            NativeExecutable(program, engines.dtype, engines.path),
            ReferenceExecutable(program, engines.dtype),
        ):
            state = start(net, update=UPDATES[update], penalty=chosen, dtype=engines.dtype)
            table = scalar_table(net, state.settings, program.scalars, 0, 3, 0)
            vectors = vectors_of(state.parameters) | state.update_state
            totals = made.run(vectors, source, np.arange(3 * batch), bounds, table, (0, 0), lambda batches: False)
            found.append((totals.means, vectors))
        (means, vectors), (expected_means, expected) = found
        for name, value in expected.items():
            if len(value):
                assert np.abs(vectors[name] - value).max() <= 200 * engines.eps * np.abs(value).max(), name
        for name, value in expected_means.items():
            assert means[name] == pytest.approx(value, rel=200 * engines.eps, abs=20 * engines.eps), name
