"""The report that training leaves: whole, of the right numbers, and needing nothing but itself."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

VOID = {"meta", "link", "img", "br"}


class Nesting(HTMLParser):
    """Fails where an element ends that has not begun."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def report_of(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    nesting = Nesting()
    nesting.feed(text)
    assert nesting.open == []
    assert "<script" not in text
    assert not [link for link in re.findall(r'(?:href|src)="([^"]*)"', text) if not link.startswith("data:")]
    assert all(alt.endswith(".") for alt in re.findall(r'alt="([^"]*)"', text))
    return text


@pytest.mark.usefixtures("whole_reports")
def test_digits(run, workplace):
    assert run("train", "digits", "--epochs", "3", "--quiet", "--out", "d", "--hidden", "20").code == 0
    text = report_of(workplace / "d")
    model = json.loads((workplace / "d" / "model.json").read_text())
    assert f"<b>{model['results']['test']['accuracy']:.4g}</b>" in text
    assert f"<b>{64 * 20 + 20 + 200 + 10:,}</b>" in text
    assert text.count("<img ") == 7  # confusion, calibration, curves, gradients, network, filters, classes
    for piece in ("Filters of the first layer", "Wrong, and surest", "To make it anew", "Calibration error"):
        assert piece in text
    assert "report.html" in model["sha256"]


@pytest.mark.usefixtures("whole_reports")
def test_a_table_of_numbers(run, workplace):
    rng = np.random.default_rng(0)
    n = 90
    frame = pl.DataFrame(
        {"<b>": rng.normal(size=n), "job": rng.choice(["a", "b"], n), "y": rng.normal(5, 2, n)}
        | {f"x{k}": rng.normal(size=n) for k in range(40)}
    ).select("<b>", "job", *[f"x{k}" for k in range(40)], "y")
    frame.write_csv("t.csv")
    assert run("train", "t.csv", "--epochs", "2", "--quiet", "--out", "r", "--hidden", "none").code == 0
    text = report_of(workplace / "r")
    model = json.loads((workplace / "r" / "model.json").read_text())
    assert f"<b>{model['results']['test']['rmse']:.4g}</b>" in text
    assert "&lt;b&gt;" in text
    assert "<b></td>" not in text
    assert "17 more columns" in text


@pytest.mark.usefixtures("whole_reports")
def test_without_test_rows_and_without_report(run, workplace):
    assert run("train", "iris", "--epochs", "2", "--quiet", "--out", "i", "--validation", "0").code == 0
    assert "Quality on the test rows" in report_of(workplace / "i")
    assert run("train", "iris", "--epochs", "2", "--quiet", "--out", "j", "--no-report").code == 0
    assert sorted(path.name for path in (workplace / "j").iterdir()) == [
        "history.csv", "learning_curve.png", "model.json", "parameters.safetensors",
    ]  # fmt: skip


@pytest.mark.usefixtures("whole_reports")
def test_names_that_would_be_formulas(run, workplace):
    rows = "".join(
        f"{k},{'$5^$' if k % 2 else '<$1,000_$2'}\n".replace("<$1,000_$2", '"<$1,000_$2"') for k in range(40)
    )
    (workplace / "a$_$.csv").write_text("x,cost $^$ y\n" + rows)
    answer = run("train", "a$_$.csv", "--epochs", "2", "--quiet", "--out", "m")
    assert answer.code == 0
    assert answer.err == ""
    assert "$5^$" in report_of(workplace / "m")
