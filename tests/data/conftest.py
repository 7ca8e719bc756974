"""What the tests of data/ share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from layerwise.errors import LayerwiseError

Fails = Callable[..., AbstractContextManager[None]]
Write = Callable[[str, "str | bytes"], Path]


@pytest.fixture
def fails() -> Fails:
    """A block that must raise one error of the given kind, on one line, with all the given pieces and no traceback."""

    @contextmanager
    def block(kind: type[LayerwiseError], *pieces: str) -> Iterator[None]:
        with pytest.raises(kind) as caught:
            yield
        error = caught.value
        assert type(error) is kind
        message = str(error)
        assert "\n" not in message
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
        for piece in (error.expected, error.got, error.remedy, *pieces):
            assert piece
            assert piece in message

    return block


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file into the test's folder and return its path."""

    def file(name: str, contents: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode("utf-8"))
        return path

    return file
