"""The report of a training in Chromium, from disk and without network."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.thorough
IMAGES = Path(__file__).parents[2] / "docs" / "images"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    command = [sys.executable, "-m", "layerwise", "train", "digits", "--quiet", "--out", "digits"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return folder / "digits" / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_opens_from_disk(report, watched, scheme):
    from PIL import Image

    page = watched.page
    page.context.set_offline(True)
    page.emulate_media(color_scheme=scheme)
    page.goto(report.as_uri())
    page.get_by_role("heading", name="Quality on the test rows").wait_for()
    images = page.evaluate("[...document.querySelectorAll('img')].map(i => i.complete && i.naturalWidth > 0)")
    assert images == [True] * 7
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.documentElement).colorScheme]"
    )
    assert paper == "light dark"
    assert (ink == "rgb(0, 0, 0)") == (scheme == "light")
    assert {urlsplit(one).scheme for one in watched.addresses} <= {"file", "data"}
    if scheme == "light":
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        IMAGES.mkdir(exist_ok=True)
        picture.quantize(128, dither=Image.Dither.NONE).save(IMAGES / "report.png", optimize=True)
