"""Errors are one line, whatever they are about."""

from __future__ import annotations

import pytest

from layerwise.data import read_table
from layerwise.errors import DataError, InputError


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028"])
def test_one_line(end):
    problem = InputError(where=f"two{end}lines", expected="one", got=f"more{end}", remedy="count")
    assert str(problem).splitlines() == [str(problem)]
    assert str(problem).startswith("two lines: expected one, got more")


def test_a_file_whose_name_has_two_lines(tmp_path):
    path = tmp_path / "two\nlines.csv"
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"two lines\.csv: expected data, got an empty file"):
        read_table(path)
