"""Image folders: IDX files and the course's digit files, whole and damaged."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from layerwise.data import load
from layerwise.data.images import read_idx
from layerwise.errors import DataError, SpecificationError

CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


def idx(array, kind="u1"):
    header = bytes([0, 0, CODES[kind], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(kind).tobytes()


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (6, 3, 4), np.uint8)


@pytest.fixture
def folder(write, tmp_path, pixels):
    """A folder of 4 training and 2 test images."""
    write("train-images-idx3-ubyte", idx(pixels[:4]))
    write("train-labels-idx1-ubyte", idx(np.array([3, 1, 2, 1])))
    write("t10k-images-idx3-ubyte", idx(pixels[4:]))
    write("t10k-labels-idx1-ubyte", idx(np.array([0, 3])))
    write("readme.md", "not an image")
    return tmp_path


def test_idx_folder(folder, pixels):
    data = load(folder)
    assert (data.kind, data.target_name, data.pixel_max, data.image_shape) == ("images", "label", 255.0, (3, 4))
    assert data.name == folder.name
    assert list(data.parts) == ["train", "test"]
    train, test = data.parts["train"], data.parts["test"]
    assert train.features.dtype == np.uint8
    assert train.features.flags.c_contiguous
    np.testing.assert_array_equal(train.features, pixels[:4].reshape(4, 12))
    np.testing.assert_array_equal(test.features, pixels[4:].reshape(2, 12))
    assert train.target.dtype == np.int64
    assert train.target.tolist() == [3, 1, 2, 1]
    assert test.target.tolist() == [0, 3]
    assert len(train) == 4
    assert data.notes == (f"{folder.name}: 3 x 4 pixels from 0 to 255; train 4, test 2",)


def test_idx_pixels_are_not_copied(folder):
    # A view of the bytes that were read cannot be written to; a copy could.
    assert not load(folder).parts["train"].features.flags.writeable


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
def test_idx_names(write, tmp_path, pixels, pack, dotted):
    for name, contents in (("images-idx3", idx(pixels)), ("labels-idx1", idx(np.arange(6)))):
        name = f"train-{name.replace('-idx', '.idx') if dotted else name}-ubyte"
        write(name + ".gz" * pack, gzip.compress(contents) if pack else contents)
    data = load(str(tmp_path))
    assert list(data.parts) == ["all"]
    np.testing.assert_array_equal(data.parts["all"].features, pixels.reshape(6, 12))


def test_unpacked_files_go_first(folder, write, pixels):
    write("train-images-idx3-ubyte.gz", b"not looked at")
    np.testing.assert_array_equal(load(folder).parts["train"].features, pixels[:4].reshape(4, 12))


@pytest.mark.parametrize("kind", CODES)
def test_idx_types(write, kind):
    array = np.arange(12).reshape(3, 2, 2)
    read = read_idx(write("any", idx(array, kind)))
    assert read.dtype == np.dtype(kind)
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("name", "contents", "pieces"),
    [
        ("train-images-idx3-ubyte", b"", ["an empty file"]),
        ("train-images-idx3-ubyte", b"\0\0", ["an IDX file", "00 00"]),
        ("train-images-idx3-ubyte", b"garbage of some length", ["an IDX file", "67 61 72 62"]),
        ("train-images-idx3-ubyte", b"\0\0\x07\x03" + bytes(40), ["an IDX file"]),
        ("train-images-idx3-ubyte", b"\0\0\x08\x00" + bytes(40), ["an IDX file"]),
        ("train-images-idx3-ubyte", b"\0\0\x08\x03\0\0\0\x04\0", ["a complete header", "9 bytes"]),
        ("train-images-idx3-ubyte", b"\0\0\x08\x03", ["a complete header", "4 bytes"]),
        ("train-images-idx3-ubyte", idx(np.zeros((4, 3, 4)))[:-1], ["64 bytes", "63 bytes"]),
        ("train-images-idx3-ubyte", idx(np.zeros((4, 3, 4))) + b"x", ["64 bytes", "65 bytes"]),
        ("train-images-idx3-ubyte", idx(np.zeros((4, 12))), ["images of bytes", "4 x 12 of uint8"]),
        ("train-images-idx3-ubyte", idx(np.zeros((0, 3, 4))), ["at least one value", "0 x 3 x 4"]),
        ("train-images-idx3-ubyte", b"\0\0\x08\x03" + bytes(4) + b"\xff" * 8, ["at least one value"]),
        ("train-images-idx3-ubyte", b"\0\0\x08\x10" + b"\xff" * 64, ["more bytes than a file can have"]),
        ("train-images-idx3-ubyte", b"\0\0\x08\x11" + b"\0\0\0\1" * 17 + b"x", ["1 to 16 dimensions"]),
        ("train-images-idx3-ubyte", idx(np.zeros((4, 3, 4)), ">f4"), ["images of bytes", "float32"]),
        ("train-labels-idx1-ubyte", idx(np.zeros(3)), ["4 whole numbers", "train-images-idx3-ubyte", "3 of uint8"]),
        ("train-labels-idx1-ubyte", idx(np.zeros((4, 1))), ["4 whole numbers", "4 x 1"]),
        ("train-labels-idx1-ubyte", idx(np.zeros(4), ">f8"), ["4 whole numbers", "float64"]),
        ("t10k-images-idx3-ubyte", idx(np.zeros((2, 4, 3))), ["the same size as in training", "4 x 3 pixels"]),
    ],
)
def test_damaged_idx(folder, write, fails, name, contents, pieces):
    write(name, contents)
    with fails(DataError, name, *pieces):
        load(folder)


@pytest.mark.parametrize("cut", [30, 9])
def test_truncated_gzip_idx(folder, write, fails, pixels, cut):
    (folder / "train-images-idx3-ubyte").unlink()
    write("train-images-idx3-ubyte.gz", gzip.compress(idx(pixels[:4]))[:cut])
    with fails(DataError, "train-images-idx3-ubyte.gz", "complete gzip file"):
        load(folder)


@pytest.mark.parametrize(("gone", "stays"), [("images-idx3", "labels-idx1"), ("labels-idx1", "images-idx3")])
@pytest.mark.parametrize("start", ["train", "t10k"])
def test_half_a_pair(folder, fails, gone, stays, start):
    (folder / f"{start}-{gone}-ubyte").unlink()
    with fails(DataError, f"{start}-{gone.split('-')[0]} beside {start}-{stays}-ubyte"):
        load(folder)


def test_no_training_part(folder, fails):
    for what in ("images-idx3", "labels-idx1"):
        (folder / f"train-{what}-ubyte").unlink()
    with fails(DataError, "a training part", "only test"):
        load(folder)


def test_folder_of_something_else(tmp_path, write, fails):
    with fails(DataError, "IDX", "digitstrain.txt", "check the path"):
        load(tmp_path)
    path = write("train.parquet", b"")
    with fails(DataError, "name one file", str(path)):
        load(tmp_path)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "digitstrain.txt.gz"])
def test_one_file_of_a_folder(tmp_path, write, fails, name):
    path = write(name, b"")
    with fails(DataError, name, "the folder", str(tmp_path)):
        load(path)


def course(rng, n):
    pixels = np.round(rng.integers(0, 256, (n, 784)) / 255, 4)
    labels = rng.integers(0, 10, n)
    lines = [",".join([*(f"{x:.4f}" for x in row), str(label)]) for row, label in zip(pixels, labels, strict=True)]
    return "\n".join(lines) + "\n", pixels, labels


@pytest.mark.parametrize("pack", [False, True])
def test_course_folder(tmp_path, write, pack):
    made = {}
    for seed, name in enumerate(("train", "valid", "test")):
        text, *made[name] = course(np.random.default_rng(seed), 3 + seed)
        write(f"digits{name}.txt" + ".gz" * pack, gzip.compress(text.encode()) if pack else text)
    data = load(tmp_path)
    assert (data.kind, data.target_name, data.pixel_max, data.image_shape) == ("images", "digit", 1.0, (28, 28))
    assert list(data.parts) == ["train", "validation", "test"]
    for name, part in zip(("train", "valid", "test"), data.parts.values(), strict=True):
        np.testing.assert_array_equal(part.features, made[name][0])
        np.testing.assert_array_equal(part.target, made[name][1])
        assert part.features.dtype == np.float64
        assert part.features.flags.c_contiguous
        assert part.target.dtype == np.int64


@pytest.mark.parametrize(
    ("change", "pieces"),
    [
        (lambda rows: rows[1].pop(), ["785 cells", "784 in data row 2"]),
        (lambda rows: rows[1].__setitem__(4, "1.5"), ["pixels from 0 to 1", "'1.5' in data row 2, pixel 5"]),
        (lambda rows: rows[0].__setitem__(0, "-0.1"), ["pixels from 0 to 1", "'-0.1' in data row 1, pixel 1"]),
        (lambda rows: rows[0].__setitem__(0, "x"), ["pixels from 0 to 1", "'x' in data row 1"]),
        (lambda rows: rows[0].__setitem__(0, ""), ["pixels from 0 to 1", "data row 1"]),
        (lambda rows: rows[0].__setitem__(0, "nan"), ["pixels from 0 to 1", "'nan' in data row 1"]),
        (lambda rows: rows[1].__setitem__(784, "10"), ["labels from 0 to 9", "'10' in data row 2"]),
        (lambda rows: rows[1].__setitem__(784, "2.5"), ["labels from 0 to 9", "'2.5' in data row 2"]),
        (lambda rows: rows[1].__setitem__(784, ""), ["labels from 0 to 9", "data row 2"]),
    ],
)
def test_damaged_course_file(tmp_path, write, fails, change, pieces):
    rows = [line.split(",") for line in course(np.random.default_rng(0), 2)[0].splitlines()]
    change(rows)
    write("digitstrain.txt", "\n".join(",".join(row) for row in rows))
    with fails(DataError, "digitstrain.txt", *pieces):
        load(tmp_path)


def test_options_that_images_do_not_have(folder, fails):
    with fails(SpecificationError, "target", "'label', the only target"):
        load(folder, target="digit")
    with fails(SpecificationError, "test", "the files of all parts into one folder"):
        load(folder, test="t.csv")
    with fails(SpecificationError, "validation"):
        load("digits", validation="t.csv")
    assert load(folder, target="label").target_name == "label"
