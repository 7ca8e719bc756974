"""The course's digits and the census, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from layerwise.storage import load


def test_the_courses_digits(run, shared_data, options):
    folder = shared_data / "digits10707"
    answer = run(
        "train", folder, "--hidden", "20", "--activation", "sigmoid", "--update", "sgd", "--rate", "0.1",
        "--batch-size", "8", "--epochs", "1", "--json",
    )  # fmt: skip
    assert answer.code == 0
    assert "digits10707: 3000 train, 1000 validation, 3000 test rows; target digit (10 classes)" in answer.err
    found = json.loads(answer.out)
    document = json.loads(Path("models/digits10707/model.json").read_text())
    assert document["data"]["rows"] == {"train": 3000, "validation": 1000, "test": 3000}
    assert found["test"]["accuracy"] > 0.5  # a tenth is chance; one epoch is enough for much more
    saved = load("models/digits10707")
    assert saved.network.sizes == (784, 20, 10)
    assert saved.preparation.image_shape == (28, 28)


def test_the_census(run, shared_data):
    adult = shared_data / "adult"
    answer = run(
        "train", adult / "adult_train.csv.gz", "--target", "income", "--test", adult / "adult_test.csv.gz",
        "--epochs", "1", "--hidden", "20", "--json",
    )  # fmt: skip
    assert answer.code == 0
    found = json.loads(answer.out)
    document = json.loads(Path("models/adult_train/model.json").read_text())
    assert document["data"]["rows"] == {"train": 29304, "validation": 3257, "test": 16281}
    # 76 % earn less than 50K: more than that has been learnt.
    assert found["test"]["accuracy"] > 0.8
    assert load("models/adult_train").target.name == "income"
