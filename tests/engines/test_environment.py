"""What the environment says is seen at once, whoever changes it."""

from __future__ import annotations

import os

import pytest

from layerwise.engines.environment import engine_settings, variable


@pytest.mark.parametrize("value", ["native", "", "ü", "two words"])
def test_a_variable_is_what_python_says(monkeypatch, value):
    monkeypatch.setenv("LAYERWISE_ENGINE", value)
    assert variable("LAYERWISE_ENGINE") == os.environ["LAYERWISE_ENGINE"] == value
    monkeypatch.delenv("LAYERWISE_ENGINE")
    assert variable("LAYERWISE_ENGINE") is None


@pytest.mark.parametrize("name", ["LAYERWISE_ENGINE", "LAYERWISE_CODE_PATH"])
def test_settings_differ_where_the_environment_does(monkeypatch, name):
    monkeypatch.delenv(name, raising=False)
    without = engine_settings()
    monkeypatch.setenv(name, "reference")
    changed = engine_settings()
    monkeypatch.setenv(name, "portable")
    assert len({without, changed, engine_settings()}) == 3
    monkeypatch.delenv(name)
    assert engine_settings() == without
