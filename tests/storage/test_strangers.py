"""Folders made by someone who means no good: bounded memory, and one line that says what is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import layerwise as lw
from layerwise.errors import StorageError

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(params=["v1-pay", "v2-classifier"])
def folder(request, tmp_path):
    """A folder of a model, or of an estimator, to be spoilt."""
    return Path(shutil.copytree(FIXTURES / request.param, tmp_path / "m"))


@pytest.fixture
def estimator(tmp_path):
    """A folder of an estimator."""
    return Path(shutil.copytree(FIXTURES / "v2-classifier", tmp_path / "e"))


def edit(folder, how):
    path = folder / "model.json"
    document = json.loads(path.read_text())
    how(document)
    path.write_text(json.dumps(document))


def put(folder, name, content):
    """Write a file with the checksum that belongs to it."""
    (folder / name).write_bytes(content)
    edit(folder, lambda document: document["sha256"].update({name: hashlib.sha256(content).hexdigest()}))


def peak_of_a_refusal(folder):
    """Memory that arrays and Python take until the folder is refused, in MiB."""
    lw.load(FIXTURES / "v2-classifier")  # everything is imported
    tracemalloc.start()
    try:
        with pytest.raises(StorageError) as caught:
            lw.load(folder)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 1500
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model.json", "parameters.safetensors"])
def test_links_out_of_the_folder(folder, refuses, name):
    (folder / name).rename(folder.parent / "elsewhere")
    (folder / name).symlink_to("../elsewhere")
    with refuses(str(folder / name), "a link that leads out of it"):
        lw.load(folder)


def test_links_within_the_folder_and_to_it(folder):
    (folder / "parameters.safetensors").rename(folder / "real")
    (folder / "parameters.safetensors").symlink_to("real")
    (folder.parent / "link").symlink_to("m")
    lw.load(folder.parent / "link")


def test_a_circle_of_links(folder, refuses):
    (folder / "model.json").unlink()
    (folder / "model.json").symlink_to("model.json")
    with refuses("model.json", "check the path"):
        lw.load(folder)


@pytest.mark.parametrize("name", ["model.json", "parameters.safetensors"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file(folder, refuses, name, make):
    """A pipe that nobody writes into would be waited for."""
    (folder / name).unlink()
    make(folder / name)
    with refuses(str(folder / name)):
        lw.load(folder)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "a\\b", "..", ".", "", "c:x", "a\x00b", "x" * 256])
def test_names_that_lead_elsewhere(folder, refuses, name):
    edit(folder, lambda document: document["sha256"].update({name: "0" * 64}))
    with refuses("names of files in the folder"):
        lw.load(folder)


@pytest.mark.parametrize("digest", [None, 3, "", "0" * 63, "0" * 65, "G" * 64, ["0"]])
def test_checksums_that_are_none(folder, refuses, digest):
    edit(folder, lambda document: document["sha256"].update({"parameters.safetensors": digest}))
    with refuses("64 hexadecimal digits"):
        lw.load(folder)


@pytest.mark.parametrize("name", ["history.csv", "training.safetensors", "parameters.safetensors"])
def test_every_file_that_is_read_is_the_one_that_was_saved(estimator, refuses, name):
    content = bytearray((estimator / name).read_bytes())
    content[-2] ^= 1
    (estimator / name).write_bytes(content)
    with refuses(name, "another or damaged one"):
        lw.load(estimator)
    edit(estimator, lambda document: document["sha256"].pop(name))
    with refuses(name, "another or damaged one"):
        lw.load(estimator)


# --- JSON -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ('{"format": "layerwise-model", "format": "layerwise-model"}', ["JSON", "the key 'format' twice"]),
        ('{"format": NaN}', ["JSON", "NaN"]),
        ('{"format": -Infinity}', ["JSON", "-Infinity"]),
        ('{"format": 1e999}', ["JSON", "1e999"]),
        ('{"format": %s}' % ("9" * 5000), ["JSON", "digits"]),
        ('{"format": "\\ud800"}', ["JSON", "surrogates"]),
        ("[" * 500_000, ["JSON"]),
        ('{"a":' * 200_000, ["JSON"]),
        ("\ufeff{}", ["JSON"]),
        ('{"format": "layerwise-model", "version": 1e0}', ["version 1 or 2"]),
        (r'{"format": "layerwise-model", "version": "x\nx\n"}', ["version 1 or 2"]),
    ],
    ids=str,
)
def test_json_that_no_one_writes(folder, refuses, text, pieces):
    (folder / "model.json").write_text(text)
    with refuses(*pieces):
        lw.load(folder)


def test_a_huge_description_is_not_read(folder):
    with (folder / "model.json").open("r+b") as file:
        file.truncate(1 << 40)  # a terabyte that takes no room on the disk
    assert peak_of_a_refusal(folder) < 2


def test_a_description_of_very_many_values_is_not_parsed(folder):
    (folder / "model.json").write_bytes(b'{"format": [' + b"{}," * 5_000_000 + b"0]}")
    assert peak_of_a_refusal(folder) < 60  # the text is 14 MiB; five million dicts take 300


# --- sizes ------------------------------------------------------------------------------------------------------------


def everywhere(document, units):
    document["network"]["layers"][0]["units"] = units
    return document


@pytest.mark.parametrize(
    "units", [10**6, 10**12, 2**62, 10**18, 10**300], ids=["10^6", "10^12", "2^62", "10^18", "10^300"]
)
def test_absurd_sizes_are_refused_before_anything_of_that_size_is_made(folder, units):
    edit(folder, lambda document: everywhere(document, units))
    assert peak_of_a_refusal(folder) < 5


@pytest.mark.parametrize("shape", [[10**12], [2**63, 2**63], [10**12, 4], [-1, -4], [4.0], ["4"], [True], [[4]], None])
@pytest.mark.parametrize("name", ["parameters.safetensors", "training.safetensors"])
def test_absurd_headers(estimator, shape, name):
    content = (estimator / name).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    next(iter(header.values()))["shape"] = shape
    text = json.dumps(header).encode()
    put(estimator, name, struct.pack("<Q", len(text)) + text + content[8 + length :])
    assert peak_of_a_refusal(estimator) < 5


@pytest.mark.parametrize("name", ["parameters.safetensors", "training.safetensors"])
@pytest.mark.parametrize("length", [0, 10**6, 2**40, 2**64 - 1])
def test_absurd_lengths_of_headers(estimator, name, length):
    put(estimator, name, struct.pack("<Q", length) + (estimator / name).read_bytes()[8:])
    assert peak_of_a_refusal(estimator) < 5


@pytest.mark.parametrize("name", ["parameters.safetensors", "training.safetensors", "history.csv"])
def test_a_terabyte_of_nothing_is_not_read(estimator, name):
    with (estimator / name).open("r+b") as file:
        file.truncate(1 << 40)
    assert peak_of_a_refusal(estimator) < 5


def test_a_history_of_very_many_epochs_is_not_parsed(estimator):
    header = (estimator / "history.csv").read_text().splitlines()[0]
    put(estimator, "history.csv", (header + "\n" + "1,1,1,1,1,1,1,1,,,,1\n" * 1_000_000).encode())
    assert peak_of_a_refusal(estimator) < 80  # the text is 20 MiB, and read twice


@pytest.mark.parametrize(
    "line", ["1", "1,2", "x" * 20, "1,1,a,1,1,1,1,1,,,,1", '"', "-1,1,1,1,1,1,1,1,,,,1", "9" * 200_000]
)
def test_histories_that_are_none(estimator, line):
    header = (estimator / "history.csv").read_text().splitlines()[0]
    put(estimator, "history.csv", f"{header}\n{line}\n".encode())
    assert peak_of_a_refusal(estimator) < 5
    put(estimator, "history.csv", line.encode())
    assert peak_of_a_refusal(estimator) < 5


# --- estimators -------------------------------------------------------------------------------------------------------


def at(*path):
    """Return what sets one value of a description."""

    def change(value):
        def how(document):
            for key in path[:-1]:
                document = document[key]
            document[path[-1]] = value

        return how

    return change


ESTIMATOR = at("estimator")
CLASSES = at("estimator", "labels", "classes")
PARAMETERS = "estimator", "parameters"
FITTED = "estimator", "networks", 0, "fitted"


@pytest.mark.parametrize(
    ("how", "pieces"),
    [
        (ESTIMATOR("MLPClassifier"), ["an estimator"]),
        (ESTIMATOR({}), ["none of 'class'"]),
        (at("estimator", "class")("MLPClasifier"), ["did you mean 'MLPClassifier'?"]),
        (at("estimator", "class")("subprocess.Popen"), ["the class 'subprocess.Popen'"]),
        (at("estimator", "class")(["MLPClassifier"]), ["an estimator"]),
        (at("estimator", "class")("MLPRegressor"), ["an estimator"]),
        (at("estimator", "class")("Autoencoder"), ["an estimator"]),
        (at(*PARAMETERS, "alpah")(1.0), ["the parameter 'alpah'", "did you mean 'alpha'"]),
        (at(*PARAMETERS, "alpha")(-1.0), ["alpha"]),
        (at(*PARAMETERS, "alpha")("x"), ["alpha"]),
        (at(*PARAMETERS, "alpha")({"pickle": "x"}), ["a value of the kind 'pickle'"]),
        (at(*PARAMETERS, "alpha")({}), ["a value of the kind ''"]),
        (at(*PARAMETERS, "alpha")({"number": "1"}), ["the number '1'"]),
        (at(*PARAMETERS, "alpha")({"numpy": "|V9", "value": 1}), ["the type '|V9'"]),
        (at(*PARAMETERS, "alpha")({"numpy": "<i2", "value": 10**9}), ["an estimator"]),
        (at(*PARAMETERS, "alpha")({"array": "<U9999999", "shape": [9], "values": ["a"] * 9}), ["9 words"]),
        (at(*PARAMETERS, "alpha")({"array": "<f8", "shape": [10**12], "values": []}), ["0 values in the shape"]),
        (at(*PARAMETERS, "alpha")({"dict": [[[1], 2]]}), ["unhashable"]),
        (at(*PARAMETERS, "activation")("rellu"), ["activation"]),
        (at(*PARAMETERS, "schedule")({"schedule": "Popen", "settings": {}}), ["none of 'Popen'"]),
        (at(*PARAMETERS, "schedule")({"schedule": "StepDecay", "settings": {"ratio": -1}}), ["ratio"]),
        (at(*PARAMETERS)([]), ["an estimator"]),
        (at("estimator", "left_out")({"os": "x"}), ["left out"]),
        (at("estimator", "n_features_in")(5), ["5 features for 4 inputs"]),
        (at("estimator", "n_features_in")(True), ["features"]),
        (at("estimator", "feature_names_in")(["a"]), ["1 names of 4 features"]),
        (at("estimator", "feature_names_in")(7), ["an estimator"]),
        (at("estimator", "set_output")("__import__"), ["__import__"]),
        (at("estimator", "labels")(None), ["an estimator"]),
        (at("estimator", "labels", "kind")("labels"), ["the network of a classifier"]),
        (at("estimator", "labels", "kind")("two classes"), ["3 classes of the kind 'two classes'"]),
        (CLASSES([]), ["an estimator"]),
        (CLASSES([{"array": "<U1", "shape": [3], "values": ["a", "a", "b"]}]), ["classes that are no rows"]),
        (CLASSES([{"array": "<U1", "shape": [4], "values": ["a", "b", "c", "d"]}]), ["the network of a classifier"]),
        (CLASSES([{"array": "object", "shape": [3], "values": ["a", 1, None]}]), ["an estimator"]),
        (at("estimator", "networks")([]), ["0 networks"]),
        (at("estimator", "networks")([{}, {}]), ["2 networks"]),
        (at("estimator", "ensemble")(True), ["an estimator"]),
        (at(*FITTED)({}), ["an estimator"]),
        (at(*FITTED, "n_iter_")(-1), ["a count of -1"]),
        (at(*FITTED, "t_")(1e3), ["a count of 1000.0"]),
        (at(*FITTED, "stopped_")(3), ["reason to stop"]),
        (at(*FITTED, "temperature_")(0.0), ["a temperature of 0.0"]),
        (at(*FITTED, "temperature_")(None), ["an estimator"]),
        (at(*FITTED, "more")(1), ["the unknown 'more'"]),
        (lambda document: document["estimator"]["networks"][0]["fitted"].pop("watch"), ["a history, and no 'watch'"]),
        (at(*FITTED, "history")("../history.csv"), ["history"]),
        (at(*FITTED, "history")("model.json"), ["a history in model.json"]),
        (at(*FITTED, "history")(None), ["no history"]),
        (at(*FITTED, "state", "update", "rule")("Popen"), ["none of 'Popen'"]),
        (at(*FITTED, "state", "update", "settings")({"rate": -1.0}), ["rate"]),
        (at(*FITTED, "state", "update", "rule")("ScikitSGD"), ["an estimator"]),
        (at(*FITTED, "state", "seed")("x"), ["a count of x"]),
        (at(*FITTED, "watch", "waited")(None), ["a count of None"]),
        (at("network", "outputs")(4), ["the network of a classifier"]),
        (at("network", "output")("identity"), ["the network of a classifier"]),
        (at("network", "inputs")(10**12), ["4 features for 1000000000000 inputs"]),
        (at("dtype")("float64x"), ["float32 or float64"]),
        (at("dtype")("float32"), ["the float32 arrays"]),
    ],
)
def test_estimators_that_cannot_be(estimator, refuses, how, pieces):
    edit(estimator, how)
    with refuses("expected", *pieces):
        lw.load(estimator)


def test_equal_columns_and_words_are_refused(tmp_path, refuses):
    folder = shutil.copytree(FIXTURES / "v2-pay", tmp_path / "m")
    edit(folder, lambda document: document["preparation"]["words"][0].__setitem__(1, ["clerk", "clerk"]))
    with refuses("the columns or the image shape"):
        lw.load(folder)
    folder = shutil.copytree(FIXTURES / "v2-pay", tmp_path / "n")
    edit(folder, lambda document: document["preparation"]["words"][0].__setitem__(0, "age"))
    with refuses("the columns or the image shape"):
        lw.load(folder)
    folder = shutil.copytree(FIXTURES / "v2-digits", tmp_path / "o")
    for classes in ([0] * 10, [*range(9), 10**30]):
        edit(folder, lambda document, classes=classes: document["target"].update(classes=classes))
        with refuses("classes, or a mean and a scale"):
            lw.load(folder)


# --- what is not written because it could not be read -----------------------------------------------------------------


def test_no_folder_is_written_that_would_be_refused(make_model, tmp_path, monkeypatch, refuses):
    model = make_model(lw.Network(2, [3], 2))
    with refuses("names of files in the folder", "'a/b'"):
        lw.save(tmp_path / "m", model, files={"a/b": b""})
    for description in ({"x": float("nan")}, {"x": {1, 2}}, {"x": b"bytes"}):
        with refuses("model.json", "a description of JSON"):
            lw.save(tmp_path / "m", model, description=description)
    spoilt = make_model(lw.Network(2, [3], 2))
    spoilt.parameters.W[1][0, 0] = np.nan
    with refuses("finite parameters", "NaN or infinity", "a lower rate"):
        lw.save(tmp_path / "m", spoilt)
    monkeypatch.setattr("layerwise.storage.document.MOST_EPOCHS", 0)
    with refuses("history.csv", "at most 0 epochs, got 1", "keep the last epochs"):
        lw.save(tmp_path / "m", make_model(lw.Network(2, [3], 2)))
    monkeypatch.undo()
    monkeypatch.setattr("layerwise.storage.document.MOST_VALUES", 100)
    lw.save(tmp_path / "m", model)
    with refuses("model.json", "about 100 values"):
        lw.save(tmp_path / "n", model, description={"x": [0] * 100})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m"]


def test_long_curves_and_large_ensembles_are_refused_when_saving(tmp_path, monkeypatch, refuses):
    est = lw.load(FIXTURES / "v2-ensemble")
    with monkeypatch.context() as patch:
        patch.setattr("layerwise.estimators.stored.MOST_OF_CURVES", 9)
        with refuses("loss_curve_", "at most 9 entries", "10"):
            est.save(tmp_path / "m")
    with monkeypatch.context() as patch:
        patch.setattr("layerwise.estimators.stored.MOST_MEMBERS", 1)
        with refuses("members_", "at most 1, got 2"):
            est.save(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_loading_takes_the_memory_of_the_parameters(make_model, tmp_path):
    net = lw.Network(1000, [1000], 10)
    lw.save(tmp_path / "m", make_model(net))
    lw.load(tmp_path / "m")
    tracemalloc.start()
    loaded = lw.load(tmp_path / "m")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.3 * loaded.parameters.vector.nbytes + 2**21  # a truth value a parameter, and pieces of a megabyte
