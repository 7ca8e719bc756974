"""A real browser that reaches this machine only, and a server of the notes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: Without a sandbox where that needs rights; nothing asks other hosts for anything.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]  # fmt: skip
#: What the tests measured: (chapter, what) -> seconds.
TIMES = pytest.StashKey[dict[tuple[str, str], list[float]]]()


def missing() -> str:
    """What a browser test needs and is not there."""
    try:
        import marimo  # noqa: F401
        import playwright  # noqa: F401
    except ImportError as problem:
        return str(problem)
    return "" if CHROMIUM else "no chromium on the path"


@pytest.fixture(scope="session", autouse=True)
def _browser_or_skip() -> None:
    reason = missing()
    if reason and os.environ.get("LAYERWISE_REQUIRE_BROWSER") == "1":
        pytest.fail(f"LAYERWISE_REQUIRE_BROWSER=1, and {reason}")
    if reason:
        pytest.skip(f"{reason} (make notes-test brings what Python needs; Chromium is Debian's package chromium)")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playing:
        running = playing.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


class Watched:
    """A page, and all that it said or asked for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        self.addresses: set[str] = set()
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda asked: self.addresses.add(asked.url))
        page.on("requestfailed", lambda asked: self.errors.append(f"{asked.url} failed"))

    def pictures(self) -> list[str]:
        return [str(image.get_attribute("src")) for image in self.page.locator("img").all()]


@pytest.fixture
def watched(browser: Any) -> Iterator[Watched]:
    """A new page, wide enough for a chapter; it must not have complained at the end."""
    context = browser.new_context(viewport={"width": 1120, "height": 1000})
    page = Watched(context.new_page())
    yield page
    assert page.errors == []
    context.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where `layerwise notes` serves."""
    folder: Path = tmp_path_factory.mktemp("served")
    command = [sys.executable, "-m", "layerwise", "notes", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)
    assert process.stdout is not None
    place = process.stdout.readline().split()[4]
    time.sleep(3)  # what a reader takes to reach the browser: the server loads its parts meanwhile
    yield place
    process.terminate()
    process.communicate(timeout=30)


@pytest.fixture(scope="session")
def times(request: pytest.FixtureRequest) -> dict[tuple[str, str], list[float]]:
    return request.config.stash.setdefault(TIMES, {})


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    measured = config.stash.get(TIMES, {})
    if measured:
        terminalreporter.section("seconds in the browser (best of several where there are several)")
        for (chapter, what), seconds in measured.items():
            terminalreporter.write_line(f"{chapter:<16} {what:<10} {min(seconds):6.2f}")
