"""Damaged, foreign and hostile model folders: one line of a StorageError, and nothing in them is run."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import safetensors.numpy

from layerwise.data import Preparation, TargetCoding
from layerwise.errors import StorageError
from layerwise.network import Network
from layerwise.storage import load, save

TABLE = pl.DataFrame({"age": [20.0, 40.0, None], "job": ["nurse", None, "clerk"]})


@pytest.fixture(scope="module")
def intact(make_model, tmp_path_factory) -> Path:
    """A model folder with everything in it."""
    folder = tmp_path_factory.mktemp("damage") / "m"
    preparation, coding = Preparation.fit(TABLE), TargetCoding.fit(np.array([1, 2, 1, 2]))
    net = Network(preparation.n_inputs, [3, 2], 2, hidden=lambda s, a: a * s.tanh(a), batch_norm=True)
    save(folder, make_model(net), preparation=preparation, target=coding)
    return folder


@pytest.fixture
def folder(intact, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(intact, tmp_path / "m"))


@pytest.fixture
def edit(folder) -> Callable[[Callable[[dict[str, Any]], object]], None]:
    """Change model.json."""

    def change(how: Callable[[dict[str, Any]], object]) -> None:
        document = json.loads((folder / "model.json").read_text())
        how(document)
        (folder / "model.json").write_text(json.dumps(document))

    return change


@pytest.fixture
def parameters(folder, edit) -> Callable[[bytes | dict[str, Any]], None]:
    """Put other parameters into the folder, with the checksum that belongs to them."""

    def put(content: bytes | dict[str, Any]) -> None:
        data = content if isinstance(content, bytes) else safetensors.numpy.save(content)
        (folder / "parameters.safetensors").write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        edit(lambda document: document["sha256"].update({"parameters.safetensors": digest}))

    return put


def test_the_folder_is_intact_before_anything_is_damaged(folder, edit, parameters):
    assert load(folder).network.sizes == (4, 3, 2, 2)
    edit(lambda document: None)
    parameters(safetensors.numpy.load_file(folder / "parameters.safetensors"))
    assert load(folder).network.sizes == (4, 3, 2, 2)


@pytest.mark.parametrize("name", ["model.json", "parameters.safetensors"])
def test_missing_file(folder, refuses, name):
    (folder / name).unlink()
    remedy = "check the path" if name == "model.json" else "restore"
    with refuses(str(folder / name), "no such file", remedy):
        load(folder)


def test_missing_folder(tmp_path, refuses):
    with refuses("nowhere", "a model folder", "no such file"):
        load(tmp_path / "nowhere")


def test_a_file_in_place_of_the_folder(tmp_path, refuses):
    (tmp_path / "m").write_text("x")
    with refuses("not a directory"):
        load(tmp_path / "m")


def test_no_permission(folder, refuses, monkeypatch):
    def refuse(path, *more):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with refuses("model.json", "permission denied"):
        load(folder)


@pytest.mark.parametrize("share", [0, 1, 50, 99])
@pytest.mark.parametrize("name", ["model.json", "parameters.safetensors"])
def test_truncated_file(folder, refuses, name, share):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) * share // 100])
    with refuses(name, "train the model anew or restore the folder"):
        load(folder)


def test_every_flipped_byte_of_the_parameters_is_seen(folder, refuses):
    path = folder / "parameters.safetensors"
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with refuses("parameters.safetensors", "another or damaged one"):
            load(folder)


@pytest.mark.parametrize("bit", [1, 16, 64, 128])
def test_a_flipped_byte_of_the_description_raises_nothing_else(folder, bit):
    path = folder / "model.json"
    content = path.read_bytes()
    messages = []
    for place in range(0, len(content), 11):
        path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        try:
            load(folder)  # some bytes are of no consequence, such as those of a date
        except StorageError as error:
            messages.append(str(error))
    assert len(messages) > len(content) // 44
    assert not any("\n" in message for message in messages)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (b"", ["expected JSON"]),
        (b"{", ["expected JSON"]),
        (b"\xff\xfe{}", ["expected JSON"]),
        (b"[" * 100_000, ["expected JSON"]),
        (b"[]", ["a Layerwise model", "something else"]),
        (b"7", ["a Layerwise model"]),
        (b"{}", ["a Layerwise model"]),
        (b'{"format": "other"}', ["a Layerwise model"]),
        (b'{"format": "layerwise-model"}', ["version 1 or 2", "got None", "update Layerwise"]),
        (b'{"format": "layerwise-model", "version": 3}', ["version 1 or 2", "got 3", "update Layerwise"]),
        (b'{"format": "layerwise-model", "version": true}', ["version 1 or 2", "got True"]),
        (b'{"format": "layerwise-model", "version": 1.0}', ["version 1 or 2", "got 1.0"]),
        (b'{"format": "layerwise-model", "version": 1, "estimator": null}', ["no estimator in version 1"]),
        (b'{"format": "layerwise-model", "version": 1}', ["network and sha256"]),
        (b'{"format": "layerwise-model", "version": 1, "network": {}, "sha256": []}', ["network and sha256"]),
        (b'{"format": "layerwise-model", "version": 1, "network": {}, "sha256": {}}', ["a specification"]),
    ],
)
def test_other_descriptions(folder, refuses, text, pieces):
    (folder / "model.json").write_bytes(text)
    with refuses(*pieces):
        load(folder)


def first_layer(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda document: document["network"]["layers"][0].update(changes)


def network(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda document: document["network"].update(changes)


@pytest.mark.parametrize(
    ("how", "pieces"),
    [
        (first_layer(units=0), ["units of a layer", "got 0"]),
        (first_layer(units="3"), ["got '3'"]),
        (first_layer(units=3.0), ["got 3.0"]),
        (first_layer(units=10**400), ["a specification"]),
        (first_layer(dropout=1.0), ["dropout"]),
        (first_layer(dropout=float("nan")), ["JSON", "NaN"]),
        (first_layer(activation="rellu"), ["activation", "'relu'"]),
        (first_layer(activation=None), ["a specification"]),
        (first_layer(activation=[]), ["a specification"]),
        (first_layer(activation={"name": "own"}), ["none of 'g'"]),
        (first_layer(initialisation="magic"), ["initialisation"]),
        (first_layer(initialisation=None), ["an initialisation of None"]),
        (first_layer(initialisation={"name": "x", "distribution": "odd", "gain": 1.0, "fan": "in"}), ["'odd'"]),
        (first_layer(activity=7), ["a specification"]),
        (first_layer(activity=[{"name": "l1", "strength": -1.0}]), ["activity", "got -1.0"]),
        (first_layer(activity=[{"name": "l7", "strength": 1.0}]), ["none of 'l7'"]),
        (first_layer(activity=[{"name": "own", "strength": 1.0, "omega": 1}]), ["a specification"]),
        (network(layers=[]), ["the float32 arrays"]),
        (network(layers=7), ["a specification"]),
        (network(layers=[7]), ["a specification"]),
        (network(inputs=-1), ["inputs"]),
        (network(input_dropout=1.0), ["input_dropout", "got 1.0"]),
        (network(tied=True), ["tied", "from both ends", "got 4-3-2-2"]),
        (network(input_noise="much"), ["input_noise", "got 'much'"]),
        (network(outputs=10**30), ["classes for 1000000"]),
        (network(output="os.system"), ["output"]),
        (lambda document: document.update(network=[]), ["a specification"]),
        (lambda document: document["network"].pop("inputs"), ["none of 'inputs'"]),
        (lambda document: document.update(dtype="float16"), ["float32 or float64", "'float16'"]),
        (lambda document: document.update(dtype="float64"), ["the float64 arrays"]),
        (lambda document: document.pop("dtype"), ["float32 or float64", "None"]),
        (lambda document: document.update(sha256={}), ["another or damaged one"]),
        (lambda document: document.update(preparation={"kind": "table"}), ["the columns or the image shape"]),
        (lambda document: document.update(preparation=[1]), ["the columns or the image shape"]),
        (
            lambda document: document.update(preparation={"kind": "images", "image_shape": [2, 3], "pixel_max": 1.0}),
            ["a preparation of 4 inputs", "got 6"],
        ),
        (lambda document: document.update(target={"kind": "classes"}), ["classes, or a mean and a scale"]),
    ],
)
def test_descriptions_that_contradict(folder, edit, refuses, how, pieces):
    edit(how)
    with refuses(*pieces):
        load(folder)


def with_nan(tensors):
    tensors["W2"][0, 1] = np.nan


def with_infinity(tensors):
    tensors["running_variance1"][0] = np.inf


@pytest.mark.parametrize(
    ("how", "pieces"),
    [
        (with_nan, ["finite parameters", "NaN or infinity"]),
        (with_infinity, ["finite parameters"]),
        (lambda t: t.update(W1=t["W1"].T.copy()), ["the float32 arrays", "(4, 3)"]),
        (lambda t: t.update(b1=t["b1"][:-1].copy()), ["the float32 arrays"]),
        (lambda t: t.update(b1=t["b1"].astype(np.float64)), ["the float32 arrays"]),
        (lambda t: t.update(b1=t["b1"].astype(np.int32)), ["a safetensors file", "I32"]),
        (lambda t: t.update(W9=t["W1"]), ["the float32 arrays"]),
        (lambda t: t.pop("W3"), ["the float32 arrays"]),
        (lambda t: t.clear(), ["the float32 arrays", "{}"]),
    ],
)
def test_parameters_that_do_not_belong(folder, parameters, refuses, how, pieces):
    tensors = safetensors.numpy.load_file(folder / "parameters.safetensors")
    how(tensors)
    parameters(tensors)
    with refuses("parameters.safetensors", *pieces):
        load(folder)


def header(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no safetensors at all",
        struct.pack("<Q", 2**63) + b"{}",
        header(b"{}") + b"rest",
        header(b'{"W1": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}') + bytes(4),
        header(b'{"W1": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}') + bytes(4),
        header(b'{"W1": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}') + bytes(4),
        pickle.dumps(np.zeros(3)),
    ],
    ids=["empty", "words", "long header", "trailing bytes", "bfloat16", "float8", "short data", "pickle"],
)
def test_files_that_are_no_parameters(folder, parameters, refuses, content):
    parameters(content)
    with refuses("parameters.safetensors"):
        load(folder)
