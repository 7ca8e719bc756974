"""The learning curve of an estimator: what is drawn is what it recorded."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import InputError, MissingExtraError

NAN = float("nan")
LOSSES, HELD_OUT, SCORES = [0.9, 0.5, 0.4, 0.3], [0.8, 0.45, 0.5, 0.6], [0.5, 0.75, 0.875, 0.875]


def estimator(**attributes):
    return SimpleNamespace(coefs_=[], **{"loss_curve_": LOSSES} | attributes)


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_losses_scores_and_best_epoch():
    fitted = estimator(validation_loss_curve_=HELD_OUT, validation_scores_=SCORES, classes_=[0, 1])
    display = lw.LossCurveDisplay.from_estimator(fitted, title="digits")
    left, right = display.axes_
    assert display.ax_ is left
    assert left.figure is display.figure_
    drawn = lines(left)
    assert list(drawn) == ["training", "validation", "best epoch (3)"]
    np.testing.assert_array_equal(drawn["training"].get_xydata(), np.column_stack([[1, 2, 3, 4], LOSSES]))
    np.testing.assert_array_equal(drawn["validation"].get_xydata(), np.column_stack([[1, 2, 3, 4], HELD_OUT]))
    np.testing.assert_array_equal(drawn["best epoch (3)"].get_xdata(), [3, 3])  # the first of the two best scores
    np.testing.assert_array_equal(lines(right)["validation accuracy"].get_ydata(), SCORES)
    assert (left.get_xlabel(), left.get_ylabel(), right.get_ylabel()) == ("epoch", "loss", "accuracy")
    texts = [text.get_text() for text in left.get_legend().get_texts()]
    assert texts == ["training", "validation", "validation accuracy", "best epoch (3)"]  # of both axes
    assert left.get_title() == "digits"
    assert len({line.get_color() for line in [*left.get_lines(), *right.get_lines()]}) == 4


@pytest.mark.parametrize(
    ("attributes", "best"),
    [
        ({}, None),
        ({"validation_loss_curve_": None, "validation_scores_": None}, None),
        ({"validation_loss_curve_": HELD_OUT}, 2),
        ({"validation_loss_curve_": HELD_OUT, "validation_scores_": SCORES}, 3),
        ({"validation_loss_curve_": [NAN, NAN, 0.5, 0.6]}, 3),
        ({"validation_loss_curve_": [NAN] * 4}, None),
        ({"validation_loss_curve_": HELD_OUT, "best_epoch_": 4}, 4),
        ({"validation_loss_curve_": HELD_OUT, "best_epoch_": None}, 2),
    ],
)
def test_which_epoch_is_best(attributes, best):
    display = lw.LossCurveDisplay.from_estimator(estimator(**attributes))
    assert display.best_epoch == best
    marked = [line.get_xdata()[0] for name, line in lines(display.ax_).items() if name.startswith("best")]
    assert marked == ([] if best is None else [best])
    assert lw.LossCurveDisplay.from_estimator(estimator(**attributes), best_epoch=1).best_epoch == 1


def test_without_scores_there_is_one_axis():
    display = lw.LossCurveDisplay.from_estimator(estimator(validation_scores_=[NAN] * 4))
    assert len(display.axes_) == len(display.figure_.axes) == 1
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["training"]


@pytest.mark.parametrize(
    ("attributes", "options", "label"),
    [
        ({}, {}, "score"),
        ({"classes_": [0, 1]}, {}, "accuracy"),
        ({"history_": lw.History("r2")}, {}, "$R^2$"),
        ({"history_": lw.History("r2")}, {"metric": "balanced accuracy"}, "balanced accuracy"),
    ],
)
def test_what_scores_are_called(attributes, options, label):
    fitted = estimator(validation_scores_=SCORES, **attributes)
    assert lw.LossCurveDisplay.from_estimator(fitted, **options).axes_[1].get_ylabel() == label


def test_a_bad_start_does_not_hide_the_rest_of_r2():
    fitted = estimator(validation_scores_=[-50.0, 0.1, 0.2, 0.3], history_=lw.History("r2"))
    assert lw.LossCurveDisplay.from_estimator(fitted).axes_[1].get_ylim()[0] == -1.0


def test_given_axes_and_line_options():
    figure, axes = plt.subplots(1, 2)
    display = lw.LossCurveDisplay.from_estimator(estimator(), axes[1], linewidth=0.5)
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert not axes[0].lines
    assert lines(axes[1])["training"].get_linewidth() == 0.5
    assert display.plot(axes[0]) is display
    assert display.ax_ is axes[0]


@pytest.mark.parametrize(("losses", "scale"), [([0.5, 0.1], "log"), ([0.5, 0.0], "linear"), ([0.5, NAN], "linear")])
def test_scale_of_the_loss(losses, scale):
    assert lw.LossCurveDisplay.from_estimator(estimator(loss_curve_=losses)).ax_.get_yscale() == scale


def test_a_single_epoch_can_be_seen():
    display = lw.LossCurveDisplay.from_estimator(estimator(loss_curve_=[0.5], validation_scores_=[0.5]))
    assert [axes.get_lines()[0].get_marker() for axes in display.axes_] == ["o", "o"]
    display.png()


def test_what_scikit_learn_keeps():
    from sklearn.neural_network import MLPClassifier

    X = np.random.default_rng(0).normal(size=(80, 2))
    model = MLPClassifier((4,), early_stopping=True, n_iter_no_change=3, max_iter=30, tol=10, random_state=0)
    model.fit(X, (X[:, 0] > 0).astype(int))
    display = lw.LossCurveDisplay.from_estimator(model)
    np.testing.assert_array_equal(lines(display.ax_)["training"].get_ydata(), model.loss_curve_)
    assert model.validation_scores_[display.best_epoch - 1] == model.best_validation_score_
    assert display.png()[:4] == b"\x89PNG"


def test_not_fitted(refuses):
    class MLPClassifier:
        pass

    with refuses(InputError, "estimator", "loss_curve_", "got MLPClassifier, not fitted", "fit"):
        lw.LossCurveDisplay.from_estimator(MLPClassifier())
    with refuses(InputError, "loss_curve_", "SimpleNamespace, fitted without", "solver"):
        lw.LossCurveDisplay.from_estimator(SimpleNamespace(coefs_=[]))


def test_curves_of_different_lengths(refuses):
    with refuses(InputError, "estimator.validation_scores_", "4 epochs", "shape (2,)"):
        lw.LossCurveDisplay.from_estimator(estimator(validation_scores_=[0.5, 0.6]))


def test_without_matplotlib(monkeypatch, refuses):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with refuses(MissingExtraError, "plots", "pip install 'layerwise[plots]'"):
        lw.LossCurveDisplay.from_estimator(estimator())
