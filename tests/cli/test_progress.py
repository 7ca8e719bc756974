"""Live progress: lines for logs, a table with the time left for terminals."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.live import Live

from layerwise.cli.progress import WINDOW, Lines, LiveTable, Silent, clock, columns, row, watcher
from layerwise.training.history import History, Record

NAMES = ["epoch", "loss", "accuracy", "val. loss", "val. accuracy", "|gradient|", "rate", "seconds"]


def state_after(epochs: int, validated: bool = True, best: int | None = None, metric: str = "accuracy"):
    """What a watcher looks at, after so many epochs of 10 steps and 2 seconds each."""
    records = [
        Record(
            epoch=k, steps=10 * k, rate=0.125, train_loss=k / 8, train_metric=k / 64, penalty=0.0, objective=k / 8,
            gradient_norm=1.25, exact_train_loss=None, validation_loss=k / 4 if validated else None,
            validation_metric=k / 32 if validated else None, seconds=2.0 * k,
        )
        for k in range(1, epochs + 1)
    ]  # fmt: skip
    return SimpleNamespace(
        history=History(metric, records), epoch=epochs, steps=10 * epochs, seconds=2.0 * epochs,
        early_stopping=SimpleNamespace(best_epoch=best),
    )  # fmt: skip


def terminal(width: int = 100) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(force_terminal=True, file=file, width=width, color_system="standard", _environ={}), file


def rendered(table: LiveTable, width: int = 100) -> list[str]:
    """The live table as plain lines."""
    console = Console(file=io.StringIO(), width=width, _environ={})
    console.print(table.render())
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def live_table(width: int = 100, epochs: int = 20) -> LiveTable:
    console, _ = terminal(width)
    return LiveTable(Live(console=console, auto_refresh=False), epochs=epochs, steps=10)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (0.4, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (75, "1:15"), (3599.7, "1:00:00"), (3601, "1:00:01"),
     (360_000, "100:00:00")],
)  # fmt: skip
def test_clock(seconds, shown):
    assert clock(seconds) == shown


def test_columns_and_row():
    assert columns(state_after(1).history) == NAMES
    assert row(state_after(1).history[-1]) == ["1", "0.1250", "0.0156", "0.2500", "0.0312", "1.25", "0.125", "2.0"]
    assert columns(state_after(1, validated=False).history) == [n for n in NAMES if not n.startswith("val")]
    assert len(row(state_after(1, validated=False).history[-1])) == 6
    assert columns(state_after(1, metric="r2").history)[2:5] == ["R2", "val. loss", "val. R2"]


@pytest.mark.parametrize("validated", [True, False])
def test_lines(validated):
    file = io.StringIO()
    lines = Lines(Console(file=file, width=40, _environ={}))
    for epoch in (1, 2, 3):
        lines.batch(state_after(epoch, validated))
        lines.epoch(state_after(epoch, validated))
    shown = file.getvalue().splitlines()
    assert len(shown) == 4  # one for the names, and never cut or wrapped
    assert [line.split()[0] for line in shown] == ["epoch", "1", "2", "3"]
    assert {len(line) for line in shown} == {len(shown[0])}
    assert ("val. loss" in shown[0]) == validated


def test_live_table():
    table = live_table()
    table.epoch(state_after(3, best=2))
    lines = rendered(table)
    assert lines[0].split("  ")[0].strip() == "epoch"
    assert [line.split()[0] for line in lines[1:-1]] == ["3"]
    assert lines[1].split() == row(state_after(3).history[-1])
    assert lines[-1].startswith("epoch 4/20 ")
    # 3 of 20 epochs took 6 seconds.
    assert "at most 0:34 left" in lines[-1]


def test_the_live_table_shows_the_latest_epochs():
    table = live_table()
    for epoch in range(1, 21):
        table.epoch(state_after(epoch, best=19))
    lines = rendered(table)
    assert [int(line.split()[0]) for line in lines[1:-1]] == list(range(21 - WINDOW, 21))
    assert lines[-1].startswith("epoch 20/20 ")
    assert "at most 0:00 left" in lines[-1]
    styles = [table.render().renderables[0].rows[k].style for k in range(WINDOW)]
    assert styles == [None] * (WINDOW - 2) + ["green", None]


def test_the_bar_moves_within_an_epoch():
    table = live_table()
    before = rendered(table)[-1]
    assert before.startswith("epoch 1/20 ")
    halfway = state_after(0)
    halfway.steps, halfway.seconds = 5, 1.0
    table.batch(halfway)
    assert "at most 0:39 left" in rendered(table)[-1]
    assert table.bar.tasks[0].completed == 0.5


def test_before_the_first_step_there_is_no_estimate():
    table = live_table()
    table.batch(state_after(0))
    assert "at most 0:00 left" in rendered(table)[-1]


@pytest.mark.parametrize(
    ("width", "left_out"),
    [(100, []), (80, []), (72, ["rate"]), (62, ["rate", "|gradient|"]), (54, ["rate", "|gradient|", "seconds"])],
)
def test_narrow_terminals(width, left_out):
    table = live_table(width)
    table.epoch(state_after(1))
    names = " ".join(rendered(table, width)[0].split())
    assert names == " ".join(name for name in NAMES if name not in left_out)
    assert all(len(line) <= width for line in rendered(table, width))


def test_a_terminal_gets_a_live_table_that_is_left_standing():
    console, file = terminal()
    with watcher(console, quiet=False, epochs=2, steps_per_epoch=10) as watching:
        assert isinstance(watching, LiveTable)
        for epoch in (1, 2):
            watching.epoch(state_after(epoch, best=1))
            watching.batch(state_after(epoch, best=1))
    text = file.getvalue()
    assert "\x1b[?25l" in text  # the cursor is hidden, and comes back
    assert text.rindex("\x1b[?25h") > text.rindex("epoch 2/2")
    assert "val. accuracy" in text
    assert "0.2500" in text


def test_who_watches(monkeypatch):
    console, file = terminal()
    with watcher(console, quiet=True, epochs=2, steps_per_epoch=10) as watching:
        assert isinstance(watching, Silent)
        watching.epoch(state_after(1))
        watching.batch(state_after(1))
    assert file.getvalue() == ""
    log = io.StringIO()
    with watcher(Console(file=log, _environ={}), quiet=False, epochs=2, steps_per_epoch=10) as watching:
        assert isinstance(watching, Lines)
        watching.epoch(state_after(1))
    assert len(log.getvalue().splitlines()) == 2


@pytest.mark.parametrize("name", ["dumb", "unknown"])
def test_terminals_that_cannot_move_the_cursor_get_lines(name):
    console = Console(force_terminal=True, file=io.StringIO(), _environ={"TERM": name})
    with watcher(console, quiet=False, epochs=2, steps_per_epoch=10) as watching:
        assert isinstance(watching, Lines)


def test_no_color():
    file = io.StringIO()
    console = Console(force_terminal=True, file=file, width=100, _environ={"NO_COLOR": "1", "TERM": "xterm"})
    with watcher(console, quiet=False, epochs=2, steps_per_epoch=10) as watching:
        watching.epoch(state_after(1, best=1))
    assert "\x1b[32m" not in file.getvalue()
    assert "0.1250" in file.getvalue()
