"""Networks as pictures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import layerwise as lw
from layerwise.notes import draw_network, figure
from layerwise.notes.pictures import MOST


def drawn(sizes, W=None):
    ax = draw_network(figure(6, 3), sizes, W)
    lines, units = ax.collections[: len(sizes) - 1], ax.collections[len(sizes) - 1 :]
    return [len(c.get_paths()) for c in lines], [c.get_offsets() for c in units], ax


@pytest.mark.parametrize("sizes", [(1, 1), (4, 2, 3), (MOST, MOST), (2, 1, 9, 1)])
def test_every_unit_and_weight_of_a_small_one(sizes):
    weights, units, ax = drawn(sizes)
    assert weights == [a * b for a, b in pairwise(sizes)]
    assert [len(column) for column in units] == list(sizes)
    assert not [text for text in ax.texts if "vdots" in text.get_text()]


def test_a_wide_column_leaves_out_its_middle():
    weights, units, ax = drawn((3, 300))
    assert [len(column) for column in units] == [3, MOST - 1]
    assert weights == [3 * (MOST - 1)]
    assert [tuple(text.get_position()) for text in ax.texts if "vdots" in text.get_text()] == [(1, 0.0)]
    heights = units[1][:, 1]
    assert np.all(np.diff(heights) < 0)
    assert heights.sum() == pytest.approx(0)


def test_lines_show_weights():
    net = lw.Network(2, [], 2)
    theta = net.initialize()
    theta.W[1][...] = [[2.0, -1.0], [0.0, 1.0]]
    collection = drawn(net.sizes, theta.W)[2].collections[0]
    assert collection.get_linewidths() == pytest.approx([2.5, 1.25, 0, 1.25])
    colors = collection.get_colors()
    assert np.array_equal(colors[0], colors[3])
    assert not np.array_equal(colors[0], colors[1])
