"""`layerwise diagnose gradients`: shows every combination, and notices a broken rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from layerwise.cli import diagnose
from layerwise.ops import expression
from layerwise.rules import activations, outputs
from layerwise.rules.penalties import L2, Penalty


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Two activations, two outputs, two layer kinds and two penalties: 16 combinations."""
    monkeypatch.setattr(activations, "TABLE", {name: activations.TABLE[name] for name in ("tanh", "relu")})
    monkeypatch.setattr(outputs, "TABLE", {name: outputs.TABLE[name] for name in ("softmax", "identity")})
    monkeypatch.setattr(diagnose, "KINDS", {name: diagnose.KINDS[name] for name in ("plain", "batch norm + dropout")})
    monkeypatch.setattr(diagnose, "PENALTIES", {"none": Penalty(), "L2": L2(0.01)})
    monkeypatch.setattr(diagnose, "UNITS", (2,))


def rows(out: str) -> list[tuple[str, list[float]]]:
    """The lines of the table: name of the activation, errors."""
    lines = [line.split() for line in out.splitlines()]
    return [(line[0], [float(cell) for cell in line[-2:]]) for line in lines if line[0] in ("tanh", "relu")]


def test_right_rules(run):
    answer = run("diagnose", "gradients")
    assert (answer.code, answer.err) == (0, "")
    found = rows(answer.out)
    assert [name for name, _ in found] == ["tanh"] * 4 + ["relu"] * 4
    assert all(0 <= error < 1e-6 for _, errors in found for error in errors)
    assert "activation" in answer.out.splitlines()[1]
    last = answer.out.splitlines()[-1]
    assert last.startswith("16 combinations, each with and without weights; largest relative error ")
    assert last.endswith("; limit 1e-06")


def test_another_seed_draws_other_numbers(run, monkeypatch):
    monkeypatch.setattr(diagnose, "PENALTIES", {"L2": L2(0.01)})
    first, same, other = (run("diagnose", "gradients", "--seed", seed).out for seed in (0, 0, 1))
    assert first == same != other


def broken_activation(monkeypatch):
    wrong = expression(lambda s, a, h: 1 - h)
    monkeypatch.setitem(activations.TABLE, "tanh", replace(activations.TABLE["tanh"], derivative=wrong))


def broken_output(monkeypatch):
    def wrong(ops, f, y):
        return ops.map(expression(lambda s, f, e: 1.001 * (f - e)), f, ops.one_hot(y, f.shape[1]))

    softmax = replace(outputs.TABLE["softmax"], loss_gradient_at_preactivation=wrong)
    monkeypatch.setitem(outputs.TABLE, "softmax", softmax)


def broken_penalty(monkeypatch):
    (term,) = L2(0.01).terms
    wrong = Penalty((replace(term, slope=expression(lambda s, w: w)),))
    monkeypatch.setitem(diagnose.PENALTIES, "L2", wrong)


@pytest.mark.parametrize(
    ("break_rule", "is_wrong"),
    [
        (broken_activation, lambda activation, column: activation == "tanh"),
        (broken_output, None),
        (broken_penalty, lambda activation, column: column == 1),
    ],
)
def test_a_broken_rule_is_noticed(run, monkeypatch, break_rule, is_wrong):
    break_rule(monkeypatch)
    answer = run("diagnose", "gradients")
    assert answer.code == 1
    found = rows(answer.out)
    assert len(found) == 8
    wrong = [error for _, errors in found for error in errors if error >= 1e-6]
    assert len(wrong) == 8
    if is_wrong is not None:
        for activation, errors in found:
            for column, error in enumerate(errors):
                assert (error >= 1e-6) == is_wrong(activation, column)
    assert f"largest relative error {max(wrong):.1e} (" in answer.out.splitlines()[-1]


def test_an_error_that_is_no_number_is_noticed(run, monkeypatch):
    monkeypatch.setattr(diagnose, "gradient_error", lambda *names: float("nan") if names[0] == "relu" else 0.0)
    answer = run("diagnose", "gradients")
    assert answer.code == 1
    assert "largest relative error nan (relu, " in answer.out.splitlines()[-1]


def test_a_rule_that_gives_nan_is_noticed(run, monkeypatch):
    wrong = expression(lambda s, a, h: h * float("inf"))
    monkeypatch.setitem(activations.TABLE, "relu", replace(activations.TABLE["relu"], derivative=wrong))
    answer = run("diagnose", "gradients")
    assert answer.code == 1
    assert {name for name, errors in rows(answer.out) if not all(error < 1e-6 for error in errors)} == {"relu"}


@pytest.mark.parametrize("kind", ["plain", "batch norm + dropout"])
def test_each_is_checked_with_and_without_weights_and_as_it_is_trained(monkeypatch, kind):
    asked = []

    def spy(net, theta, X, y, penalty, weights, mode, seed):
        asked.append((weights is not None, mode))
        return usual(net, theta, X, y, penalty, weights, mode, seed)

    usual = diagnose.check_gradient
    monkeypatch.setattr(diagnose, "check_gradient", spy)
    assert diagnose.gradient_error("tanh", "softmax", kind, "L2") < 1e-6
    mode = "predict" if kind == "plain" else "train"
    assert asked == [(False, mode), (True, mode)]
