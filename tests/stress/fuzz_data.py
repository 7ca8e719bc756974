"""Data files as damage, chance and malice leave them: ``python tests/stress/fuzz_data.py [COUNT] [SEED] [CHILDREN]``.

Each goes through `load`, `read_table`, `table_pieces`, and `layerwise predict` and `evaluate` with a model of the sound
data: an error of Layerwise on one line or an answer, within the limits of cases.py.
"""

from __future__ import annotations

import datetime
import gzip
import io
import os
import random
import struct
import sys
from pathlib import Path

import numpy as np
import polars as pl
from cases import command, main, refused_or

import layerwise as lw
from layerwise.data import DataSet, Preparation, TargetCoding, load, read_table, table_pieces

ROWS = 40
TABLES = (
    "plain.csv", "semicolons.csv", "plain.tsv", "packed.csv.gz", "quoted.txt", "file.parquet", "packed.parquet",
    "file.arrow", "packed.feather", "stream.ipc",
)  # fmt: skip
FOLDERS = ("idx", "idx-gz", "course", "course-gz")
#: Cells, names and words that were trouble somewhere.
WORDS = [
    "", "0", "-0", "1e400", "-1e999", "1e-400", "nan", "inf", "-Infinity", "NA", "null", "9223372036854775808",
    "9" * 400, "0x10", "1_000", "1,5", "١٢", "007", "true", "TRUE", "2024-02-30", "2024-02-29T24:00:00Z",
    "99999-01-01", "-0001-01-01", "9999-12-31 23:59:59.999999999+99:99", '"', '""', '"""', "'", "\n", "\r", "\t",
    ";", "|", ",", "\\", "\0", "\x1a", "\x7f", "\ufeff", "\u2028", "\u202e", "e\u0301" * 200, "😀", "target", "y",
    "__index_level_0__", "=1+1", "%s", "{0}", "[red]", "x" * 20_000, " " * 5000,
]  # fmt: skip
NUMBERS = [0, 1, 2, 3, 4, 127, 128, 255, 256, 2**15, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1]
#: Bytes of a changed file before it is packed, at most: what takes time is to be odd, not large.
MOST = 2 << 20
SOUND: dict[str, bytes] = {}
MODELS: dict[str, str] = {}


# ---- sound data, and models of them ----


def sound_frame() -> pl.DataFrame:
    """A table with every kind of column."""
    number = np.random.default_rng(0)
    x = number.normal(size=ROWS)
    return pl.DataFrame(
        {
            "x": x,
            "whole": number.integers(-5, 50, ROWS),
            "job": [("clerk", "cook, chief", 'the "boss"', None)[k % 4] for k in range(ROWS)],
            "there": [k % 3 == 0 for k in range(ROWS)],
            "born": [datetime.date(1990, 1, 1) + datetime.timedelta(days=37 * k) for k in range(ROWS)],
            "y": ["yes" if value > 0 else "no" for value in x],
        }
    )


def sound_tables(frame: pl.DataFrame) -> dict[str, bytes]:
    """The table as files of every format."""
    text = frame.write_csv()
    made = {
        "plain.csv": text.encode(),
        "semicolons.csv": b"\xef\xbb\xbf" + frame.write_csv(separator=";").replace("\n", "\r\n").encode(),
        "plain.tsv": frame.write_csv(separator="\t").encode(),
        "packed.csv.gz": gzip.compress(text.encode(), mtime=0),
        "quoted.txt": frame.write_csv(separator="|", quote_style="always").encode(),
    }
    kinds = frame.with_columns(pl.col("job").cast(pl.Categorical), pl.col("born").cast(pl.Datetime("ms")))
    for name, write in {
        "file.parquet": lambda file: frame.write_parquet(file, compression="uncompressed", row_group_size=16),
        "packed.parquet": lambda file: kinds.write_parquet(file, compression="zstd", data_page_size=64),
        "file.arrow": lambda file: frame.write_ipc(file, compression="uncompressed"),
        "packed.feather": lambda file: kinds.write_ipc(file, compression="lz4"),
        "stream.ipc": lambda file: frame.write_ipc_stream(file, compression="zstd"),
    }.items():
        buffer = io.BytesIO()
        write(buffer)
        made[name] = buffer.getvalue()
    return made


def idx(array: np.ndarray, code: int = 8) -> bytes:
    """An array as an IDX file."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.tobytes()


def sound_images() -> dict[str, bytes]:
    """IDX files and digit files of the course by their names in folders."""
    number = np.random.default_rng(1)
    made = {}
    for start, rows in (("train", 20), ("t10k", 8)):
        labels = np.arange(rows, dtype=np.uint8) % 3
        pixels = number.integers(0, 256, (rows, 4, 5)).astype(np.uint8)
        made |= {f"idx/{start}-images-idx3-ubyte": idx(pixels), f"idx/{start}-labels-idx1-ubyte": idx(labels)}
    for part in ("train", "valid"):
        rows = [[*number.integers(0, 2, 784).tolist(), k % 3] for k in range(12)]
        made[f"course/digits{part}.txt"] = "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
    packed = {name.replace("/", "-gz/", 1) + ".gz": gzip.compress(content, mtime=0) for name, content in made.items()}
    return made | packed


def save_model(data: DataSet, folder: Path) -> None:
    """Save a model for the data, which training would only make slower to get."""
    part = next(iter(data.parts.values()))
    if data.kind == "images":
        preparation = Preparation.for_images(data.image_shape, data.pixel_max)
    else:
        preparation = Preparation.fit(part.features)
    target = TargetCoding.fit(part.target, name=data.target_name)
    net = lw.Network(preparation.n_inputs, [4], len(target.classes))
    lw.save(folder, lw.Model(net, net.initialize(0), lw.History("accuracy")), preparation=preparation, target=target)


def prepare(place: Path) -> None:
    """Make the sound data and a model of each kind of them."""
    SOUND.update(sound_tables(sound_frame()) | sound_images())
    for name, content in SOUND.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(content)
    for kind, data in (("table", "plain.csv"), ("idx", "idx"), ("course", "course")):
        MODELS[kind] = str(place / f"model-{kind}")
        save_model(load(place / data), Path(MODELS[kind]))
    for name in (*TABLES, *FOLDERS):
        came = attempt(place / name)
        assert came == "works", (name, came)


# ---- changes ----


def change_bytes(content: bytes, chance: random.Random) -> bytes:
    """Turn over, cut out, double, insert or repeat some bytes, or end too early."""
    at = chance.randrange(len(content) + 1)
    length = min(chance.choice([1, 1, 1, 2, 4, 8, 100, 1000]), len(content) - at)
    part = content[at : at + length]
    match chance.randrange(9):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + content[at + length :]
        case 2:
            return content[:at] + part * chance.choice([2, 3, 1000]) + content[at + length :]
        case 3:
            return content[:at] + chance.randbytes(length) + content[at:]
        case 4:
            return content[:at] + bytes([chance.choice([0, 255])]) * length + content[at + length :]
        case 5:
            number = chance.choice(NUMBERS) * chance.choice([1, 1, 2**16, 2**32]) % 2**64
            form = chance.choice(["<I", ">I", "<Q", ">Q", "<H"])
            packed = struct.pack(form, number % 2 ** (8 * struct.calcsize(form)))
            return content[:at] + packed + content[at + len(packed) :]
        case 6 if content:
            at = min(at, len(content) - 1)
            return content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :]
        case _:
            return content[:at] + chance.randbytes(length) + content[at + length :]


def change_end(content: bytes, chance: random.Random) -> bytes:
    """Change bytes near the end, where Parquet and Arrow say what is in the file."""
    cut = max(len(content) - chance.choice([8, 40, 400, 1500]), 0)
    return content[:cut] + change_bytes(content[cut:], chance)


def change_text(content: bytes, chance: random.Random) -> bytes:
    """Change cells, names, separators, quotes and lines."""
    text = content.decode("utf-8", "replace")
    separator = max(",;\t|", key=text.split("\n", 1)[0].count)
    lines = text.split("\n")
    line = chance.choice([0, chance.randrange(len(lines))])
    cells = lines[line].split(separator)
    cell = chance.randrange(len(cells))
    match chance.randrange(10):
        case 0:
            cells.insert(cell, chance.choice(WORDS))
        case 1:
            del cells[cell]
        case 2:
            word = chance.choice(WORDS)
            return "\n".join(separator.join([word] * len(row.split(separator))) for row in lines).encode()
        case 3:
            word = chance.choice(WORDS)
            rows = [row.split(separator) for row in lines]
            for row in rows[1:]:
                row[min(cell, len(row) - 1)] = word
            return "\n".join(map(separator.join, rows)).encode()
        case 4:
            lines = lines[:line] + lines[line : line + 1] * chance.choice([0, 2, 300]) + lines[line + 1 :]
            return "\n".join(lines).encode()
        case 5:
            swaps = [(separator, ","), (separator, "\t"), ("\n", "\r"), ('"', ""), (".", ","), ("\n", "\n\n")]
            return text.replace(*chance.choice([*swaps, ("\n", separator), ("\n", '"\n')])).encode()
        case 6:
            return text.encode(chance.choice(["utf-16", "utf-8-sig", "latin-1", "utf-7"]), "replace")
        case 7:
            lines[line] = separator * chance.choice([1, 50, 20_000])
            return "\n".join(lines).encode()
        case _:
            cells[cell] = chance.choice([chance.choice(WORDS), chance.choice(WORDS) + cells[cell], f'"{cells[cell]}'])
    lines[line] = separator.join(cells)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def bomb(chance: random.Random, piece: bytes, head: bytes = b"") -> bytes:
    """A small gzip file that unpacks to gigabytes."""
    level = chance.choice([1, 9])
    return gzip.compress(head) + gzip.compress(piece * (8 << 20 >> (len(piece) - 1).bit_length()), level) * 400


def change_idx(content: bytes, chance: random.Random) -> bytes:
    """Change the type, the number of dimensions or a size in an IDX header."""
    header = bytearray(content)
    if len(header) < 20:
        return change_bytes(content, chance)
    match chance.randrange(3):
        case 0:
            header[2] = chance.choice([8, 9, 11, 12, 13, 14, 10, 255])
        case 1:
            header[3] = chance.choice([0, 1, 2, 3, 4, 33, 100, 255])
        case _:
            at = 4 + 4 * chance.randrange(3)
            header[at : at + 4] = struct.pack(">I", chance.choice(NUMBERS))
    return bytes(header)


def strange_frame(chance: random.Random) -> pl.DataFrame:
    """A table of columns that are allowed in Parquet and Arrow, but odd."""
    rows = chance.choice([0, 1, 2, ROWS])
    values: list[tuple[list[object], pl.DataType | type[pl.DataType]]] = [
        ([[1, 2]], pl.List(pl.Int64)), ([{"a": 1}], pl.Struct({"a": pl.Int64})), ([b"\0\xff"], pl.Binary),
        ([2**127 - 1], pl.Int128), ([None], pl.Null), ([float("nan")], pl.Float32), ([float("inf")], pl.Float64),
        ([10**30], pl.Decimal(38, 0)), ([datetime.time(1)], pl.Time), ([datetime.timedelta(10**8)], pl.Duration("us")),
        ([-(2**63) + 1], pl.Int64), ([2**64 - 1], pl.UInt64), (["\n"], pl.String), ([datetime.date.min], pl.Date),
        ([datetime.datetime.max], pl.Datetime("us", "Asia/Tokyo")), (["a"], pl.Enum(["a", "b"])), ([True], pl.Boolean),
    ]  # fmt: skip
    columns = {}
    for k in range(chance.choice([0, 1, 2, 6])):
        cells, kind = chance.choice(values)
        name = chance.choice([*sound_frame().columns, chance.choice(WORDS)[:100], f"c{k}"])
        columns[name] = pl.Series(name, cells * rows, dtype=kind)
    return pl.DataFrame(columns)


def changed(name: str, content: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Change the content of a file somehow; say how."""
    packed = name.endswith(".gz")
    plain = gzip.decompress(content) if packed else content
    is_text = name.startswith("course") or Path(name.removesuffix(".gz")).suffix in (".csv", ".tsv", ".txt")
    if packed and chance.random() < 0.15:
        piece = chance.choice([b"\0", b"1", b"\n", b'"', b",", b"1,2,cook,true,1990-01-01,yes\n", b"1\n"])
        return "bomb", bomb(chance, piece, chance.choice([b"", plain]))
    if packed and chance.random() < 0.3:
        return "gzip", change_bytes(content, chance)
    ways = [(change_bytes, 2)]
    if is_text:
        ways.append((change_text, 5))
    elif name.startswith("idx"):
        ways.append((change_idx, 3))
    else:
        ways.append((change_end, 3))
    said = []
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        way = chance.choices([way for way, _ in ways], [weight for _, weight in ways])[0]
        if plain:
            plain = way(plain, chance)[:MOST]
            said.append(way.__name__)
    return ", ".join(said), gzip.compress(plain, 1) if packed else plain


def make(chance: random.Random, folder: Path) -> str:
    """Write one changed file, or a folder of images with one changed file."""
    if chance.random() < 0.25:
        kind = chance.choice(FOLDERS)
        files = {name: content for name, content in SOUND.items() if name.startswith(kind + "/")}
        worse = chance.choice(sorted(files))
        how, files[worse] = changed(worse, files[worse], chance)
        if chance.random() < 0.1:
            del files[chance.choice(sorted(files))]
        (folder / kind).mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return f"{worse}: {how}"
    name = chance.choice(TABLES)
    if name.endswith((".parquet", ".arrow")) and chance.random() < 0.15:
        frame, buffer = strange_frame(chance), io.BytesIO()
        (frame.write_parquet if name.endswith(".parquet") else frame.write_ipc)(buffer)
        how, content = "strange columns", buffer.getvalue()
    else:
        how, content = changed(name, SOUND[name], chance)
    shown = name
    if chance.random() < 0.1:  # another name, or the ending of another format
        stem, ending = name.split(".", 1)
        shown = chance.choice([
            f"a*[b]?.{ending}", f"two\nlines.{ending}", f"ä😀.{ending}", os.fsdecode(b"\xff.") + ending,
            f"{stem}{chance.choice(TABLES)}", f"{stem}.{ending.upper()}", stem, f"{stem}.gz",
        ])  # fmt: skip
    (folder / shown).write_bytes(content)
    return f"{name}: {how}"


# ---- use ----


def attempt(source: Path) -> str:
    """Do with a data file, or the one in a folder, all that is done with them."""
    if source.name == "case":
        (source,) = source.iterdir()
    came = {refused_or(lambda: load(source))}
    if source.is_dir():
        model = MODELS[source.name.removesuffix("-gz")]
    else:
        model = MODELS["table"]
        small = 1 << 20 if source.name.endswith(".gz") else max(300, source.stat().st_size // 10)
        came |= {
            refused_or(lambda: read_table(source)),
            refused_or(lambda: list(table_pieces(source))),
            refused_or(lambda: list(table_pieces(source, piece=small))),
        }
    came |= {
        command("predict", model, str(source), "--quiet"),
        command("evaluate", model, str(source), "--quiet", "--resamples", "5"),
    }
    return "works" if came == {"works"} else "refused" if came == {"refused"} else "works in part"


if __name__ == "__main__":
    sys.exit(main("fuzz_data", sys.argv[1:]))
