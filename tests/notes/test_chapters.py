"""Every chapter runs; its exercises tell right from wrong, its proofs hold, its sliders reach nothing that fails."""

from __future__ import annotations

import ast
import re

import pytest

from layerwise.notes import CHAPTERS, Exercises
from layerwise.notes.contents import FOLDER
from layerwise.proofs import Derivation

pytest.importorskip("marimo")
NAMES = [chapter.name for chapter in CHAPTERS]
EACH = pytest.mark.parametrize("chapter", CHAPTERS, ids=NAMES)


@pytest.fixture(scope="module")
def ran(request, run_chapter):
    """Each chapter once for all tests of it that need what it left."""
    made = {}

    def of(chapter):
        if chapter.name not in made:
            made[chapter.name] = run_chapter(chapter)
        return made[chapter.name]

    return of


def test_the_files_are_the_chapters():
    assert sorted(FOLDER.glob("*.py")) == [chapter.path for chapter in CHAPTERS]


@EACH
def test_it_shows_formulas_and_figures(chapter, ran):
    text = "".join(getattr(output, "text", "") for output in ran(chapter).outputs)
    assert f"{chapter.number} {chapter.title}" in text
    assert text.count("<marimo-tex") >= 5
    assert "$$" not in text, "a formula that Markdown took for a list, say: a line of it begins with + or -"
    assert re.search(r"<img alt=\"[A-Z][^\"]{10,}\" ", text)
    assert "marimo-slider" in text


@EACH
def test_exercises_tell_right_from_wrong(chapter, ran):
    exercises = ran(chapter).defined["exercises"]
    assert isinstance(exercises, Exercises)
    assert len(exercises.exercises) == 3
    for exercise in exercises.exercises:
        assert set(exercise.answer) == set(exercise.fields)
        assert exercise.judge(exercise.answer).right is True, exercise.question
        assert exercise.wrong
        for wrong in exercise.wrong:
            verdict = exercise.judge(wrong)
            assert verdict.right is False, (exercise.question, wrong)
            assert len(verdict.message) > len("Not right."), "a wrong answer without a word of help"
        assert exercise.judge(dict.fromkeys(exercise.fields, "")).right is None


@EACH
def test_its_proofs_hold(chapter, ran):
    derivations = [value for value in ran(chapter).defined.values() if isinstance(value, Derivation)]
    for derivation in derivations:
        assert derivation.holds
    assert derivations or chapter.name != "gradient"


@pytest.mark.thorough
@EACH
@pytest.mark.parametrize("end", ["first", "last"])
def test_no_slider_reaches_what_fails(chapter, end, run_chapter, monkeypatch):
    import marimo as mo

    slider, dropdown = mo.ui.slider, mo.ui.dropdown
    moved = []

    def slider_at_its_end(start=None, stop=None, step=None, value=None, **options):
        steps = options.get("steps")
        value = (steps[0] if end == "first" else steps[-1]) if steps else (start if end == "first" else stop)
        moved.append(value)
        return slider(start, stop, step, value, **options)

    def dropdown_at_its_end(options, value=None, **more):
        if value is None:  # an exercise's, not answered
            return dropdown(options, **more)
        return dropdown(options, list(options)[0 if end == "first" else -1], **more)

    monkeypatch.setattr(mo.ui, "slider", slider_at_its_end)
    monkeypatch.setattr(mo.ui, "dropdown", dropdown_at_its_end)
    run_chapter(chapter)
    assert moved


@EACH
def test_it_uses_public_names_only(chapter):
    tree = ast.parse(chapter.path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            packages = {alias.name for alias in node.names}
            assert packages <= {"marimo", "numpy", "layerwise", "gymnasium"}
        elif isinstance(node, ast.ImportFrom):
            assert node.module == "layerwise" or node.module.startswith("sklearn"), node.module
            assert not [alias.name for alias in node.names if alias.name.startswith("_")]
        elif isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_"), node.attr


@EACH
def test_cells_are_short(chapter):
    tree = ast.parse(chapter.path.read_text(encoding="utf-8"))
    cells = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for cell in cells:
        hidden = "hide_code" in ast.unparse(cell.decorator_list[0])
        assert hidden or cell.end_lineno - cell.lineno < 25, f"line {cell.lineno}"
    assert any("hide_code" not in ast.unparse(cell.decorator_list[0]) for cell in cells)
