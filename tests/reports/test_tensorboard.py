"""The event files hold the history, read by TensorBoard's own reader."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import MissingExtraError, SpecificationError, StorageError

pytest.importorskip("tensorboard")


def events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    found.Reload()
    return {tag: found.Tensors(tag) for tag in found.Tags()["tensors"]}


def scalars(found, tag):
    return [float(one.tensor_proto.float_val[0]) for one in found[tag]]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    return X, (X.sum(axis=1) > 0).astype(int)


def test_fit(data, tmp_path):
    X, y = data
    with lw.TensorBoard(tmp_path / "runs" / "a", histograms=2) as board:
        model = lw.fit(lw.Network(3, [4], 2), X, y, epochs=5, validation=0.2, callbacks=board, penalty=lw.L2(1e-3))
        before = events(tmp_path / "runs" / "a")  # on the disk while it is open
    found = events(tmp_path / "runs" / "a")
    assert set(before) == set(found)
    names = {"loss/training": "train_loss", "loss/validation": "validation_loss", "training/rate": "rate",
             "accuracy/training": "train_metric", "accuracy/validation": "validation_metric", "objective/J": "objective"}  # fmt: skip
    for tag, name in names.items():
        assert scalars(found, tag) == pytest.approx(model.history[name].tolist(), rel=1e-6)
        assert [one.step for one in found[tag]] == [1, 2, 3, 4, 5]
    assert [one.step for one in found["W/W^(2)"]] == [2, 4]
    assert set(found) >= {"W/W^(1)", "b/b^(1)", "b/b^(2)", "objective/penalty", "training/gradient norm"}


def test_estimators_and_no_histograms(data, tmp_path):
    X, y = data
    board = lw.TensorBoard(tmp_path, histograms=0)
    classifier = lw.MLPClassifier(4, max_iter=3, tol=0, callbacks=[board], random_state=0)
    with pytest.warns(UserWarning, match="converge|iterations"):
        classifier.fit(X, y)
    board.close()
    found = events(tmp_path)
    assert len(scalars(found, "loss/training")) == 3
    assert not [tag for tag in found if tag.startswith("W")]


def test_what_cannot_be(tmp_path, refuses, monkeypatch):
    (tmp_path / "file").write_text("")
    with refuses(StorageError):
        lw.TensorBoard(tmp_path / "file")
    with refuses(SpecificationError):
        lw.TensorBoard(tmp_path, histograms=-1)
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.event_file_writer", None)
    with refuses(MissingExtraError, "layerwise[tracking]"):
        lw.TensorBoard(tmp_path)
