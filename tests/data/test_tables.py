"""Reading tables: what cells become, and what is refused."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import os
import tracemalloc
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.data.columns import MISSING, plain
from layerwise.data.streams import table_pieces
from layerwise.data.tables import plain_table, read_table
from layerwise.data.text import cells_of_text
from layerwise.errors import DataError, InputError


def cells(write, text, name="t.csv", words=()):
    """One text file's columns as lists, and its notes."""
    table, notes = read_table(write(name, text), words)
    return table.to_dict(as_series=False), notes


def one(write, *lines):
    """The column made of these lines, beside a column that keeps blank ones apart."""
    table, _ = read_table(write("t.csv", "x,k\n" + "".join(f"{line},z\n" for line in lines)))
    return table["x"]


@pytest.mark.parametrize(
    ("lines", "kind", "values"),
    [
        (["1", "2"], pl.Int64, [1, 2]),
        ([" 1", "2 "], pl.Int64, [1, 2]),
        (['"1"', '"2"'], pl.Int64, [1, 2]),
        (["+1", "-2"], pl.Int64, [1, -2]),
        (["007", "010"], pl.Int64, [7, 10]),
        (["1", "2.5"], pl.Float64, [1.0, 2.5]),
        (["1e5", ".5", "5."], pl.Float64, [1e5, 0.5, 5.0]),
        (["12345678901234567890", "1"], pl.Float64, [12345678901234567890.0, 1.0]),
        (["9" * 50, "1"], pl.Float64, [1e50, 1.0]),
        (["", "2"], pl.Int64, [None, 2]),
        (["NaN", "2"], pl.Float64, [None, 2.0]),
        ([" ? ", "2.5", "NA"], pl.Float64, [None, 2.5, None]),
        (["", ""], pl.Float64, [None, None]),
        (["NA", "?"], pl.Float64, [None, None]),
        (["true", "false"], pl.Boolean, [True, False]),
        (["True", "", "FALSE"], pl.Boolean, [True, None, False]),
        (["true", "1"], pl.String, ["true", "1"]),
        (["yes", "no"], pl.String, ["yes", "no"]),
        (["a", " b  "], pl.String, ["a", "b"]),
        (["None", "a", "none"], pl.String, ["None", "a", "none"]),
        (['"a, ""b"""', "c"], pl.String, ['a, "b"', "c"]),
        (['"two\nlines"', "c"], pl.String, ["two\nlines", "c"]),
        (["1_000", "2"], pl.String, ["1_000", "2"]),
        (["0x1F", "2"], pl.String, ["0x1F", "2"]),
        (["café", "naïve"], pl.String, ["café", "naïve"]),
        (["1970-01-02", ""], pl.Float64, [1.0, None]),
        (["1970-01-02 12:00", "1970-01-01 06:00"], pl.Float64, [1.5, 0.25]),
        (["1970-01-02T12:00:00", "1969-12-31 00:00:00"], pl.Float64, [1.5, -1.0]),
        (["1970-01-02T12:00:00.0Z", "1970-01-01T02:00:00+02:00"], pl.Float64, [1.5, 0.0]),
        (["2020-02-31", "2020-01-01"], pl.String, ["2020-02-31", "2020-01-01"]),
        (["01/02/2020", "03/04/2020"], pl.String, ["01/02/2020", "03/04/2020"]),
    ],
)
def test_cells_become_numbers_or_words(write, lines, kind, values):
    column = one(write, *lines)
    assert column.dtype == kind
    assert column.to_list() == values


@pytest.mark.parametrize("spelling", [word for word in MISSING if word])
def test_every_spelling_of_missing(write, spelling):
    assert one(write, "3", f" {spelling} ").to_list() == [3, None]
    assert one(write, "a", f'"{spelling}"').to_list() == ["a", None]


def test_a_late_row_decides_the_type(write):
    late = cells(write, "x,y\n" + "1,a\n" * 20_000 + "2.5,b\n")[0]["x"]
    assert late[0] == 1.0
    assert late[-1] == 2.5
    assert cells(write, "x,y\n" + "1,a\n" * 20_000 + "word,b\n")[0]["x"][-1] == "word"


def test_columns_kept_as_words(write):
    assert cells(write, "zip,n\n00501,1\n,2\n", words=["zip", "not there"])[0] == {"zip": ["00501", None], "n": [1, 2]}


def test_dates_leave_a_note(write):
    assert cells(write, "day,n\n2000-01-01,1\n")[1] == ("day: taken as days since 1970-01-01",)


@pytest.mark.parametrize(
    ("name", "text", "note"),
    [
        ("t.csv", "a,b c\n1,x\n", ()),
        ("t.tsv", "a\tb c\n1\tx\n", ()),
        ("t.txt", "a\tb c\n1\tx\n", ()),
        ("t.TXT", "a,b c\r\n1,x\r\n", ()),
        ("t.csv", "a;b c\n1;x\n", ("t.csv: cells are separated by semicolons",)),
        ("t.csv", "a|b c\n1|x", ("t.csv: cells are separated by bars",)),
        ("t.csv", "\ufeffa,b c\n1,x\n", ()),
        ("t.csv", "\n\n a , b   c \n\n1,x\n\n\n", ()),
        ("t.csv", "a,b c\r\n\r\n1,x\r\n\r\n", ()),
        ("t.csv", "a,b c\r1,x\r", ()),
        ("t.csv", '"a", "b\nc"\n1,"x"\n', ()),
        ("t.csv", "a,b c,\n1,x,\n".replace(",\n", "\n"), ()),
    ],
)
def test_ways_of_writing_a_text_file(write, name, text, note):
    assert cells(write, text, name) == ({"a": [1], "b c": ["x"]}, note)


def test_gzip_is_seen_from_the_contents(write):
    packed = gzip.compress(b"a,b\n1,x\n")
    for name in ("t.csv.gz", "t.csv", "t.txt.gz"):
        assert cells(write, packed, name)[0] == {"a": [1], "b": ["x"]}


def test_blank_lines_inside_quotes_stay(write):
    assert cells(write, 'a,b\n1,"x\n\ny"\n\n2,z\n')[0] == {"a": [1, 2], "b": ["x\n\ny", "z"]}


def test_row_labels_of_pandas_are_left_out(write):
    table, notes = cells(write, ",a,b\n5,1,x\n3,2,y\n")
    assert table == {"a": [1, 2], "b": ["x", "y"]}
    assert notes == ("the first column: left out (it has no name and numbers the rows)",)


def test_whole_days_are_whole(write):
    days = [f"{year}-03-{day:02}" for year in range(1700, 2300, 7) for day in (1, 17)]
    column = one(write, *days)
    assert (column == column.round()).all()
    assert one(write, "2000-01-01 00:00:00.25", "2000-01-01 00:00:00")[0] == pytest.approx(
        10957 + 0.25 / 86400, abs=1e-12
    )


def test_thousands_of_columns(write):
    names = [f"c{k}" for k in range(5000)]
    text = "\n".join([",".join(names), *(",".join(str(row * k) for k in range(5000)) for row in range(3))])
    table, _ = read_table(write("wide.csv", text))
    assert table.shape == (3, 5000)
    assert table["c4999"].to_list() == [0, 4999, 9998]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", ["an empty file"]),
        ("\n\n", ["blank lines only"]),
        ("a,b\n", ["header line and data rows", "one line only"]),
        ("a,b", ["one line only"]),
        ("a,b\n1,2\n3\n", ["2 cells in every row", "1 in data row 2"]),
        ("a,b\n1,2,3\n4,5\n", ["3 in data row 1"]),
        ("a,b,c\n1,2\n3,4,5,6\n", ["2 in data row 1"]),
        ('a,b\n1,"x,y"\n"3,4"\n', ["1 in data row 2"]),
        ('a,b\n1,2\n"3,4\n5,6\n', ["data row 2", "a quote that is opened and not closed"]),
        ('a,b\n5" pipe,2\n3,4\n6" x,7\n', ["a stray quote near data row 1"]),
        ('a "b,c\n1,2\n', ["a stray quote in the header"]),
        ("a,b,a\n1,2,3\n", ["different column names", "'a' for columns 1 and 3"]),
        ("a, a \n1,2\n", ["'a' for columns 1 and 2"]),
        ("a,,b\n1,2,3\n", ["none for column 2"]),
        (",b\nx,3\ny,4\n", ["none for column 1"]),
        (",b\n1,3\n1,4\n", ["none for column 1"]),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", ["column names", "numbers (5.1, 3.5)", "add a first line with the names"]),
        ("0,0.5,0,1\n4,3.0,5,5\n", ["different column names", "add one"]),
        ("a,b\n1,inf\n", ["column 'b'", "finite", "inf in data row 1"]),
        ("a,b\n1,2\n1e400,3\n", ["column 'a'", "inf in data row 2"]),
        ("a;b\n1;2,5\n2;3,25\n", ["column 'b'", "decimal point", "'2,5'"]),
        (b"a,b\ncaf\xe9,1\n", ["UTF-8", "byte 0xe9 in line 2"]),
        (b"caf\xe9,b\n1,1\n", ["UTF-8", "byte 0xe9 in line 1"]),
        ("a,b\n1,2\n".encode("utf-16"), ["UTF-8 text", "UTF-16"]),
        (b"a,b\n1,\0\n", ["UTF-8 text"]),
        (gzip.compress(bytes(range(256)), mtime=0)[:40], ["complete gzip file", "ends too early"]),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:5], ["complete gzip file", "ends too early"]),
        (b"\x1f\x8bgarbage garbage garbage", ["complete gzip file", "damaged"]),
        (gzip.compress(b"", mtime=0), ["an empty file"]),
    ],
)
def test_bad_text(write, fails, text, pieces):
    path = write("bad.csv", text)
    with fails(DataError, "bad.csv", *pieces):
        read_table(path)


@pytest.mark.parametrize("piece", [b"1,2\n", b"\0", b"1"])
def test_gzip_that_is_made_to_fill_the_memory(write, fails, piece):
    """Three gigabytes out of a few megabytes, and for streams too."""
    part = gzip.compress(piece * ((8 << 20) // len(piece)), 9)
    path = write("t.csv.gz", gzip.compress(b"a,b\n") + part * 400)
    tracemalloc.start()
    with fails(DataError, "t.csv.gz", "at most 100 times its size", "gunzip"):
        read_table(path)
    with fails(DataError, "t.csv.gz"):
        list(table_pieces(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(part) * 400 < 20 << 20
    assert peak < 200 << 20


def test_what_packs_very_well_but_is_small_is_read(write):
    rows = 2_000_000
    assert read_table(write("t.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * rows)))[0].height == rows


def test_damaged_gzip_body(write, fails):
    packed = bytearray(gzip.compress(bytes(range(256)) * 9, mtime=0))
    packed[len(packed) // 2] ^= 0xFF
    path = write("t.csv.gz", bytes(packed))
    with fails(DataError, "t.csv.gz", "complete gzip file", "damaged"):
        read_table(path)


def test_gz_that_is_none(write, fails):
    path = write("t.csv.gz", "a,b\n1,2\n")
    with fails(DataError, "as the ending .gz says", "something else"):
        read_table(path)


@pytest.mark.parametrize("name", ["t.xlsx", "t.json", "t", "t.gz"])
def test_unknown_ending(write, fails, name):
    path = write(name, "a,b\n1,2\n")
    with fails(DataError, name, ".csv, .tsv, .txt", ".parquet, .arrow, .feather or .ipc"):
        read_table(path)


def test_folder_where_a_file_is_expected(tmp_path, fails):
    (tmp_path / "t.csv").mkdir()
    with fails(DataError, "a file", "a folder"):
        read_table(tmp_path / "t.csv")


def test_no_permission(write, fails, monkeypatch):
    path = write("t.csv", "a,b\n1,2\n")

    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    # The tests may run as root, whom no mode keeps out.
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with fails(DataError, "t.csv", "no permission"):
        read_table(path)


def test_reading_fails_on_the_way(write, fails, monkeypatch):
    path = write("t.csv", "a,b\n1,2\n")

    def fail(self):
        raise OSError(5, "Input/output error", str(self))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with fails(DataError, "t.csv", "Input/output error"):
        read_table(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes in folders are of Unix")
def test_no_file_but_a_pipe(tmp_path, fails):
    os.mkfifo(tmp_path / "pipe.csv")
    with fails(DataError, "a device, socket or pipe"):
        read_table(tmp_path / "pipe.csv")


@pytest.mark.parametrize(
    ("column", "kind", "values", "note"),
    [
        (pl.Series("x", [Decimal("1.25"), None]), pl.Float64, [1.25, None], ""),
        (pl.Series("x", [1, 2], dtype=pl.UInt64), pl.UInt64, [1, 2], ""),
        (pl.Series("x", [2**70, None], dtype=pl.Int128), pl.Float64, [2.0**70, None], ""),
        (pl.Series("x", [None, None]), pl.Float64, [None, None], ""),
        (pl.Series("x", ["b", None], dtype=pl.Enum(["a", "b"])), pl.String, ["b", None], ""),
        (pl.Series("x", [datetime.date(1970, 2, 1)]), pl.Float64, [31.0], "x: taken as days since 1970-01-01"),
        (pl.Series("x", [datetime.datetime(1970, 1, 1, 6)]), pl.Float64, [0.25], "x: taken as days since 1970-01-01"),
        (
            pl.Series("x", [datetime.datetime(1970, 1, 1, 6)], dtype=pl.Datetime("ns", "Europe/Berlin")),
            pl.Float64,
            [0.25],
            "x: taken as days since 1970-01-01",
        ),
        (pl.Series("x", [datetime.timedelta(days=2)]), pl.Float64, [2.0], "x: taken as days"),
        (pl.Series("x", [datetime.time(18)]), pl.Float64, [0.75], "x: taken as days"),
    ],
)
def test_typed_columns_become_plain(column, kind, values, note):
    made, said = plain(column, "t")
    assert made.dtype == kind
    assert made.to_list() == values
    assert said == note


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("x", [[1, 2]]),
        pl.Series("x", [{"a": 1}]),
        pl.Series("x", [[1, 2]], dtype=pl.Array(pl.Int64, 2)),
        pl.Series("x", [b"a"]),
        pl.Series("x", [object()], dtype=pl.Object),
    ],
)
def test_columns_without_plain_meaning(fails, column):
    with fails(DataError, "t, column 'x'", "numbers, words, booleans or dates"):
        plain(column, "t")


def test_plain_tables_stay_as_they_are():
    frame = pl.DataFrame({"a": [1.5, None], "b": ["x", None], "c": [True, None], "d": [1, 2]})
    again, notes = plain_table(frame, "t")
    assert again.equals(frame)
    assert notes == ()


def test_only_polars_frames(fails):
    from layerwise.data import Preparation

    with fails(InputError, "a polars.DataFrame", "list"):
        Preparation.fit([[1.0]])  # type: ignore[arg-type]


text = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters='\n",; '), max_size=6)


@settings(deadline=None)
@given(st.lists(st.tuples(text, text), min_size=1, max_size=8), st.sampled_from([",", ";", "\t"]))
def test_words_round_trip(rows, separator):
    """Whatever words a CSV writer quotes come back, spaces around them apart."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("first", "second"), *rows])
    frame, found = cells_of_text(buffer.getvalue().encode("utf-8"), "t.csv")
    assert found == separator
    assert frame.rows() == rows


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_floats_round_trip(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "floats.csv"
    pl.DataFrame({"x": [*values, 0.5], "k": "w"}).write_csv(path)
    table, _ = read_table(path)
    assert [value.hex() for value in table["x"]] == [float(value).hex() for value in [*values, 0.5]]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(2**62), 2**62),
            st.none() | st.booleans(),
            st.none() | st.sampled_from(["red", "light blue", 'it\'s; "quoted", twice']),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_tables_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "mixed.csv"
    frame = pl.DataFrame(
        [*rows, (1, True, "red")], schema={"i": pl.Int64, "b": pl.Boolean, "w": pl.String}, orient="row"
    )
    frame.write_csv(path)
    assert read_table(path)[0].equals(frame)


alphabet = st.sampled_from(
    [b"a", b"1", b".5", b",", b";", b"\t", b"\n", b"\r\n", b'"', b" ", b"", b"NA", b"\xc3\xa9", b"\xe9"]
)


@settings(deadline=None)
@given(st.lists(alphabet, max_size=40).map(b"".join) | st.binary(max_size=30))
def test_any_bytes_are_a_table_or_one_line(tmp_path_factory, contents):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(contents)
    try:
        table, _ = read_table(path)
    except DataError as error:
        message = str(error)
    else:
        message = ""
        assert table.height >= 1
        assert table.width >= 1
        assert set(table.dtypes) <= {pl.Int64, pl.Float64, pl.Boolean, pl.String}
    assert "\n" not in message
