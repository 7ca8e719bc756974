"""The executable notes in Chromium: every chapter reads, moves and answers; the exported files open without network."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from layerwise.notes import CHAPTERS
from layerwise.notes.export import export

pytestmark = pytest.mark.thorough
IMAGES = Path(__file__).parents[2] / "docs" / "images"
CHANGED = """before => {
    const within = root => [...root.querySelectorAll('img')].concat(
        ...[...root.querySelectorAll('*')].filter(e => e.shadowRoot).map(e => within(e.shadowRoot)));
    return within(document).some((image, i) => image.getAttribute('src') !== before[i]);
}"""


def hosts(watched):
    return {urlsplit(one).hostname for one in watched.addresses if urlsplit(one).scheme in ("http", "https", "ws")}


def settled(page):
    """Wait until marimo has run all cells and the pictures stay."""
    page.wait_for_selector("img", timeout=30_000)
    page.get_by_role("heading", name="Exercises").wait_for(timeout=30_000)
    page.wait_for_timeout(1000)


def save(page, name):
    """Save what the window shows, in few colours: small enough to keep."""
    from PIL import Image

    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    IMAGES.mkdir(exist_ok=True)
    picture.save(IMAGES / f"{name}.png", optimize=True)


def move(watched, slider, key):
    """Press a key on a slider; return the seconds until a picture changes."""
    before = watched.pictures()
    slider.focus()
    started = time.perf_counter()
    watched.page.keyboard.press(key)
    watched.page.wait_for_function(CHANGED, arg=before, polling=10, timeout=20_000)
    return time.perf_counter() - started


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda one: one.name)
def test_a_chapter_reads_and_moves(chapter, address, watched, times):
    page = watched.page
    started = time.perf_counter()
    page.goto(f"{address}{chapter.name}/")
    page.get_by_role("heading", name=f"{chapter.number} {chapter.title}").wait_for(timeout=30_000)
    times.setdefault((chapter.name, "readable"), []).append(time.perf_counter() - started)
    settled(page)
    assert page.locator("marimo-tex .katex").count() >= 5
    assert page.locator("marimo-callout-output", has_text="Traceback").count() == 0
    assert page.get_by_text("This cell raised an exception").count() == 0
    slider = page.get_by_role("slider").first
    for key in ("ArrowRight", "ArrowLeft", "ArrowRight", "ArrowLeft"):
        end = slider.get_attribute("aria-valuemax" if key == "ArrowRight" else "aria-valuemin")
        if slider.get_attribute("aria-valuenow") != end:
            times.setdefault((chapter.name, "slider"), []).append(move(watched, slider, key))
            page.wait_for_timeout(300)
    page.evaluate("document.activeElement.blur()")
    page.locator("img").first.scroll_into_view_if_needed()
    save(page, chapter.name)
    assert hosts(watched) == {"127.0.0.1"}


def test_the_contents_lead_to_every_chapter(address, watched):
    watched.page.goto(address)
    links = watched.page.get_by_role("listitem").get_by_role("link")
    assert links.count() == len(CHAPTERS)
    links.nth(3).click()
    watched.page.get_by_role("heading", name=CHAPTERS[3].title).wait_for(timeout=30_000)


def test_an_exercise_answers(address, watched):
    page = watched.page
    page.goto(f"{address}neuron/")
    settled(page)
    field = page.locator("input[placeholder='a number']").first
    for text, answer in [("1/3", "Not right."), ("one", "Cannot be read"), ("1/(1 + exp(-1))", "Right.")]:
        field.fill(text)
        field.press("Enter")
        page.get_by_text(re.compile(f"^{re.escape(answer)}")).first.wait_for(timeout=10_000)


def test_a_bad_file_changes_nothing_and_a_good_one_is_used(address, watched):
    page = watched.page
    page.goto(f"{address}neuron/")
    settled(page)
    before = watched.pictures()
    chooser = page.locator("input[type=file]").first
    for name, contents, message in [
        ("empty.csv", b"", "empty.csv: expected data, got an empty file"),
        ("ragged.csv", b"x,y,kind\n1,2,a\n3\n", "ragged.csv: "),
        ("large.csv", b"x,y,kind\n" + b"1,2,a\n" * 900_000, "expected at most 5 MB, got 5.4 MB"),
    ]:
        chooser.set_input_files({"name": name, "mimeType": "text/csv", "buffer": contents})
        page.get_by_text(message).first.wait_for(timeout=20_000)
        page.get_by_text("Still in use: iris").first.wait_for(timeout=10_000)
        assert watched.pictures() == before
    rows = "".join(f"{i},{(i * i) % 7},{'ab'[i // 15]}\n" for i in range(30))
    chooser.set_input_files({"name": "good.csv", "mimeType": "text/csv", "buffer": b"x,y,kind\n" + rows.encode()})
    page.get_by_text("good: 30 rows").first.wait_for(timeout=10_000)
    page.wait_for_function(CHANGED, arg=before, timeout=10_000)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    export(folder)
    return folder


def test_exported_files_open_without_network(site, watched):
    page = watched.page
    page.context.set_offline(True)
    page.goto((site / "index.html").as_uri())
    assert page.get_by_role("listitem").count() == len(CHAPTERS)
    page.get_by_role("link", name=CHAPTERS[0].title).click()
    for chapter in CHAPTERS:
        page.get_by_role("heading", name=f"{chapter.number} {chapter.title}").wait_for(timeout=10_000)
        sizes = page.evaluate("[...document.querySelectorAll('math')].map(m => m.getBoundingClientRect().width)")
        assert len(sizes) >= 5
        assert sum(width > 0 for width in sizes) >= 5  # those of folded answers have none
        images = page.evaluate("[...document.querySelectorAll('img')].map(i => i.complete && i.naturalWidth > 0)")
        assert images
        assert all(images)
        assert page.get_by_text("||(").count() == 0
        following = page.locator("nav").first.get_by_role("link").last
        if chapter is not CHAPTERS[-1]:
            following.click()
    assert {urlsplit(one).scheme for one in watched.addresses} <= {"file", "data"}
