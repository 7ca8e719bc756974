"""The pages in a browser: one address for each chapter, and a table of contents."""

from __future__ import annotations

import html
import os
import shutil
import socket
import subprocess
import sys
import threading
import webbrowser
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

from ..errors import MissingExtraError, SpecificationError
from .contents import CHAPTERS, FOLDER, Chapter

HOST: Final = "127.0.0.1"
#: Seconds that a page's numbers are kept after its tab is closed.
KEPT: Final = 30
_STYLE: Final = """
body { font: 17px/1.5 "PT Sans", system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem;
       color-scheme: light dark; }
h1 { font-family: Lora, Georgia, serif; font-weight: 500; }
ol { padding-left: 2rem; } li { margin: .6rem 0; } a { font-weight: bold; } small { display: block; opacity: .75; }
"""


def part_of_marimo(name: str = "") -> Any:
    """Import marimo, or a module of it.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return import_module(f"marimo.{name}" if name else "marimo")
    except ImportError as problem:
        raise MissingExtraError(
            where="notes", expected="marimo", got="no such package", remedy="pip install 'layerwise[notes]'"
        ) from problem


def contents_page(link: str = "{name}/") -> str:
    """Return the table of contents as HTML.

    Parameters
    ----------
    link : str
        A chapter's address, of its name.

    Examples
    --------
    >>> '<a href="neuron.html">The artificial neuron</a>' in contents_page("{name}.html")
    True
    """
    rows = "\n".join(
        f'<li><a href="{link.format(name=one.name)}">{html.escape(one.title)}</a>'
        f"<small>{html.escape(one.about)}</small></li>"
        for one in CHAPTERS
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Layerwise: executable notes</title><style>{_STYLE}</style></head>\n<body><h1>Executable notes</h1>"
        "<p>Feed-forward neural networks, from regression to representations: every equation runs, every picture can "
        f"be moved, every derivation is proved.</p>\n<ol>\n{rows}\n</ol></body></html>\n"
    )


def application() -> Any:
    """Return the pages as an ASGI application: / is the table of contents, /NAME/ a chapter.

    Raises
    ------
    MissingExtraError
        If marimo is not installed.
    """
    marimo = part_of_marimo()
    responses, routing = import_module("starlette.responses"), import_module("starlette.routing")
    applications = import_module("starlette.applications")
    builder = marimo.create_asgi_app(quiet=True, include_code=True, session_ttl=KEPT)
    for one in CHAPTERS:
        if one.path.exists():
            builder = builder.with_app(path=f"/{one.name}", root=str(one.path))
    page = contents_page()

    async def contents(_: Any) -> Any:
        return responses.HTMLResponse(page)

    built = builder.build()
    return applications.Starlette(routes=[routing.Route("/", contents), routing.Mount("/", built)])


def serve(first: Chapter | None = None, port: int | None = None, browser: bool = True) -> NoReturn:
    """Serve the pages on this machine until Ctrl-C, which ends the process, and open them in the browser.

    Parameters
    ----------
    first : Chapter, optional
        The page to open; the table of contents by default.
    port : int, optional
        Where; a free one near 2718 by default.
    browser : bool
        Whether to open one.

    Raises
    ------
    MissingExtraError
        If marimo is not installed.
    SpecificationError
        If the port is taken.
    """
    app = application()
    listener = _listener(port)
    address = f"http://{HOST}:{listener.getsockname()[1]}/" + (f"{first.name}/" if first else "")
    uvicorn = import_module("uvicorn")
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    threading.Thread(target=_warm_up, daemon=True).start()
    print(f"The notes are at {address} (Ctrl-C ends them)", flush=True)
    if browser:
        threading.Timer(0.5, webbrowser.open, [address]).start()
    code = 0
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        code = 130
        print("layerwise: interrupted", file=sys.stderr)
    except SystemExit as ended:  # by SIGTERM
        code = ended.code if isinstance(ended.code, int) else 1
    # Open pages have threads, which the interpreter would wait for, or end by a crash. Nothing of theirs is to be kept.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def edit(folder: Path, headless: bool = False) -> int:
    """Open the chapters for editing, as copies in a folder; what is there already stays.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    headless : bool
        Whether to open no browser.

    Returns
    -------
    int
        The editor's exit code.

    Raises
    ------
    MissingExtraError
        If marimo is not installed.
    """
    part_of_marimo()
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(FOLDER.glob("ch*.py")):
        if not (folder / path.name).exists():
            shutil.copyfile(path, folder / path.name)
    command = [sys.executable, "-m", "marimo", "edit", str(folder), *(["--headless"] if headless else [])]
    return subprocess.run(command, check=False).returncode


def _listener(port: int | None) -> socket.socket:
    """Return a socket at the port, or at the first free one from 2718 on."""
    for candidate in (port,) if port is not None else (*range(2718, 2738), 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, candidate))
            listener.listen()  # from now on whoever asks waits, until there is an answer
        except OSError as problem:
            listener.close()
            if port is not None:
                raise SpecificationError(
                    where="--port", expected="a free port", got=f"{port} ({problem.strerror})",
                    remedy="give another, or none",
                ) from problem  # fmt: skip
        else:
            return listener
    raise AssertionError("port 0 is always free")


def _warm_up() -> None:
    """Load what the first page would wait for."""
    for name in ("sympy", "matplotlib.figure", "layerwise.estimators", "layerwise.proofs", "layerwise.reports"):
        import_module(name)
