"""`layerwise notes` ends when it is told to, whatever pages are open."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.thorough
CODE = (  # who runs tests in the background has Ctrl-C ignored in all children
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "sys.argv = ['layerwise', 'notes', '--no-browser']; from layerwise.cli import run; run()"
)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_open_pages_do_not_hold_it(number, code, browser, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", CODE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    address = process.stdout.readline().split()[4]
    contexts = [browser.new_context() for _ in range(3)]
    for context, chapter in zip(contexts, ["neuron", "learning", "descent"], strict=True):
        page = context.new_page()
        page.goto(f"{address}{chapter}/")
        page.wait_for_selector("img", timeout=30_000)
    process.send_signal(number)
    _, err = process.communicate(timeout=15)
    assert process.returncode == code
    assert err == ("layerwise: interrupted\n" if code == 130 else "")
    for context in contexts:
        context.close()
