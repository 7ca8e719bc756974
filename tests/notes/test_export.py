"""Pages as files: everything there, nothing from elsewhere."""

from __future__ import annotations

import os
import re

import pytest

from layerwise.cli import main
from layerwise.errors import LayerwiseError, StorageError
from layerwise.notes import CHAPTERS, chapter
from layerwise.notes.export import _converter, export, page
from layerwise.notes.plain import plain
from layerwise.notes.server import contents_page

mo = pytest.importorskip("marimo")


def tex(formula, alone):
    return f"<math{' display' if alone else ''}>{formula}</math>"


def plainly(element):
    return plain(mo.as_html(element).text, tex, ["loss"])


@pytest.mark.parametrize(
    ("element", "pieces"),
    [
        (lambda: mo.md("$a < b$ and\n\n$$c & d$$"), ["<math>a < b</math>", "<math display>c & d</math>"]),
        (lambda: mo.ui.slider(0, 3, 1, value=2, label="$w$"), ["<math>w</math>", ": <b>2</b> <small>(0 to 3)</small>"]),
        (lambda: mo.ui.slider(steps=[1, 3, 9], value=3), ["<b>3</b> <small>(1 to 9)</small>"]),
        (lambda: mo.ui.dropdown({"a": 1, "<b>": 2}, value="<b>", label="x"), ["x", "<b>&lt;b&gt;</b>"]),
        (lambda: mo.ui.dropdown(["yes", "no"]), ["yes / no"]),
        (lambda: mo.ui.radio(["a", "b"], value="b"), ["<b>b</b>"]),
        (lambda: mo.ui.checkbox(value=True, label="c"), ["c", "<b>yes</b>"]),
        (lambda: mo.ui.switch(label="c"), ["c", "<b>no</b>"]),
        (lambda: mo.ui.number(0, 1, 0.5, value=0.5), ["<b>0.5</b>"]),
        (lambda: mo.accordion({"Answer": mo.md("$x$"), "More": mo.md("y")}),
         ["Answer", "</summary>", "<math>x</math>", "</details><details>", "More", "y"]),
        (lambda: mo.ui.tabs({"one": mo.md("1"), "two": mo.md("2")}),
         ["<details open><summary>", "one", "1", "two", "2"]),
        (lambda: mo.md("Mind $x$.").callout("warn"),
         ['<div class="callout warn">', "Mind", "<math>x</math>", "</div>"]),
        (lambda: mo.md("[a](../loss/) [b](../other/)"), ['href="loss.html"', 'href="../other/"']),
        (lambda: mo.md("```python\nx = 1 < 2\n```"), ["<pre>", "&lt;"]),
        (lambda: mo.hstack([mo.md("one"), mo.md("two<br>three")]), ["one", "two<br>three"]),
    ],
)  # fmt: skip
def test_elements_have_a_plain_form(element, pieces):
    text = plainly(element())
    assert "marimo-" not in text
    place = 0
    for piece in pieces:
        place = text.index(piece, place) + len(piece)
    for tag in ("div", "span", "details", "summary"):
        assert len(re.findall(f"<{tag}[ >]", text)) == text.count(f"</{tag}>")


@pytest.mark.parametrize(
    "element", [lambda: mo.ui.text(label="t"), lambda: mo.ui.file(label="f"), lambda: mo.ui.run_button()]
)
def test_what_asks_shows_nothing(element):
    assert plainly(element()) == ""


def test_what_has_no_plain_form_is_refused(refuses):
    with refuses(LayerwiseError, "marimo-"):
        plainly(mo.ui.table([{"a": 1}]))


def test_lines_that_are_aligned_are_rows():
    text = _converter()(r"\begin{aligned} a &= b \\ c &= d \end{aligned}", True)
    assert text.count("<mtr>") == 2
    assert text.count("<mtd") == 4
    assert "<mi>&" not in text


def test_a_page_needs_nothing_else():
    text = page(chapter("neuron"))
    assert "marimo" not in text
    assert text.count("<math") > 20
    assert text.count('src="data:image/png;base64,') == text.count("<img") == 2
    assert "<script" not in text
    outside = {link for link in re.findall(r'(?:href|src)="([^"]*)"', text) if not link.startswith("data:")}
    assert outside == {"learning.html", "activations.html", "index.html"}
    assert "lw.RidgeDisplay.from_neuron" in text  # code that is shown
    assert "import marimo" not in text


def test_the_contents_name_every_chapter():
    text = contents_page("{name}.html")
    for one in CHAPTERS:
        assert f'href="{one.name}.html"' in text


def test_the_command_writes_files(tmp_path, capsys):
    assert main(["notes", "4", "--export", str(tmp_path / "site")]) == 0
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["neuron.html"]
    assert "1 of 1: " in capsys.readouterr().out


def test_a_file_is_no_folder(tmp_path, refuses, capsys):
    (tmp_path / "site").write_text("mine")
    with refuses(StorageError):
        export(tmp_path / "site")
    assert main(["notes", "--export", str(tmp_path / "site")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert (tmp_path / "site").read_text() == "mine"


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "neuron.html").write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        export(tmp_path, [chapter("neuron")])
    assert [path.name for path in tmp_path.iterdir()] == ["neuron.html"]
    assert (tmp_path / "neuron.html").read_text() == "old"


@pytest.mark.parametrize(
    ("arguments", "piece"),
    [(["nueron"], "did you mean 'neuron'?"), (["15"], "choose one of"),
     (["--edit", "--export", "x"], "leave one of them out"),
     (["--port", "0"], "--port"), (["--prot", "1"], "--prot")],
)  # fmt: skip
def test_wrong_arguments_are_one_line(arguments, piece, capsys):
    assert main(["notes", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert piece in line
