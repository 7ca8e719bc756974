"""Sigmoid and identity: the lines agree with what the library computes."""

from __future__ import annotations

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import SpecificationError

DERIVATION = lw.proofs.other_outputs


def gradient(a, y, output):
    net = lw.Network(1, [], 1, output=output)
    theta = net.initialize()
    theta.vector = [1.0, 0.0]
    return net.trace(theta, [[a]], [[y]]).grad_a[1].item()


@pytest.mark.parametrize("a", [-30.0, -1.25, 0.5, 12.0])
@pytest.mark.parametrize("y", [0.0, 1.0, 0.3])
def test_lines_are_what_the_library_computes(a, y):
    lines = DERIVATION.check(a=a, y=y)
    assert all(line.agrees for line in lines)
    unpaired = lw.Output.own(lambda s, f, y: 0.5 * (f - y) ** 2, link="sigmoid")
    for i, output in ((2, "sigmoid"), (3, "sigmoid"), (4, "identity"), (5, unpaired)):
        assert lines[i].right == pytest.approx([gradient(a, y, output)], rel=1e-9, abs=1e-15)
    assert np.isfinite([line.left[0] for line in lines]).all()


def test_zero_is_refused(refuses):
    with refuses(SpecificationError):
        DERIVATION.check(a=0, y=1)
