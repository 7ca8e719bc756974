"""A few kills at random moments; `make stress` has more of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "kill.py"


@pytest.mark.skipif(sys.platform == "win32", reason="children are forks")
def test_five_kills():
    done = subprocess.run([sys.executable, str(SCRIPT), "5"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 kills" in done.stdout.splitlines()[-1]
    assert "all identical" in done.stdout.splitlines()[-1]
