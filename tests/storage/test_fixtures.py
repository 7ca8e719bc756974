"""Folders that earlier versions wrote: each still loads, and says what it said then."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import layerwise as lw
from layerwise.storage import SavedModel

FIXTURES = Path(__file__).parent / "fixtures"
FOLDERS = sorted(path.name for path in FIXTURES.iterdir() if path.is_dir() and path.name.startswith("v"))


def test_there_are_folders_of_every_version():
    assert {name[:2] for name in FOLDERS} == {"v1", "v2"}
    assert len(FOLDERS) >= 12


@pytest.mark.parametrize("name", FOLDERS)
def test_an_old_folder_says_what_it_said(name):
    model = lw.load(FIXTURES / name)
    record = json.loads((FIXTURES / f"{name}.json").read_text())
    rows = pl.DataFrame(record["table"]) if record["table"] else np.array(record["X"], record["dtype"])
    found = getattr(model, record.get("method", "predict"))(rows)
    assert isinstance(model, SavedModel) == ("method" not in record)
    assert json.loads((FIXTURES / name / "model.json").read_text())["version"] == int(name[1])
    np.testing.assert_allclose(found, np.array(record["predicted"]), rtol=2e-5, atol=1e-6)  # to rounding of any machine
    assert found.std() > 0
