"""Where the model goes: never over anything else, whole or not at all, and nothing left where nothing was saved."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from layerwise.storage import load

TRAIN = ["train", "iris", "--epochs", "1", "--hidden", "3", "--quiet"]
FILES = ["history.csv", "model.json", "parameters.safetensors"]

pytestmark = pytest.mark.usefixtures("without_pictures")


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def test_a_new_folder_under_models_each_time(run):
    for expected in ("models/iris", "models/iris-2", "models/iris-3"):
        answer = run(*TRAIN)
        assert answer.code == 0
        assert answer.out.splitlines()[-1] == f"model: {expected}"
        assert names(expected) == FILES
    assert names("models") == ["iris", "iris-2", "iris-3"]


def test_overwrite_alone_replaces_the_model_under_models(run):
    for seed in (1, 2):
        assert run(*TRAIN, "--overwrite", "--seed", seed).code == 0
    assert names("models") == ["iris"]
    assert load("models/iris").description["options"]["seed"] == 2


@pytest.mark.parametrize("out", ["m", "a/b/m", "with space/größe 日本", "./m/", "-m", "m.csv"])
def test_out(run, out):
    answer = run(*TRAIN, f"--out={out}")
    assert answer.code == 0
    assert names(out) == FILES
    assert load(out).network.inputs == 4


def test_home_is_not_expanded_twice(run, workplace):
    assert run(*TRAIN, "--out", workplace / "~m").code == 0
    assert names("~m") == FILES


def test_existing_folder(run, refused, tree):
    assert run(*TRAIN, "--out", "m").code == 0
    refused([*TRAIN, "--out", "m"], "m: expected a new folder", "an existing one", "--overwrite")
    before = Path("m/parameters.safetensors").read_bytes()
    assert run(*TRAIN, "--out", "m", "--overwrite", "--seed", 1).code == 0
    assert Path("m/parameters.safetensors").read_bytes() != before
    assert sorted(tree()) == ["m", *(f"m/{name}" for name in FILES)]


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_folders_of_others(run, refused, overwrite):
    Path("photos/2020").mkdir(parents=True)
    Path("photos/mine.txt").write_text("mine")
    refused([*TRAIN, "--out", "photos", *overwrite], "photos: expected")
    assert run(*TRAIN, "--out", "m").code == 0
    Path("m/notes.txt").write_text("mine")
    refused([*TRAIN, "--out", "m", *overwrite], "m: expected")
    refused([*TRAIN, "--out", ".", *overwrite], ".: expected")


def test_names_of_the_files_in_the_way(run, refused):
    assert run(*TRAIN, "--out", "m").code == 0
    Path("m/notes.txt").write_text("mine")
    refused([*TRAIN, "--out", "m", "--overwrite"], "'notes.txt' too", "nothing was deleted")


@pytest.mark.parametrize(
    ("out", "pieces"),
    [
        ("file", ["file: expected a folder", "got a file"]),
        ("dangling", ["dangling: expected a folder", "a broken link"]),
        ("file/m", ["file/m: expected to be able to write there", "a file in the place of a folder"]),
        ("/proc/m", ["/proc/m: expected to be able to write there", "choose another --out"]),
        ("/proc/a/b/m", ["/proc/a/b/m: expected to be able to write there"]),
        ("m" * 300, ["file name too long"]),
    ],
)
@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_places_that_cannot_be(refused, out, pieces, overwrite):
    Path("file").write_text("mine")
    Path("dangling").symlink_to("nowhere")
    refused([*TRAIN, "--out", out, *overwrite], *pieces)


def test_models_is_a_file(refused):
    Path("models").write_text("mine")
    refused(TRAIN, "models/iris", "a file in the place of a folder")


def test_a_place_is_refused_before_any_data_are_read(refused):
    Path("file").write_text("mine")
    refused(["train", "missing.csv", "--out", "file"], "file: expected a folder")


@pytest.mark.parametrize("out", [[], ["--out", "models/iris"]])
def test_a_place_is_refused_before_training(refused, monkeypatch, out):
    def too_late(*arguments, **settings):
        raise AssertionError("trained in vain")

    monkeypatch.setattr("layerwise.cli.experiment.fit", too_late)
    Path("models").write_text("mine")
    refused([*TRAIN, *out], "models/iris")


@pytest.mark.parametrize("out", [[], ["--out", "a/b/m"]])
@pytest.mark.parametrize(
    "arguments", [["missing.csv"], ["iris", "--rate", "-1"], ["diabetes", "--update", "sgd", "--rate", "1e6"]]
)
def test_nothing_is_left_where_nothing_was_saved(refused, arguments, out):
    refused(["train", *arguments, "--quiet", *out])


@pytest.mark.parametrize("out", [[], ["--out", "a/b/m"]])
@pytest.mark.parametrize(
    ("code", "pieces"), [(errno.ENOSPC, ["no space left", "free some space"]), (errno.EACCES, ["permission denied"])]
)
def test_disk_full_or_no_permission(refused, monkeypatch, out, code, pieces):
    import os

    def refuse(self, content):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    refused([*TRAIN, *out], "to be able to write there", *pieces)


def test_disk_full_keeps_the_old_model(run, refused, monkeypatch):
    assert run(*TRAIN, "--out", "m").code == 0
    usual = Path.write_bytes

    def refuse_the_last(self, content):
        if self.name == "model.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        return usual(self, content)

    monkeypatch.setattr(Path, "write_bytes", refuse_the_last)
    refused([*TRAIN, "--out", "m", "--overwrite", "--seed", "1"], "no space left")
    assert load("m").description["options"]["seed"] == 0


def test_a_folder_that_appears_during_training_is_not_overwritten(run, monkeypatch):
    from layerwise.cli.progress import Silent

    def another_program(self, state):
        Path("m").mkdir()
        Path("m/mine.txt").write_text("mine")

    monkeypatch.setattr(Silent, "epoch", another_program)
    answer = run(*TRAIN, "--out", "m")
    assert answer.code == 2
    assert "an existing one" in answer.err
    assert names("m") == ["mine.txt"]
    assert names(".") == ["m"]
