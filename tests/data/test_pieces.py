"""Tables piece by piece say what the whole file says."""

from __future__ import annotations

import gzip
import os
import sys
import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data import read_table, table_pieces
from layerwise.data.streams import ROWS, _last_line_end
from layerwise.errors import DataError

ROW_COUNT = 400


@pytest.fixture
def text():
    rows = [
        f"{i},{i / 7:.3f},{job},{'true' if i % 2 else 'false'},{'NA' if i % 5 else '007'}"
        for i in range(ROW_COUNT)
        for job in ['"a, b"' if i % 3 else '"two\nlines"']
    ]
    return "n,x,job,flag,code\n" + "\n".join(rows) + "\n"


def together(pieces):
    pieces = list(pieces)
    places = [0, *pl.Series([piece.frame.height for piece in pieces]).cum_sum().to_list()]
    assert [piece.first_row for piece in pieces] == places[:-1]
    assert [piece.done for piece in pieces] == sorted(piece.done for piece in pieces)
    assert pieces[-1].done == 1
    return pl.concat([piece.frame for piece in pieces]), len(pieces)


@pytest.mark.parametrize("size", [100, 333, 4096, 1 << 20])
@pytest.mark.parametrize(
    "change", ["as it is", "\r\n", "\r", "no last line end", "byte order mark", "blank lines", "gz"]
)
def test_text_in_pieces_is_the_whole(text, size, change, tmp_path):
    content = text.encode()
    if change in ("\r\n", "\r"):
        content = text.replace('"two\nlines"', '"two"').replace("\n", change).encode()
    elif change == "no last line end":
        content = content.rstrip(b"\n")
    elif change == "byte order mark":
        content = b"\xef\xbb\xbf" + content
    elif change == "blank lines":
        content = b"\n\n" + content.replace(b"\n3", b"\n\n\n3") + b"\n\n\n"
    path = tmp_path / ("t.csv.gz" if change == "gz" else "t.csv")
    path.write_bytes(gzip.compress(content) if change == "gz" else content)
    words = {"job", "code"}
    whole, _ = read_table(path, words)
    found, count = together(table_pieces(path, words, size))
    assert found.equals(whole)
    assert count > 3 or size > 4000


def test_separators_are_seen_once(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n" + "".join(f"{i},5;x\n" for i in range(100)))
    with pytest.raises(DataError, match="numbers with a decimal point"):
        list(table_pieces(path, (), 100))
    found, _ = together(table_pieces(path, ("a",), 100))
    assert found["a"][99] == "99,5"


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_other_files(ending, tmp_path):
    frame = pl.DataFrame({"x": range(ROWS * 2 + 5), "job": ["a"] * (ROWS * 2 + 5)})
    path = tmp_path / f"t.{ending}"
    (frame.write_parquet if ending == "parquet" else frame.write_ipc)(path)
    found, count = together(table_pieces(path))
    assert found.equals(frame)
    assert count >= 3 or ending == "arrow"


@pytest.mark.parametrize(
    ("name", "content", "piece"),
    [("t.csv", b"", "empty"), ("t.csv", b"a,b\n", "one line only"), ("t.csv", b"\n\n", "blank"),
     ("t.csv", b"a,b\n" + b"1,2\n" * 100 + b"1\n", "rows from"),
     ("t.csv", b"a,b\n" + b"1,2\n" * 100 + b'"1,2\n' * 3, "quote"), ("t.png", b"x", "ending in"),
     ("t.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 100, mtime=0)[:-9], "gzip"), ("t.parquet", b"PAR1", "Parquet"),
     ("t.parquet", b"PAR1" + b"x" * 100 + b"PAR1", "Parquet"), ("t.arrow", b"ARROW1", "Arrow"),
     ("t.csv", b"a,b\n" + b"1,2\n" * 100 + b"\xff,2\n", "UTF-8")],
)  # fmt: skip
def test_what_cannot_be_read(name, content, piece, tmp_path, refuses):
    (tmp_path / name).write_bytes(content)
    with refuses(DataError, piece):
        list(table_pieces(tmp_path / name, (), 64))


@pytest.mark.parametrize("frame", [pl.DataFrame({"a": pl.Series([], dtype=pl.Int64)}), pl.DataFrame()])
def test_a_file_without_rows_is_refused(frame, tmp_path, refuses):
    for write, name in ((frame.write_parquet, "t.parquet"), (frame.write_ipc, "t.arrow")):
        write(tmp_path / name)
        with refuses(DataError, "at least one row and one column"):
            list(table_pieces(tmp_path / name))


def test_a_quote_that_is_never_closed_ends(tmp_path, refuses, monkeypatch):
    monkeypatch.setattr("layerwise.data.streams._LONGEST_LINE", 1000)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n" + '"1,2\n' + "1,2\n" * 1000)
    pieces = table_pieces(tmp_path / "t.csv", (), 64)
    with refuses(DataError, "quote"):
        for _ in range(100):
            next(pieces)


def test_a_quote_that_is_never_closed_before_millions_of_lines(tmp_path, refuses):
    (tmp_path / "t.csv").write_bytes(b'a\n1\n"' + b"1\n" * 5_000_000)
    began = time.process_time()
    with refuses(DataError, "quote"):
        list(table_pieces(tmp_path / "t.csv", (), 1 << 20))
    assert time.process_time() - began < 2


def test_line_ends_of_several_kinds(tmp_path):
    """Python's rule: each is one; the header ends at the first of them."""
    (tmp_path / "t.csv").write_bytes(b"a,b\r1,2\n3,4\r\n5,6\n" + b"7,8\n" * 20)
    frame, count = together(table_pieces(tmp_path / "t.csv", (), 10))
    assert frame.equals(read_table(tmp_path / "t.csv")[0])
    assert count > 2


def test_a_long_line_in_small_pieces(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a,b\n" + b"x" * (16 << 20) + b",1\n2,3\n")
    began = time.process_time()
    frame, _ = together(table_pieces(tmp_path / "t.csv", (), 64))
    assert frame["b"].to_list() == [1, 3]
    assert time.process_time() - began < 2


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are Unicode")
def test_a_name_that_is_not_unicode(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.parquet")
    frame = pl.DataFrame({"a": [1, 2]})
    frame.write_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").rename(path)
    assert together(table_pieces(path))[0].equals(frame)


@given(st.text('a"\n', max_size=60))
def test_the_last_line_end_outside_quotes(text):
    ends = [k + 1 for k, letter in enumerate(text) if letter == "\n" and text.count('"', 0, k) % 2 == 0]
    assert _last_line_end(text.encode()) == max(ends, default=0)


def test_what_is_not_there(tmp_path, refuses):
    with refuses(DataError, "nothing of that name"):
        list(table_pieces(tmp_path / "t.csv"))
    with refuses(DataError, "a folder"):
        list(table_pieces(tmp_path))
