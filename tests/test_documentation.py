"""Every documented snippet runs: the Python blocks of each page, in order, in one namespace."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from layerwise.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec"), namespace)


def commands() -> list[str]:
    lines = [line for page in PAGES for block in blocks(page, "sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("layerwise ")]


def test_there_are_commands_to_check():
    assert len(commands()) >= 4


@pytest.mark.parametrize("command", commands())
def test_documented_options_exist(command):
    import typer.main

    words = shlex.split(command, comments=True)[1:]
    documented = typer.main.get_command(app)
    chosen = documented.commands[words[0]]
    known = {option for parameter in chosen.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = {word for word in words[1:] if word.startswith("--")}
    assert given <= known | {"--help"}


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_page_of_commands_is_the_one_that_is_written():
    """`python docs/write_cli.py` runs them all; here only that none is missing, with an answer each."""
    spec = importlib.util.spec_from_file_location("write_cli", ROOT / "docs" / "write_cli.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    answers = blocks(ROOT / "docs" / "cli.md", "console")
    shown = [block.splitlines()[0] for block in answers]
    assert shown == [f"$ {command}" for _, _, commands in module.SECTIONS for command in commands]
    assert all("Traceback" not in block for block in answers)
    for block in answers:
        if "[exit code 2]" in block:
            assert re.search(r"^layerwise: .*expected |^layerwise: .*; see ", block, re.MULTILINE), block
