"""Damaged and hostile folders by chance: an error of Layerwise on one line, or a model that predicts."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

spec = importlib.util.spec_from_file_location("mutations", Path(__file__).with_name("mutations.py"))
mutations = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mutations)


@pytest.fixture(scope="module", autouse=True)
def ready():
    """Imports and engines are ready before the clock starts."""
    for folder in mutations.FIXTURES.glob("v*/"):
        assert mutations.outcome(folder, *mutations.rows_of(folder.name)) == "works"


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_changed_folder_is_refused_or_works(seed):
    assert mutations.try_one(seed) in ("refused", "works", "has other answers")


def test_most_mutations_are_refused_and_some_do_no_harm():
    found = [mutations.try_one(f"fixed {k}") for k in range(60)]
    assert found.count("refused") > 30
    assert found.count("works") > 0
