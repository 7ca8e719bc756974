"""The learning curve: what is drawn, and that the picture is one."""

from __future__ import annotations

import io
import logging
import struct
import sys

import matplotlib.image
import numpy as np
import pytest

from layerwise.errors import MissingExtraError
from layerwise.reports import LossCurveDisplay
from layerwise.training.history import History

NAN = float("nan")


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def assert_picture(content: bytes) -> None:
    """A PNG of 1200 x 480 pixels that can be read back, with light and dark ones among them."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert content[12:16] == b"IHDR"
    assert struct.unpack(">II", content[16:24]) == (1200, 480)
    assert content[-8:-4] == b"IEND"
    pixels = matplotlib.image.imread(io.BytesIO(content), format="png")
    assert pixels.shape[:2] == (480, 1200)
    assert pixels[..., :3].min() < 0.2 < 0.9 < pixels[..., :3].max()


def test_loss_and_metric_of_training_and_validation(history):
    display = LossCurveDisplay.from_history(
        history([0.9, 0.5, 0.4], [0.5, 0.7, 0.8], [0.8, 0.6, 0.7]), 2, "digits: 64-10"
    )
    loss, metric = display.axes_
    for axes, trained, validated in (
        (loss, [0.9, 0.5, 0.4], [0.8, 0.6, 0.7]),
        (metric, [0.5, 0.7, 0.8], [0.375, 0.575, 0.675]),
    ):
        drawn = lines(axes)
        assert list(drawn) == legend(axes) == ["training (running mean)", "validation", "best epoch (2)"]
        np.testing.assert_array_equal(drawn["training (running mean)"].get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(drawn["training (running mean)"].get_ydata(), trained)
        np.testing.assert_array_equal(drawn["validation"].get_ydata(), validated)
        np.testing.assert_array_equal(drawn["best epoch (2)"].get_xdata(), [2, 2])
        assert axes.get_xlabel() == "epoch"
    assert (loss.get_ylabel(), metric.get_ylabel()) == ("loss (data term)", "accuracy")
    assert loss.get_yscale() == "log"
    assert metric.get_yscale() == "linear"
    assert display.figure_.get_suptitle() == "digits: 64-10"
    assert_picture(display.png())


def test_without_validation(history):
    display = LossCurveDisplay.from_history(history([0.9, 0.5]))
    for axes in display.axes_:
        assert legend(axes) == ["training (running mean)"]
    assert display.figure_.get_suptitle() == ""
    assert_picture(display.png())


def test_validation_of_some_epochs_only(history):
    display = LossCurveDisplay.from_history(history([0.9, 0.5, 0.4], validation=[NAN, 0.6, NAN]))
    assert "validation" in legend(display.axes_[0])
    assert_picture(display.png())


def test_a_single_epoch_can_be_seen(history):
    display = LossCurveDisplay.from_history(history([0.9], validation=[0.8]), 1)
    for axes in display.axes_:
        for name in ("training (running mean)", "validation"):
            assert lines(axes)[name].get_marker() == "o"
    assert_picture(display.png())
    more = LossCurveDisplay.from_history(history([0.9, 0.8]))
    assert lines(more.axes_[0])["training (running mean)"].get_marker() == "None"


def test_no_epoch_at_all():
    display = LossCurveDisplay.from_history(History("accuracy"))
    assert [len(line.get_xdata()) for axes in display.axes_ for line in axes.get_lines()] == [0, 0]
    assert_picture(display.png())


def test_epochs_are_whole_numbers(history):
    for n in (1, 2, 3, 7):
        for axes in LossCurveDisplay.from_history(history([0.9] * n)).axes_:
            left, right = axes.get_xlim()
            seen = [tick for tick in axes.get_xticks() if left <= tick <= right]
            assert seen
            assert all(tick == round(tick) for tick in seen)


@pytest.mark.parametrize(
    ("scores", "bottom_is_cut"),
    [([-50.0, 0.25], True), ([-0.5, 0.25], False), ([-50.0, -20.0], False), ([0.5, 0.75], False), ([NAN, NAN], False)],
)
def test_r2(history, scores, bottom_is_cut):
    display = LossCurveDisplay.from_history(history([0.9, 0.5], scores, metric="r2"))
    metric = display.axes_[1]
    bottom, top = metric.get_ylim()
    assert metric.get_ylabel() == "$R^2$"
    assert bottom < top  # up is better, however bad it is
    assert (bottom == -1.0) == bottom_is_cut
    assert top < 1.1
    if not bottom_is_cut and np.isfinite(scores).all():
        assert bottom <= min(scores) <= max(scores) <= top


def test_a_loss_of_zero_has_no_logarithm(history):
    display = LossCurveDisplay.from_history(history([0.5, 0.0]))
    assert display.axes_[0].get_yscale() == "linear"
    assert_picture(display.png())


@pytest.mark.parametrize("title", ["a$b_$c", r"\frac{", "日本", "a\nb", "größe_^{} %s" * 30])
def test_any_name_can_be_a_title(history, title):
    display = LossCurveDisplay.from_history(history([0.9, 0.5]), title=title)
    assert display.figure_.get_suptitle() == title
    assert_picture(display.png())


def test_the_same_history_gives_the_same_picture(history):
    first, second = (LossCurveDisplay.from_history(history([0.9, 0.5])).png() for _ in range(2))
    assert first == second


def test_no_window_and_no_global_figure(history):
    import matplotlib.pyplot

    LossCurveDisplay.from_history(history([0.9, 0.5])).png()
    assert matplotlib.pyplot.get_fignums() == []


def test_matplotlib_keeps_its_log_level(history):
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        LossCurveDisplay.from_history(history([0.9, 0.5]))
        assert logger.level == logging.DEBUG
    finally:
        logger.setLevel(before)


def test_without_matplotlib(history, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError) as caught:
        LossCurveDisplay.from_history(history([0.9, 0.5]))
    message = "plots: expected matplotlib, got no such package; pip install 'layerwise[plots]'"
    assert str(caught.value) == message
    assert isinstance(caught.value, ImportError)
