"""Schedules: hand-worked values, direction, and errors where the progress is not known."""

from __future__ import annotations

import itertools
import math

import pytest

from layerwise.rules.schedules import (
    TABLE,
    Constant,
    Cosine,
    CosLog4,
    InverseTime,
    Progress,
    Schedule,
    StepDecay,
    schedule,
)

NAMES = pytest.mark.parametrize("name", TABLE)
WHOLE_RUN = [Progress(step, 10, 1000) for step in range(1001)]


@pytest.mark.parametrize(
    ("chosen", "step", "expected"),
    [
        (Constant(), 0, 1),
        (Constant(), 999, 1),
        (StepDecay(0.5, 2), 0, 1),
        (StepDecay(0.5, 2), 19, 1),
        (StepDecay(0.5, 2), 20, 0.5),
        (StepDecay(0.5, 2), 39, 0.5),
        (StepDecay(0.5, 2), 60, 0.125),
        (StepDecay(0.1, 0.5), 5, 0.1),
        (InverseTime(0.5), 0, 1),
        (InverseTime(0.5), 20, 1 / 2),
        (InverseTime(0.5), 5, 1 / 1.25),
        (InverseTime(0.0), 500, 1),
        (Cosine(), 0, 1),
        (Cosine(), 250, (1 + math.sqrt(0.5)) / 2),
        (Cosine(), 500, 0.5),
        (Cosine(), 1000, 0),
        (CosLog4(), 0, 0),
        (CosLog4(), 1000 * (2**0.5 - 1) / 15, 1),  # the top of the first wave
        (CosLog4(), 1000 / 15, 0),
        (CosLog4(), 200, 0),  # 1 + 15 t = 4
        (CosLog4(), 1000 * 7 / 15, 0),
        (CosLog4(), 1000 * (2**3.5 - 1) / 15, 1),
        (CosLog4(), 1000, 0),
    ],
)
def test_values_by_hand(chosen, step, expected):
    assert chosen.factor(Progress(step, 10, 1000)) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_progress():
    progress = Progress(step=25, steps_per_epoch=10, total_steps=200)
    assert progress.epochs == 2.5
    assert progress.fraction == 0.125
    assert Progress(300, 10, 200).fraction == 1.0
    assert Progress(0, 10, 0).fraction == 0.0


@pytest.mark.parametrize(
    "chosen", [Constant(), StepDecay(), StepDecay(0.3, 7), InverseTime(), InverseTime(3.0), Cosine()]
)
def test_a_decay_starts_at_1_and_never_rises(chosen):
    factors = [chosen.factor(progress) for progress in WHOLE_RUN]
    assert factors[0] == 1
    assert all(later <= earlier for earlier, later in itertools.pairwise(factors))


def test_a_growing_ratio_grows():
    factors = [StepDecay(2.0, 10).factor(progress) for progress in WHOLE_RUN[::100]]
    assert factors == [2.0**i for i in range(11)]


def test_coslog4_has_four_waves_each_twice_as_long():
    factors = [CosLog4().factor(progress) for progress in WHOLE_RUN]
    inner = range(1, 1000)
    tops = [i for i in inner if factors[i - 1] < factors[i] >= factors[i + 1]]
    valleys = [0, *(i for i in inner if factors[i - 1] > factors[i] <= factors[i + 1]), 1000]
    assert len(tops) == 4
    lengths = [end - start for start, end in itertools.pairwise(valleys)]
    assert [round(length / lengths[0], 1) for length in lengths] == pytest.approx([1, 2, 4, 8], abs=0.15)


@NAMES
def test_factors_lie_between_0_and_1(name):
    factors = [schedule(name).factor(progress) for progress in WHOLE_RUN]
    assert all(type(factor) is float for factor in factors)
    assert 0 <= min(factors) <= max(factors) <= 1


@NAMES
def test_what_a_schedule_needs_to_know(refused, name):
    """Single steps without an end are fine for a schedule exactly if it looks at nothing that is missing."""
    chosen = schedule(name)
    without = {
        "the total number of steps": Progress(30, 10, None),
        "the number of steps in an epoch": Progress(30, None, 1000),
    }
    needed = {"step": 1, "inverse-time": 1, "cosine": 0, "coslog4": 0}.get(name)
    for place, (what, progress) in enumerate(without.items()):
        if place == needed:
            refused(lambda progress=progress: chosen.factor(progress), what, "lw.start")
        else:
            assert chosen.factor(progress) == chosen.factor(Progress(30, 10, 1000))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: StepDecay(ratio=0), "ratio"),
        (lambda: StepDecay(ratio=-0.5), "ratio"),
        (lambda: StepDecay(every=0), "every"),
        (lambda: StepDecay(every=-1), "every"),
        (lambda: StepDecay(every="2"), "every"),
        (lambda: StepDecay(ratio=math.nan), "ratio"),
        (lambda: InverseTime(-0.1), "decay"),
        (lambda: InverseTime(math.inf), "decay"),
        (lambda: InverseTime(True), "decay"),
    ],
)
def test_settings_that_are_refused(refused, make, name):
    refused(make, name)


@NAMES
def test_a_name_stands_for_the_default_settings(name):
    chosen = schedule(name)
    assert chosen == TABLE[name]()
    assert schedule(name.upper()) == schedule(name.replace("-", "_")) == schedule(chosen) == chosen


@pytest.mark.parametrize("choice", ["cosines_", "", None, 0.5])
def test_an_unknown_name_lists_all(refused, choice):
    refused(lambda: schedule(choice), repr(choice), *TABLE)


def test_a_user_s_own_schedule():
    class Warmup(Schedule):
        def factor(self, progress):
            return min(1.0, progress.step / 10)

    assert schedule(Warmup()).factor(Progress(5)) == 0.5
    with pytest.raises(TypeError, match="abstract"):
        Schedule()
