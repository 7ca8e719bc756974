"""Chapters as files that open from disk: text, formulas as MathML, figures inside the page, no script, no network."""

from __future__ import annotations

import ast
import html
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final

from ..errors import LayerwiseError, MissingExtraError, StorageError
from .contents import CHAPTERS, Chapter
from .plain import plain
from .server import contents_page, part_of_marimo

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 17px/1.6 "PT Sans", system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { font-family: Lora, Georgia, serif; font-weight: 500; line-height: 1.25; }
.paragraph { display: block; margin: .8em 0; }
td .paragraph, .control .paragraph, summary .paragraph { display: inline; }
.row { display: flex; flex-wrap: wrap; gap: .4rem 2rem; align-items: baseline; }
.column { display: flex; flex-direction: column; gap: .6rem; }
.control b { font-weight: 600; } .control small { opacity: .7; }
.callout { border-left: 4px solid #888; padding: .1rem .9rem; margin: .7rem 0; background: #8881; }
.callout.success { border-color: #009e73; } .callout.danger { border-color: #d55e00; }
.callout.warn { border-color: #e69f00; } .callout.info { border-color: #0072b2; }
details { margin: .5rem 0; } summary { cursor: pointer; opacity: .8; }
pre { overflow-x: auto; background: #8881; padding: .6rem .8rem; font: 14px/1.45 "Fira Mono", ui-monospace, monospace; }
img { background: #fff; } table { border-collapse: collapse; }
td, th { padding: .25rem .7rem; border: 1px solid #8886; }
math { font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math", "DejaVu Math TeX Gyre", math; }
math[display=block] { margin: .9em 0; overflow-x: auto; overflow-y: hidden; }
nav { display: flex; justify-content: space-between; gap: 1rem; font-size: 15px; }
@media print { nav, .code { display: none; } img { max-width: 100%; } }
"""

#: A minus after another operator.
_SIGN: Final = re.compile(r"(<mo[^>]*>([^<]*)</mo>)<mo>&#x02212;</mo>")


def export(
    folder: str | Path, chapters: Sequence[Chapter] | None = None, progress: Callable[[str], None] | None = None
) -> list[Path]:
    """Run chapters and write each as one HTML file, with a table of contents: index.html.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there; files of these names in it are replaced, each once it is complete.
    chapters : sequence of Chapter, optional
        All by default; the table of contents is written with all only.
    progress : callable, optional
        Told each file as it is written.

    Returns
    -------
    list of Path

    Raises
    ------
    MissingExtraError
        If marimo or latex2mathml is not installed.
    StorageError
        If the folder is a file.
    LayerwiseError
        If a chapter shows what has no plain form.
    """
    folder = Path(folder).expanduser()
    if folder.exists() and not folder.is_dir():
        raise StorageError(where=str(folder), expected="a folder", got="a file", remedy="give another name")
    pages = {f"{one.name}.html": one for one in chapters or CHAPTERS}
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, one in pages.items():
        written.append(_write(folder / name, page(one)))
        if progress:
            progress(f"{len(written)} of {len(pages)}: {folder / name}")
    if chapters is None:
        written.append(_write(folder / "index.html", contents_page("{name}.html")))
    return written


def page(chapter: Chapter) -> str:
    """Run a chapter and return it as one HTML page.

    Parameters
    ----------
    chapter : Chapter

    Raises
    ------
    MissingExtraError
        If marimo or latex2mathml is not installed.
    LayerwiseError
        If it shows what has no plain form.
    """
    marimo = part_of_marimo()
    mathml = _converter()
    outputs, _ = _app_of(chapter).run()
    names = [one.name for one in CHAPTERS]
    cells = shown_code(chapter.path.read_text(encoding="utf-8"))
    body = []
    for output, code in zip(outputs, cells, strict=True):
        if output is not None:
            body.append(f"<section>{plain(marimo.as_html(output).text, mathml, names)}</section>")
        if code:
            body.append(f'<details class="code"><summary>Code</summary><pre>{html.escape(code)}</pre></details>')
    title = html.escape(f"{chapter.number} {chapter.title}")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} | Layerwise</title><style>{_STYLE}</style></head>\n"
        f"<body>{_links(chapter)}\n<main>\n{chr(10).join(body)}\n</main>\n{_links(chapter)}</body></html>\n"
    )


def shown_code(source: str) -> list[str]:
    r"""Return the code of each cell of a notebook, "" for those that hide it.

    Examples
    --------
    >>> shown_code("@app.cell(hide_code=True)\ndef _():\n    ...\n\n@app.cell\ndef _():\n    x = 1\n    return (x,)")
    ['', 'x = 1']
    """
    shown = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            hidden = "hide_code=True" in ast.unparse(node.decorator_list[0])
            kept = [part for part in node.body if not isinstance(part, ast.Return)]
            lines = source.splitlines()[kept[0].lineno - 1 : kept[-1].end_lineno] if kept and not hidden else []
            shown.append("\n".join(line[4:] for line in lines))
    return shown


def _app_of(chapter: Chapter) -> Any:
    """Return the notebook's app, from its file and under no lasting name."""
    spec = spec_from_file_location(f"_layerwise_{chapter.path.stem}", chapter.path)
    if spec is None or spec.loader is None:
        raise StorageError(where=str(chapter.path), expected="a notebook", got="none", remedy="install Layerwise again")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # marimo looks it up there
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module.app


def _converter() -> Callable[[str, bool], str]:
    try:
        from latex2mathml.converter import convert
    except ImportError as problem:
        raise MissingExtraError(
            where="notes", expected="latex2mathml", got="no such package", remedy="pip install 'layerwise[notes]'"
        ) from problem

    def mathml(formula: str, block: bool) -> str:
        try:
            converted = str(convert(_as_known(formula), display="block" if block else "inline"))
        except Exception as problem:  # whatever it raises is about this formula
            raise LayerwiseError(
                where="notes", expected="a formula that has MathML", got=formula, remedy="write it in plainer LaTeX"
            ) from problem
        return _SIGN.sub(_as_sign, converted)

    return mathml


def _as_known(formula: str) -> str:
    r"""Write a formula with the names that the converter knows: it takes bars without left and right for signs.

    >>> _as_known(r"\lVert w \rVert^2")
    '\\left\\lVert w \\right\\rVert^2'
    """
    formula = re.sub(r"(?<!\\)\\ ", r"\\;", formula.replace("{aligned}", "{align*}"))
    return re.sub(r"(?<!left)\\lVert\b", r"\\left\\lVert", re.sub(r"(?<!right)\\rVert\b", r"\\right\\rVert", formula))


def _as_sign(found: re.Match[str]) -> str:
    """Set a minus close to what follows, unless it comes after a closing bracket."""
    before = html.unescape(found[2])
    return found[0] if before in tuple(")]}|‖!′") else f'{found[1]}<mo form="prefix">&#x02212;</mo>'


def _links(chapter: Chapter) -> str:
    near = {one.number: one for one in CHAPTERS}
    before, after = near.get(chapter.number - 1), near.get(chapter.number + 1)
    left = f'<a href="{before.name}.html">← {html.escape(before.title)}</a>' if before else "<span></span>"
    right = f'<a href="{after.name}.html">{html.escape(after.title)} →</a>' if after else "<span></span>"
    return f'<nav>{left}<a href="index.html">Contents</a>{right}</nav>'


def _write(path: Path, text: str) -> Path:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path
