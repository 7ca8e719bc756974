"""The benchmarks: cases build, peers compute the same, floors count right. Nothing here depends on time."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from benchmarks import machine, peak, report
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


@pytest.fixture
def run():
    """A child's document with made-up times: Layerwise ahead of PyTorch by 60x, 5x, 1.5x, and behind JAX once."""
    times = {
        "32-64-64-10, B=1": (1.0, 60.0, 3.0), "32-64-64-10, B=32": (20.0, 100.0, 19.0),
        "32-64-64-10, B=256": (100.0, 150.0, 12345.6),
    }  # fmt: skip
    cases = [
        {
            "case": case, "share_of_floor": 0.5, "gflops_per_second": 12.3, "floor_us": 0.5,
            "processors_of_others": 0.0,
            "us_per_step": dict.fromkeys(NAMES, 123456.7) | {"layerwise": own, "pytorch": pytorch, "jax-scan": jax},
        }
        for case, (own, pytorch, jax) in times.items()
    ]  # fmt: skip
    return {
        "threads": 2, "peak_flops_per_second": 2e11, "peak_of": "Layerwise",
        "peaks": {"NumPy": 1e11, "Layerwise": 2e11}, "memory_bytes_per_second": 3e10, "engine": {"engine": "reference"},
        "processors_of_others": 1.0, "left_out": {"torch.compile": "torch not installed"}, "cases": cases,
    }  # fmt: skip


def test_table_fits(run):
    lines = list(report.table(run))
    assert max(map(len, lines)) <= 160
    assert "peak up to 200 GFLOP/s (float32 product of Layerwise; NumPy 100)" in lines[0]
    assert "other processes kept up to 1.0 processors busy" in lines[1]
    assert lines[2] == "Left out: torch.compile (torch not installed)"
    del run["cases"][0]["us_per_step"]["jax-jit"]
    assert " - " in list(report.table(run))[4]


def test_targets(run):
    found = report.targets(run)
    assert [target["met"] for target in found] == [True, True, False, True]
    assert found[3]["measured"] == "behind on 1 of 3"
    for row in run["cases"]:
        del row["us_per_step"]["jax-scan"], row["us_per_step"]["pytorch"]
    assert [target["met"] for target in report.targets(run)] == [None] * 4
    assert "not measured" in "".join(report.target_lines(report.targets(run)))


def test_no_verdict_where_others_were_busy(run):
    run["cases"][1]["processors_of_others"] = 1.2
    found = report.targets(run)
    assert [target["met"] for target in found] == [True, None, False, None]
    assert found[1]["measured"] == "5.00x, not alone"


def test_figures_are_kept_short():
    assert json.dumps(rounded({"a": [1.23456789, 7, None, "x"]})) == '{"a": [1.2346, 7, null, "x"]}'
