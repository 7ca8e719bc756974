"""The benchmarks: cases build, peers compute the same, floors count right. Nothing here depends on time."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from benchmarks import estimators, machine, peak, report, second_thread, targets
from benchmarks import measure as timing
from benchmarks.__main__ import rounded
from benchmarks.cases import CASES
from benchmarks.child import environment
from benchmarks.engine import engine
from benchmarks.floor import data_bytes, floor_seconds, flops, weight_bytes
from benchmarks.measure import DisagreementError, compare, measure
from benchmarks.peers import NAMES, OWN, PEERS
from benchmarks.selection import select_cases, select_peers

from layerwise.errors import SpecificationError

SMALL = [
    replace(
        case, sizes=(min(case.sizes[0], 20), *(min(n, 12) for n in case.sizes[1:-1]), case.sizes[-1]), steps=6,
        batch_size=min(case.batch_size, 16), networks=min(case.networks, 3),
    )
    for case in CASES
]  # fmt: skip
#: Peers that the tests' environment has; torch.compile takes minutes.
HERE = [peer for peer in PEERS if peer.name != "torch.compile" and not peer.missing()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_builds(case):
    net = case.network()
    assert net.n_parameters == case.n_parameters
    assert case.check_steps % 3 == 0
    assert flops(case) > 0
    small = replace(case, steps=1).problem()
    assert small.X.dtype == np.float32
    assert len(small.X) == len(small.y)
    assert set(small.y) == set(range(case.sizes[-1]))
    for (W, b), before, after in zip(small.initial(), case.sizes, case.sizes[1:], strict=False):
        assert (W.shape, b.shape, W.dtype) == ((after, before), (after,), np.float32)


def test_case_names_differ():
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_usual_peers_are_here():
    assert {peer.name for peer in HERE} >= {"layerwise", "numpy", "scikit-learn", "jax-jit", "jax-scan"}


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_peers_compute_the_same(case):
    problem = case.problem()
    works = {peer.name: work for peer in HERE if (work := peer.work(problem)) is not None}
    differences = compare(case, works)
    assert len(differences) > 2
    assert differences[OWN.name] == 0
    if case.task == "train":
        losses = works[OWN.name].results(case.check_steps)
        assert losses.shape == (case.networks, 3)
        assert (np.abs(np.diff(losses)) > 1e-3 * losses[:, 1:]).any()  # it moves: standing still would be noticed


def test_a_peer_with_another_update_is_noticed():
    case = SMALL[1]
    works = {"layerwise": OWN.work(case.problem()), "numpy": PEERS[1].work(replace(case, update="adam").problem())}
    with pytest.raises(DisagreementError, match="numpy: expected Layerwise's results"):
        compare(case, works)


def test_measure_gives_all_figures():
    case = SMALL[1]
    figures = measure(case, [peer for peer in HERE if peer.name in ("layerwise", "numpy")], rounds=3)
    assert set(figures) == {
        "us_per_step", "rounds", "steps", "difference", "peaks", "peak_rounds", "processors_of_others",
    }  # fmt: skip
    assert set(figures["us_per_step"]) == {"layerwise", "numpy"}
    assert [len(times) for times in figures["rounds"].values()] == [3, 3]
    assert [len(found) for found in figures["peak_rounds"].values()] == [3, 3]
    assert set(figures["steps"].values()) == {6}


def test_the_first_epoch_does_not_shorten_the_others(monkeypatch):
    """Made-up clock: 1 s to make ready, then 10 us a step; an epoch of 0.1 s has 10,000."""
    asked = []

    def epoch_seconds(work, steps):
        asked.append(steps)
        return 1e-5 * steps + (len(asked) == 1)

    monkeypatch.setattr(timing, "epoch_seconds", epoch_seconds)
    assert timing.steps_that_take(OWN.work(SMALL[0].problem()), replace(CASES[0], steps=50_000)) == 10_000
    assert timing.steps_that_take(OWN.work(SMALL[0].problem()), replace(CASES[0], steps=700)) == 700


def test_floor_by_hand():
    case = CASES[1]  # 32-64-64-10, B=32
    assert flops(case) == 2 * 32 * (3 * (2048 + 4096 + 640) - 2048) == 1_171_456
    assert case.n_parameters == 64 * 33 + 64 * 65 + 10 * 65 == 6922
    assert weight_bytes(case) == 3 * 4 * 6922
    assert data_bytes(case) == 32 * (4 * 32 + 8)
    assert floor_seconds(case, 1e11, 1e11, 1e10) == pytest.approx(1_171_456 / 1e11)
    assert floor_seconds(case, 1e15, 1e11, 1e10) == pytest.approx(3 * 4 * 6922 / 1e11)
    assert floor_seconds(case, 1e15, 1e15, 1e10) == pytest.approx(32 * 136 / 1e10)
    assert flops(replace(case, networks=64)) == 64 * 1_171_456
    assert weight_bytes(replace(case, update="adam")) == 7 * 4 * 6922
    assert flops(replace(case, task="predict", batch_size=1)) == 2 * 6784


def test_cache_bandwidth_takes_the_call_off(monkeypatch):
    monkeypatch.setattr(machine, "_best", lambda array, repetitions: 4e-7 + array.nbytes * 1e-11)
    for threads in (1, 2):
        assert machine.cache_bandwidth(6922, threads) == pytest.approx(threads * 2e11)


def test_a_bandwidth_that_cannot_be_measured_is_refused(monkeypatch):
    monkeypatch.setattr(machine, "_best", lambda array, repetitions: 1e-6 if array.size == machine.FEW else 4e-7)
    with pytest.raises(
        machine.MeasurementError, match="expected 6922 numbers to take longer than 16, got -600 ns more"
    ):
        machine.cache_bandwidth(6922, 1)


def test_selection():
    assert select_cases([]) == list(CASES)
    assert [case.name for case in select_cases(["512"])] == ["784-512-512-10, B=256"]
    assert [peer.name for peer in select_peers(["jax-scan"])] == ["layerwise", "jax-scan"]
    assert [peer.name for peer in select_peers([])] == list(NAMES)
    with pytest.raises(SpecificationError, match="--case: expected a part of a case's name, got 'B=7'"):
        select_cases(["B=7"])
    with pytest.raises(SpecificationError, match="did you mean 'pytorch'"):
        select_peers(["pytorc"])


def test_one_thread_is_said_to_all():
    settings = environment(1)
    assert settings["OMP_NUM_THREADS"] == settings["LAYERWISE_THREADS"] == "1"
    assert "--xla_cpu_multi_thread_eigen=false" in settings["XLA_FLAGS"]
    assert "XLA_FLAGS" not in environment(2)


def test_engine_is_named():
    assert engine()["engine"] in ("reference", "native")


@pytest.mark.parametrize(("own_seconds", "whose"), [(3.0, "NumPy"), (1.0, "Layerwise")])
def test_the_faster_product_gives_the_peak(monkeypatch, own_seconds, whose):
    """NumPy's product takes a second at best, Layerwise's has twice the rows; both are computed indeed."""
    times, results = iter([2.0, 1.0, own_seconds, 4.0]), []

    def seconds(action):
        results.append(action())
        return next(times)

    monkeypatch.setattr(peak, "seconds", seconds)
    monkeypatch.setattr(peak, "OWN_ROWS", 2 * peak.NUMPY_ROWS)
    found = peak.product_peaks(repetitions=2)
    assert found == {"NumPy": 2 * 1024**3, "Layerwise": 4 * 1024**3 / own_seconds}
    assert peak.greatest(found) == (whose, found[whose])
    for rows, result in ((peak.NUMPY_ROWS, results[0].sum()), (peak.OWN_ROWS, results[2]["sum"][0])):
        h, W = (operand.astype(np.float64) for operand in peak._operands(rows))
        assert result == pytest.approx((h @ (W.T if rows == peak.OWN_ROWS else W)).sum(), rel=1e-3)


def run_of(threads, times):
    """A child's document with made-up times of Layerwise, PyTorch and JAX's scan; the other peers take 999 us."""
    cases = [
        {
            "case": case, "share_of_floor": 0.75, "gflops_per_second": 12.3, "floor_us": 0.5,
            "processors_of_others": 0.0,
            "us_per_step": dict.fromkeys(NAMES, 999.0) | {"layerwise": own, "pytorch": pytorch, "jax-scan": scan},
        }
        for case, (own, pytorch, scan) in times.items()
    ]  # fmt: skip
    return {
        "threads": threads, "peak_flops_per_second": 2e11, "peak_of": "Layerwise", "memory_bytes_per_second": 3e10,
        "peaks": {"NumPy": 1e11, "Layerwise": 2e11}, "engine": {"engine": "reference"}, "processors_of_others": 0.0,
        "left_out": {}, "cases": cases,
    }  # fmt: skip


@pytest.fixture
def runs():
    """On one thread and on two: PyTorch's threads starve on the third case, JAX's on the second."""
    one = {"32-64-64-10, B=1": (1, 200, 3), "32-64-64-10, B=32": (20, 320, 24), "32-64-64-10, B=256": (80, 100, 90)}
    two = {"32-64-64-10, B=1": (1, 160, 1.5), "32-64-64-10, B=32": (16, 320, 48), "32-64-64-10, B=256": (40, 8000, 60)}
    return [run_of(1, one), run_of(2, two)]


@pytest.fixture
def threads():
    """The second thread's document, of made-up rounds: the clock doubles between the two."""
    rounds = {
        "32-64-64-10, B=1": ([2.0, 1.0], [2.0, 1.0], [2.2, 1.1]),
        "32-64-64-10, B=256": ([80.0, 40.0], [50.0, 25.0], [100.0, 50.0]),
    }
    return {
        "cases": [
            {"case": case, "steps": 6, "processors_of_others": 0.0}
            | second_thread.figures(dict(zip(second_thread.THREADS, times, strict=True)))
            for case, times in rounds.items()
        ]
    }  # fmt: skip


def verdicts(found):
    return {target["target"]: (target["value"], target["met"]) for target in found}


def test_table_fits(runs):
    run = runs[1]
    run["left_out"] = {"torch.compile": "torch not installed"}
    run["cases"][0]["processors_of_others"] = 1.0
    run["cases"][1]["us_per_step"] = dict.fromkeys(NAMES, 123456.7)
    lines = list(report.table(run))
    assert max(map(len, lines)) <= 160
    assert "peak up to 200 GFLOP/s (float32 product of Layerwise; NumPy 100)" in lines[0]
    assert "other processes kept up to 1.0 processors busy" in lines[1]
    assert lines[2] == "Left out: torch.compile (torch not installed)"
    del run["cases"][0]["us_per_step"]["jax-jit"]
    assert " - " in list(report.table(run))[4]


def test_table_of_the_second_thread(threads):
    lines = list(report.second_thread_table(threads))
    assert lines[-1].split() == ["32-64-64-10,", "B=256", "60.0", "37.5", "1.60x", "75.0", "1.25x"]
    assert len({len(line) for line in lines[1:]}) == 1
    threads["cases"][1]["processors_of_others"] = 0.7
    assert "kept up to 0.7 processors busy" in list(report.second_thread_table(threads))[1]


def test_targets_take_the_better_time_of_a_peer(runs, threads):
    found = targets.judged(runs, threads)
    assert verdicts(found) == {
        "32-64-64-10, B=1: pytorch takes >= 150x": (160, True),
        "32-64-64-10, B=1: the fastest peer takes >= 2x": (1.5, False),
        "32-64-64-10, B=32: pytorch takes >= 15x": (20, True),
        "32-64-64-10, B=32: the fastest peer takes >= 1.5x": (1.5, True),
        "32-64-64-10, B=32: share of the floor >= 0.7": (0.75, True),
        "32-64-64-10, B=256: pytorch takes >= 4x": (2.5, False),
        "32-64-64-10, B=256: the fastest peer takes >= 1.4x": (1.5, True),
        "32-64-64-10, B=256: share of the floor >= 0.8": (0.75, False),
        "32-64-64-10, B=256: second thread >= 1.6x": (1.6, True),
        "no case slower on 2 threads: speed-up >= 0.95x": (1, True),
        "one core held by others: time over 1 thread's <= 1.2x": (1.25, False),
    }
    words = {target["target"]: target["measured"] for target in found}
    assert words["32-64-64-10, B=32: the fastest peer takes >= 1.5x"] == (
        "1.50x by jax-scan on 1 thread (within a run: 1.20x on 1 thread, 3.00x on 2 threads)"
    )
    assert (
        words["one core held by others: time over 1 thread's <= 1.2x"] == "worst 1.25x, 32-64-64-10, B=256; of 2 cases"
    )
    assert [line.split()[0] for line in targets.target_lines(found)].count("met") == 7


def test_what_was_not_measured_is_unknown(runs):
    for run in runs:
        for row in run["cases"]:
            del row["us_per_step"]["jax-scan"], row["us_per_step"]["pytorch"]
    found = verdicts(targets.judged(runs[1:], None))
    assert found["32-64-64-10, B=1: pytorch takes >= 150x"] == (None, None)
    assert found["32-64-64-10, B=1: the fastest peer takes >= 2x"] == (999, None)  # an absent one may be faster
    assert found["32-64-64-10, B=32: share of the floor >= 0.7"] == (None, None)  # that is one thread's
    assert found["32-64-64-10, B=256: second thread >= 1.6x"] == (None, None)
    assert found["no case slower on 2 threads: speed-up >= 0.95x"] == (None, None)
    assert {met for _, met in found.values()} == {None}
    runs[1]["cases"][0]["us_per_step"]["layerwise"] = 1000.0  # slower than those that are there, whoever is absent
    assert verdicts(targets.judged(runs[1:], None))["32-64-64-10, B=1: the fastest peer takes >= 2x"][1] is False


@pytest.mark.parametrize("which", [0, 1])
def test_no_verdict_where_others_were_busy(runs, threads, which):
    runs[which]["cases"][1]["processors_of_others"] = threads["cases"][1]["processors_of_others"] = 1.2
    found = {target["target"]: target for target in targets.judged(runs, threads)}
    assert found["32-64-64-10, B=1: pytorch takes >= 150x"]["met"] is True
    assert found["32-64-64-10, B=32: pytorch takes >= 15x"]["met"] is None
    assert found["32-64-64-10, B=32: share of the floor >= 0.7"]["met"] is (None if which == 0 else True)
    assert found["32-64-64-10, B=256: second thread >= 1.6x"]["measured"] == "1.60x, not alone"
    assert found["no case slower on 2 threads: speed-up >= 0.95x"]["met"] is None


def test_every_target_names_a_case():
    assert {target.case for target in targets.TARGETS} == {case.name for case in CASES}
    asked = {target.case for target in targets.TARGETS if target.second_thread}
    assert asked == {case.name for case in CASES if case.batch_size == 256}
    assert {targets.EAGER, targets.SCAN} < set(NAMES)
    assert NAMES[0] == targets.OWN  # all after it are peers


needs_two_cores = pytest.mark.skipif(
    bool(second_thread.missing(machine.allowed_cores())), reason="one core, or no way to keep a process to it"
)


@needs_two_cores
def test_second_thread_gives_all_figures():
    figures = second_thread.measure_conditions(SMALL[1], rounds=2)
    assert set(figures) == {
        "case", "steps", "processors_of_others", "us_per_step", "rounds", "speed_up", "slowdown",
    }  # fmt: skip
    assert list(figures["us_per_step"]) == list(second_thread.THREADS)
    assert [len(times) for times in figures["rounds"].values()] == [2, 2, 2]


@needs_two_cores
def test_a_core_is_held_and_let_go(monkeypatch):
    core = max(os.sched_getaffinity(0))
    started = []
    monkeypatch.setattr(second_thread.subprocess, "Popen", watched(second_thread.subprocess.Popen, started))

    def block():
        with second_thread.core_held(core):
            assert os.sched_getaffinity(started[0].pid) == {core}
            assert started[0].poll() is None
            raise KeyError("what the block raises")

    with pytest.raises(KeyError, match="what the block raises"):
        block()
    assert started[0].returncode < 0  # killed, and waited for


def watched(start, started):
    def popen(*arguments, **options):
        started.append(start(*arguments, **options))
        return started[-1]

    return popen


@needs_two_cores
def test_conditions_set_the_threads_and_put_them_back(monkeypatch):
    from layerwise.engines.native.library import threads

    monkeypatch.setenv("LAYERWISE_THREADS", "7")
    seen = {}
    for name in second_thread.THREADS:
        with second_thread.condition(name):
            seen[name] = threads()
    assert list(seen.values()) == [1, 2, 2]
    assert threads() == 7


@needs_two_cores
def test_a_core_that_cannot_be_held_is_an_error():
    with (
        pytest.raises(machine.MeasurementError, match="expected a process that keeps core 4095 busy"),
        second_thread.core_held(4095),
    ):
        pass


def test_the_own_other_process_is_no_neighbour(monkeypatch):
    """Of 30 busy seconds 10 are this process's, and 15 those of children that it has waited for."""
    own = [os.times_result((0, 0, 0, 0, 0)), os.times_result((6, 4, 12, 3, 0))]
    busy, clock = [100.0, 130.0], [0.0, 10.0]
    monkeypatch.setattr(machine, "_busy_seconds", lambda: busy.pop(0))
    monkeypatch.setattr(machine.os, "times", lambda: own.pop(0))
    monkeypatch.setattr(machine.time, "perf_counter", lambda: clock.pop(0))
    assert machine.Neighbours().processors() == pytest.approx(0.5)


def test_second_thread_needs_two_cores():
    assert second_thread.missing(1) == "there is one core"


def test_figures_are_kept_short():
    assert json.dumps(rounded({"a": [1.23456789, 7, None, "x"]})) == '{"a": [1.2346, 7, null, "x"]}'


# --- estimators -------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("case", estimators.ESTIMATOR_CASES, ids=lambda case: case.name)
def test_estimators_compute_the_same(case):
    """Few rows of the digits stand for every data set: losses are compared before anything is timed."""
    X, y = estimators.data("digits", case.dtype)
    small = replace(case, epochs=2, units=5)
    figures = estimators.measure(small, X[:300], y[:300], 2, {"skorch": "not installed"})
    assert set(figures["seconds"]) == {"layerwise", "scikit-learn"}
    assert figures["times_as_long"]["layerwise"] == 1
    assert len(figures["rounds"]["scikit-learn"]) == 2


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_an_estimator_that_computes_something_else_is_noticed(monkeypatch):
    from sklearn.neural_network import MLPClassifier

    X, y = estimators.data("digits", "float64")
    monkeypatch.setattr("layerwise.estimators.MLPClassifier", lambda **given: MLPClassifier(**given | {"alpha": 9.0}))
    with pytest.raises(DisagreementError, match="expected scikit-learn's loss"):
        estimators.measure(replace(estimators.ESTIMATOR_CASES[0], epochs=2, units=5), X[:300], y[:300], 1, {})


def test_real_tables_are_ready_for_networks(shared_data):
    X, y = estimators.data("adult", "float32")
    assert X.shape == (32561, 108)
    assert X.dtype == np.float32
    assert set(y) == {0, 1}
    assert np.abs(X).max() < 100


def test_targets_of_the_estimators():
    rows = [
        {"case": "fit digits, float64", "times_as_long": {"layerwise": 1.0, "scikit-learn": 2.9}},
        {"case": "fit digits, float32", "times_as_long": {"layerwise": 1.0, "scikit-learn": 3.0}},
    ]
    for row in rows:
        row |= {"processors_of_others": 0.0, "seconds": {"layerwise": 0.2, "scikit-learn": 0.6}}
    document = {"cases": rows, "left_out": {"skorch": "not installed"}}
    assert verdicts(targets.judged_estimators(document)) == {
        "fit digits, float64: scikit-learn takes >= 3x": (2.9, False),
        "fit digits, float32: scikit-learn takes >= 3x": (3.0, True),
        "fit digits, float32: skorch takes >= 10x": (None, None),
    }
    lines = list(report.estimator_table(document))
    assert lines[1] == "Left out: skorch (not installed)"
    assert lines[-1].split() == ["fit", "digits,", "float32", "200.0", "600.0", "3.00x"]
    assert not list(targets.judged_estimators(None))
