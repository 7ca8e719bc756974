"""Reading Parquet and Arrow files: what comes back, and what is refused."""

from __future__ import annotations

import io
import math

import polars as pl
import pytest

from layerwise.data.tables import read_table
from layerwise.errors import DataError


@pytest.mark.parametrize("days", [2**31 - 1, -(2**31), 10**8])
def test_dates_beyond_all_years(tmp_path, days):
    frame = pl.DataFrame({"a": pl.Series([days, 0, None], dtype=pl.Int32).cast(pl.Date)})
    frame.write_ipc(tmp_path / "t.arrow")
    assert read_table(tmp_path / "t.arrow")[0]["a"].to_list() == [float(days), 0.0, None]


@pytest.mark.parametrize("size", [2**42, -(2**42), 2**63 - 1])
@pytest.mark.parametrize(("compression", "begin"), [("lz4", b"\x04\x22\x4d\x18"), ("zstd", b"\x28\xb5\x2f\xfd")])
@pytest.mark.parametrize("stream", [True, False])
def test_packed_arrow_buffers_of_terabytes(write, fails, compression, begin, stream, size):
    """Polars would end the process."""
    frame, buffer = pl.DataFrame({"a": [1.0] * 1000}), io.BytesIO()
    (frame.write_ipc_stream if stream else frame.write_ipc)(buffer, compression=compression)
    content = buffer.getvalue()
    assert read_table(write("t.arrow", content))[0].equals(frame)
    at = content.index(begin)
    with fails(DataError, "t.arrow", f"a buffer of {size} bytes"):
        read_table(write("t.arrow", content[: at - 8] + size.to_bytes(8, "little", signed=True) + content[at:]))


TYPED = {
    "t.parquet": (pl.DataFrame.write_parquet, {"compression": "uncompressed"}),
    "t.arrow": (pl.DataFrame.write_ipc, {}),
    "t.feather": (pl.DataFrame.write_ipc, {"compression": "zstd"}),
    "t.ipc": (pl.DataFrame.write_ipc_stream, {}),
}


def typed(name, frame):
    writer, options = TYPED[name]
    buffer = io.BytesIO()
    writer(frame, buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("name", TYPED)
def test_typed_files_come_back(write, name):
    frame = pl.DataFrame(
        {
            " i ": pl.Series([1, None], dtype=pl.Int16),
            "f": pl.Series([0.5, math.nan], dtype=pl.Float32),
            "b": [True, None],
            "w": ["NA", " a "],
            "c": pl.Series(["x", None], dtype=pl.Categorical),
        }
    )
    table, notes = read_table(write(name, typed(name, frame)))
    assert notes == ()
    assert table.dtypes == [pl.Int16, pl.Float32, pl.Boolean, pl.String, pl.String]
    # Typed files can say null, so their words are taken at their word.
    assert table.to_dict(as_series=False) == {
        "i": [1, None],
        "f": [0.5, None],
        "b": [True, None],
        "w": ["NA", " a "],
        "c": ["x", None],
    }


@pytest.mark.parametrize("name", TYPED)
def test_damaged_typed_files(write, fails, name):
    whole = typed(name, pl.DataFrame({"a": list(range(500)), "b": ["x"] * 500}))
    for bad in (whole[: len(whole) // 2], whole[:9], whole[:-8], b"garbage" * 40, whole[:40] + bytes(40) + whole[-8:]):
        path = write(name, bad)
        with fails(DataError, name, "complete", "cut short or damaged"):
            read_table(path)
    empty = write(name, b"")
    with fails(DataError, "an empty file"):
        read_table(empty)


@pytest.mark.parametrize("name", TYPED)
def test_duplicate_names_in_typed_files(write, fails, name):
    contents = typed(name, pl.DataFrame({"same": [1], "sane": [2]})).replace(b"sane", b"same")
    path = write(name, contents)
    with fails(DataError, name, "different column names"):
        read_table(path)


@pytest.mark.parametrize("name", TYPED)
def test_typed_files_without_rows(write, fails, name):
    path = write(name, typed(name, pl.DataFrame({"a": [1], "b": [2]}).head(0)))
    with fails(DataError, "at least one row", "0 rows and 2 columns"):
        read_table(path)


def test_old_feather(write, fails):
    path = write("old.feather", b"FEA1" + bytes(50))
    with fails(DataError, "Feather version 1"):
        read_table(path)


def test_labels_of_pandas_in_parquet(write):
    path = write("t.parquet", typed("t.parquet", pl.DataFrame({"a": [1], "__index_level_0__": [7]})))
    table, notes = read_table(path)
    assert table.columns == ["a"]
    assert notes == ("__index_level_0__: left out (row labels of pandas)",)


def test_arrow_data_that_would_end_the_process_are_refused(write, fails, monkeypatch):
    """Polars ends its process when it asks for terabytes; a child is there to see that."""
    frame = pl.DataFrame({"a": list(range(3000))})
    packed, plain = io.BytesIO(), io.BytesIO()
    frame.write_ipc(packed, compression="zstd")
    frame.write_ipc(plain)
    assert read_table(write("t.arrow", packed.getvalue()))[0].equals(frame)
    monkeypatch.setattr("layerwise.data.tables._TRIAL", "import os; os.abort()")
    with fails(DataError, "t.arrow", "a packed buffer of impossible size"):
        read_table(write("t.arrow", packed.getvalue()))
    assert read_table(write("t.arrow", plain.getvalue()))[0].equals(frame)  # needs no child
