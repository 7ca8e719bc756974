"""Marimo's elements as plain HTML: formulas as MathML, sliders as the values that they stand at, tabs one by one."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final

from ..errors import LayerwiseError

#: Elements without an end.
_VOID: Final = frozenset(["area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"])
#: What asks for an answer has none in a file, and shows nothing.
_ASKING: Final = frozenset(["marimo-text", "marimo-file", "marimo-button", "marimo-text-area"])
_CONTROLS: Final = frozenset(
    ["marimo-slider", "marimo-number", "marimo-dropdown", "marimo-radio", "marimo-checkbox", "marimo-switch"]
)
_FOLDED: Final = frozenset(["marimo-accordion", "marimo-tabs"])
#: What only wraps.
_WRAPPERS: Final = frozenset(["marimo-ui-element"])


def plain(text: str, mathml: Callable[[str, bool], str], chapters: Collection[str] = ()) -> str:
    """Return what a cell shows as HTML that needs no script.

    Parameters
    ----------
    text : str
        HTML with marimo's elements.
    mathml : callable (formula, whether it stands alone) -> str
    chapters : collection of str
        Links to ``../NAME/`` become links to ``NAME.html``.

    Raises
    ------
    LayerwiseError
        If there is an element that has no plain form here.

    Examples
    --------
    >>> plain("<p><marimo-tex>||(a &lt; b||)</marimo-tex></p>", lambda formula, alone: f"<math>{formula}</math>")
    '<p><math>a < b</math></p>'
    >>> plain("<marimo-table data-x='1'></marimo-table>", lambda formula, alone: "")
    Traceback (most recent call last):
    layerwise.errors.LayerwiseError: notes: expected an element with a plain form, got marimo-table; show it otherwise
    """
    parser = _Plain(mathml, chapters)
    parser.feed(text)
    parser.close()
    return "".join(parser.parts)


@dataclass
class _Open:
    """An element that has begun: how it ends, and what the parts of a folded one are called."""

    tag: str
    end: str
    labels: Iterator[str] | None = None


class _Plain(HTMLParser):
    """Writes what it reads, but for marimo's elements."""

    def __init__(self, mathml: Callable[[str, bool], str], chapters: Collection[str]) -> None:
        super().__init__(convert_charrefs=False)
        self.mathml, self.chapters = mathml, chapters
        self.parts: list[str] = []
        self.open: list[_Open] = []
        self.formula: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        folded = self.open[-1].labels if self.open else None
        if tag == "marimo-tex":
            self.formula = []
            self.open.append(_Open(tag, ""))
        elif tag in _FOLDED:
            labels = json.loads(given.get("data-labels") or given["data-tabs"])
            self.open.append(_Open(tag, "", map(self._again, labels)))
        elif folded is not None:
            unfolded = " open" if self.open[-1].tag == "marimo-tabs" else ""
            self.parts.append(f"<details{unfolded}><summary>{next(folded)}</summary>")
            self.open.append(_Open(tag, "</details>"))
        elif tag == "marimo-callout-output":
            kind = html.escape(json.loads(given["data-kind"]))
            self.parts.append(f'<div class="callout {kind}">{self._again(json.loads(given["data-html"]))}')
            self.open.append(_Open(tag, "</div>"))
        elif tag in _CONTROLS:
            self.parts.append(self._control(tag, given))
            self.open.append(_Open(tag, ""))
        elif tag in _ASKING or tag in _WRAPPERS:
            self.open.append(_Open(tag, ""))
        elif tag.startswith("marimo-"):
            raise LayerwiseError(
                where="notes", expected="an element with a plain form", got=tag, remedy="show it otherwise"
            )
        else:
            self.parts.append(self._linked(self.get_starttag_text() or ""))
            if tag not in _VOID:
                self.open.append(_Open(tag, f"</{tag}>"))

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1].tag == tag:
            if self.formula is not None:
                self.parts.append(self._formula("".join(self.formula)))
                self.formula = None
            self.parts.append(self.open.pop().end)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append(self.get_starttag_text() or "")

    def handle_data(self, data: str) -> None:
        (self.parts if self.formula is None else self.formula).append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")

    def _again(self, text: str) -> str:
        return plain(text, self.mathml, self.chapters)

    def _formula(self, text: str) -> str:
        text = html.unescape(text).strip()
        alone = text.startswith("||[")
        return self.mathml(text.removeprefix("||[" if alone else "||(").removesuffix("||]" if alone else "||)"), alone)

    def _linked(self, tag: str) -> str:
        def file(link: re.Match[str]) -> str:
            return f'href="{link[1]}.html"' if link[1] in self.chapters else link[0]

        return re.sub(r'href="\.\./(\w+)/"', file, tag)

    def _control(self, tag: str, given: dict[str, str]) -> str:
        """Return a control's name and value, and from where to where it goes."""
        data = {name.removeprefix("data-"): json.loads(value) for name, value in given.items() if name[:5] == "data-"}
        value = data["initial-value"]
        if isinstance(value, list):
            if not value:  # an exercise's choice
                options = " / ".join(map(html.escape, data["options"]))
                return f'<span class="control">{self._label(data)}{options}</span>'
            value = value[0]
        reach = ""
        if tag == "marimo-slider":
            steps = data.get("steps") or [data["start"], data["stop"]]
            value = steps[int(value)] if data.get("steps") else value
            reach = f" <small>({steps[0]} to {steps[-1]})</small>"
        if isinstance(value, bool):
            value = "yes" if value else "no"
        return f'<span class="control">{self._label(data)}<b>{html.escape(str(value))}</b>{reach}</span>'

    def _label(self, data: dict[str, Any]) -> str:
        return f"{self._again(data['label'])}: " if data.get("label") else ""
