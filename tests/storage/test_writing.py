"""A model folder appears whole or not at all, and nothing else is ever lost or left behind."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from layerwise.errors import StorageError
from layerwise.network import Network
from layerwise.storage import atomic, load, save
from layerwise.storage.atomic import check_place
from layerwise.storage.model_folder import foreign_files

NET = Network(2, [3], 2)


@pytest.fixture
def model(make_model):
    return make_model(NET)


@pytest.fixture
def other(make_model):
    return make_model(NET, seed=1)


def failing(monkeypatch, owner, name, error, at):
    """Make the call number `at` (from 0) of a function raise an error; return the list of calls."""
    usual, calls = getattr(owner, name), []

    def call(*arguments, **settings):
        calls.append(arguments)
        if len(calls) == at + 1:
            raise error
        return usual(*arguments, **settings)

    monkeypatch.setattr(owner, name, call)
    return calls


@pytest.fixture
def without_exchange(monkeypatch):
    """As on a system that cannot let two folders change places in one step."""
    monkeypatch.setattr(atomic, "_exchange", lambda first, second: False)


FULL = OSError(errno.ENOSPC, "No space left on device")
FAILURES = [
    pytest.param(Path, "write_bytes", FULL, 0, ["no space left", "free some space"], id="disk full at the first file"),
    pytest.param(Path, "write_bytes", FULL, 2, ["no space left", "free some space"], id="disk full at the last file"),
    pytest.param(os, "fsync", OSError(errno.EIO, "Input/output error"), 0, ["input/output error"], id="disk broken"),
    pytest.param(os, "fsync", FULL, 3, ["no space left"], id="disk full when the folder is written"),
    pytest.param(Path, "chmod", PermissionError(errno.EPERM, "Not permitted"), 0, ["not permitted"], id="chmod"),
    pytest.param(Path, "rename", PermissionError(errno.EACCES, "Permission denied"), 0, ["denied"], id="rename"),
]  # fmt: skip


@pytest.mark.parametrize(("owner", "name", "error", "at", "pieces"), FAILURES)
def test_a_failure_leaves_nothing(model, tmp_path, monkeypatch, refuses, tree, owner, name, error, at, pieces):
    (tmp_path / "mine.txt").write_text("mine")
    before = tree(tmp_path)
    with monkeypatch.context() as patch:
        calls = failing(patch, owner, name, error, at)
        with refuses(str(tmp_path / "models" / "m"), "to be able to write there", *pieces):
            save(tmp_path / "models" / "m", model)
    assert len(calls) > at
    assert tree(tmp_path) == before


@pytest.mark.usefixtures("without_exchange")
@pytest.mark.parametrize(("owner", "name", "error", "at", "pieces"), FAILURES)
def test_a_failure_leaves_the_old_model(
    model, other, tmp_path, monkeypatch, refuses, tree, owner, name, error, at, pieces
):
    save(tmp_path / "m", model)
    before = tree(tmp_path)
    with monkeypatch.context() as patch:
        calls = failing(patch, owner, name, error, at)
        with refuses(*pieces):
            save(tmp_path / "m", other, overwrite=True)
    assert len(calls) > at
    assert tree(tmp_path) == before
    assert load(tmp_path / "m").parameters.vector.tobytes() == model.parameters.vector.tobytes()


@pytest.mark.skipif(sys.platform != "linux", reason="no exchange of names")
def test_the_old_and_the_new_model_change_places_in_one_step(model, other, tmp_path, monkeypatch, tree):
    """So that a loss of power leaves one of them there."""
    save(tmp_path / "m", model)
    seen = []
    usual = atomic._exchange

    def exchange(first, second):
        seen.append((load(first).parameters.vector.tobytes(), load(second).parameters.vector.tobytes()))
        done = usual(first, second)
        seen.append((load(second).parameters.vector.tobytes(), load(first).parameters.vector.tobytes()))
        return done

    monkeypatch.setattr(atomic, "_exchange", exchange)
    monkeypatch.setattr(atomic, "_replace", None)
    save(tmp_path / "m", other, overwrite=True)
    old, new = model.parameters.vector.tobytes(), other.parameters.vector.tobytes()
    assert seen == [(old, new), (old, new)]
    assert load(tmp_path / "m").parameters.vector.tobytes() == new
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.skipif(sys.platform != "linux", reason="no exchange of names")
def test_an_exchange_that_fails_is_an_error(tmp_path):
    (tmp_path / "m").mkdir()
    with pytest.raises(FileNotFoundError):
        atomic._exchange(tmp_path / "m", tmp_path / "none")


@pytest.mark.usefixtures("without_exchange")
@pytest.mark.parametrize("error", [OSError(errno.EXDEV, "Invalid cross-device link"), KeyboardInterrupt()])
def test_the_old_model_comes_back_if_the_new_one_cannot_take_its_place(
    model, other, tmp_path, monkeypatch, tree, error
):
    save(tmp_path / "m", model)
    before = tree(tmp_path)
    with monkeypatch.context() as patch:
        calls = failing(patch, Path, "rename", error, 1)
        with pytest.raises((StorageError, KeyboardInterrupt)):
            save(tmp_path / "m", other, overwrite=True)
    assert [Path(arguments[0]).name == "m" for arguments in calls] == [True, False, True]
    assert tree(tmp_path) == before


def test_the_old_model_is_hidden_rather_than_lost(model, other, tmp_path, monkeypatch, without_exchange, tree):
    save(tmp_path / "m", model)
    before = tree(tmp_path / "m")
    usual, calls = Path.rename, []

    def only_once(self, target):
        calls.append(self)
        if len(calls) > 1:
            raise OSError(errno.EIO, "Input/output error")
        return usual(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", only_once)
        with pytest.raises(StorageError):
            save(tmp_path / "m", other, overwrite=True)
    (old,) = tmp_path.glob(".m.*/m")
    assert tree(old) == before


def test_ctrl_c_leaves_nothing(model, tmp_path, monkeypatch, tree):
    with monkeypatch.context() as patch:
        calls = failing(patch, Path, "write_bytes", KeyboardInterrupt(), 1)
        with pytest.raises(KeyboardInterrupt):
            save(tmp_path / "a" / "b" / "m", model)
    assert len(calls) == 2
    assert tree(tmp_path) == {}


def test_an_existing_folder_needs_overwrite(model, other, tmp_path, refuses, tree):
    save(tmp_path / "m", model, files={"learning_curve.png": b"old"})
    before = tree(tmp_path)
    with refuses("a new folder", "an existing one", "--overwrite"):
        save(tmp_path / "m", other)
    assert tree(tmp_path) == before
    save(tmp_path / "m", other, overwrite=True)
    assert load(tmp_path / "m").parameters.vector.tobytes() == other.parameters.vector.tobytes()
    # Nothing of the old model stays, neither inside nor beside it.
    assert sorted(tree(tmp_path)) == ["m", "m/history.csv", "m/model.json", "m/parameters.safetensors"]


def test_an_empty_folder_can_be_overwritten(model, tmp_path, refuses):
    (tmp_path / "m").mkdir()
    with refuses("--overwrite"):
        save(tmp_path / "m", model)
    save(tmp_path / "m", model, overwrite=True)
    assert load(tmp_path / "m").network == NET


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "checkpoint", "report.html"])
def test_files_of_others_are_never_deleted(model, other, tmp_path, refuses, tree, name):
    save(tmp_path / "m", model)
    (tmp_path / "m" / name).write_text("mine")
    before = tree(tmp_path)
    with refuses("nothing but a model", repr(name), "nothing was deleted"):
        save(tmp_path / "m", other, overwrite=True)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("damage", [None, "{}", "[", '{"format": "layerwise-model", "version": 9}'])
def test_a_folder_that_is_no_model_is_never_deleted(model, tmp_path, refuses, tree, damage):
    (tmp_path / "m" / "inner").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "parameters.safetensors"):
        (tmp_path / "m" / name).write_text("mine")
    if damage is not None:
        (tmp_path / "m" / "model.json").write_text(damage)
    before = tree(tmp_path)
    with refuses("'a.txt', 'b.txt', 'inner' too, ...", "nothing was deleted"):
        save(tmp_path / "m", model, overwrite=True)
    assert tree(tmp_path) == before


def test_a_file_in_the_way(model, tmp_path, refuses, tree):
    (tmp_path / "m").write_text("mine")
    (tmp_path / "dangling").symlink_to("nowhere")
    before = tree(tmp_path)
    for overwrite in (False, True):
        with refuses("a folder", "a file or a broken link"):
            save(tmp_path / "m", model, overwrite=overwrite)
        with refuses("a folder", "a file or a broken link"):
            save(tmp_path / "dangling", model, overwrite=overwrite)
        with refuses("a file in the place of a folder"):
            save(tmp_path / "m" / "inner", model, overwrite=overwrite)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("place", ["/proc/x", "/proc/x/y/z", "n" * 300, "a/" + "n" * 300 + "/m"])
def test_places_where_nothing_can_be(model, tmp_path, monkeypatch, refuses, tree, place):
    monkeypatch.chdir(tmp_path)
    with refuses("to be able to write there", "choose another --out"):
        save(place, model)
    assert tree(tmp_path) == {}


def test_a_link_stays_one(model, other, tmp_path):
    save(tmp_path / "real", model)
    (tmp_path / "link").symlink_to("real")
    save(tmp_path / "link", other, overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert load(tmp_path / "real").parameters.vector.tobytes() == other.parameters.vector.tobytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


@pytest.mark.parametrize("place", [".", "..", "../m", "../../m"])
def test_the_current_folder_is_not_pulled_away(model, tmp_path, monkeypatch, refuses, tree, place):
    save(tmp_path / "m", model)
    inside = tmp_path / "m" / "deeper" if place in ("..", "../../m") else tmp_path / "m"
    inside.mkdir(exist_ok=True)
    monkeypatch.chdir(inside)
    before = tree(tmp_path)
    with refuses("the current one, or one around it"):
        save(place, model, overwrite=True)
    assert tree(tmp_path) == before


def test_folders_above_are_made(model, tmp_path):
    save(tmp_path / "a" / "b c" / "ü", model)
    assert load(tmp_path / "a" / "b c" / "ü").network == NET


def test_check_place_leaves_nothing(tmp_path, refuses, tree):
    (tmp_path / "kept").mkdir()
    for place in ("m", "a/b/m", "kept/m"):
        check_place(tmp_path / place, False, foreign_files)
    assert tree(tmp_path) == {"kept": None}


def test_folders_that_others_use_by_now_stay(model, tmp_path, monkeypatch):
    usual = Path.write_bytes

    def and_a_file_of_another_program(self, content):
        usual(tmp_path / "a" / "other", b"")
        raise FULL

    monkeypatch.setattr(Path, "write_bytes", and_a_file_of_another_program)
    with pytest.raises(StorageError):
        save(tmp_path / "a" / "b" / "m", model)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "other"]


@pytest.mark.parametrize(
    ("mask", "folder", "file"), [(0o022, 0o755, 0o644), (0o027, 0o750, 0o640), (0o077, 0o700, 0o600)]
)
def test_permissions_follow_the_umask(model, other, tmp_path, mask, folder, file):
    usual = os.umask(mask)
    try:
        save(tmp_path / "m", model)
        save(tmp_path / "m", other, overwrite=True)
        after = os.umask(mask)
    finally:
        os.umask(usual)
    assert after == mask
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == folder
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "m").iterdir()} == {file}


def test_an_output_of_ones_own_is_refused_before_anything_is_written(make_model, tmp_path, refuses, tree):
    from dataclasses import replace

    net = Network(2, [3], 2, output=replace(NET.output, losses=lambda ops, a, y: a))
    with refuses("output", "softmax, sigmoid, identity", "'softmax'"):
        save(tmp_path / "m", make_model(net))
    assert tree(tmp_path) == {}


def test_everything_is_on_the_disk_before_it_is_seen(model, other, tmp_path, monkeypatch):
    """Each file and the new folder before the renaming; after it every folder that has a new entry."""
    synced, seen_at = [], []
    usual, exchange = os.fsync, atomic._exchange
    monkeypatch.setattr(
        os, "fsync", lambda handle: (synced.append(os.readlink(f"/proc/self/fd/{handle}")), usual(handle))
    )
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda self, to: (seen_at.append(len(synced)), rename(self, to))[1])
    monkeypatch.setattr(atomic, "_exchange", lambda *two: (seen_at.append(len(synced)), exchange(*two))[1])
    save(tmp_path / "a" / "b" / "m", model)
    save(tmp_path / "a" / "b" / "m", other, overwrite=True)
    assert seen_at == [4, 4 + 3 + 4]
    names = [Path(path).name for path in synced]
    assert names[:3] == ["history.csv", "model.json", "parameters.safetensors"]
    assert names[3].startswith(".m.")
    assert sorted(names[4:7]) == sorted(["b", "a", tmp_path.name])
    assert names[-1] == "b"
