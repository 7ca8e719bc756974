"""Live progress on standard error: a table of epochs and the time left; plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ..training.history import History, Record
from ..training.state import TrainingState

#: Epochs shown at once.
WINDOW = 12
#: Columns left out, in this order, where the terminal is too narrow for all.
SPARE = ("rate", "|gradient|", "seconds")


class Watcher(Protocol):
    """What training reports to."""

    def epoch(self, state: TrainingState) -> None:
        """Take note of a finished epoch."""

    def batch(self, state: TrainingState) -> None:
        """Take note of how far the epoch is."""


class Silent:
    """Shows nothing."""

    def epoch(self, state: TrainingState) -> None:
        """Do nothing."""

    def batch(self, state: TrainingState) -> None:
        """Do nothing."""


class Lines:
    """A line an epoch, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.begun = False

    def epoch(self, state: TrainingState) -> None:
        """Print the epoch."""
        names = columns(state.history)
        if not self.begun:  # which need not be with epoch 1
            self._print(names, names)
            self.begun = True
        self._print(row(state.history[-1]), names)

    def batch(self, state: TrainingState) -> None:
        """Print nothing within an epoch."""

    def _print(self, cells: list[str], names: list[str]) -> None:
        line = "  ".join(f"{cell:>{max(len(name), 8)}}" for cell, name in zip(cells, names, strict=True))
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


class LiveTable:
    """A live table of the latest epochs above a bar with the time left."""

    def __init__(self, live: Live, epochs: int, steps: int) -> None:
        self.live, self.epochs, self.steps = live, epochs, steps
        self.records: list[Record] = []
        self.names: list[str] = []
        self.best: int | None = None
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.total:.0f}"), BarColumn(), TextColumn("{task.fields[left]}"),
            TextColumn("elapsed"), TimeElapsedColumn(), console=live.console,
        )  # fmt: skip
        self.task = self.bar.add_task("", total=epochs, epoch=1, left="")

    def epoch(self, state: TrainingState) -> None:
        """Add the epoch to the table."""
        self.names = columns(state.history)
        self.records = [*self.records, state.history[-1]][-WINDOW:]
        self.best = state.early_stopping.best_epoch
        self.batch(state)

    def batch(self, state: TrainingState) -> None:
        """Move the bar."""
        done = state.steps / self.steps
        left = state.seconds / done * (self.epochs - done) if done else 0.0
        self.bar.update(
            self.task, completed=done, epoch=min(state.epoch + 1, self.epochs), left=f"at most {clock(left)} left"
        )
        self.live.update(self.render(), refresh=True)

    def render(self) -> Group:
        """Return the table and the bar."""
        shown = list(zip(self.names, *map(row, self.records), strict=True))
        for spare in SPARE:
            if sum(max(map(len, column)) + 2 for column in shown) > self.live.console.width:
                shown = [column for column in shown if column[0] != spare]
        table = Table(box=None, header_style="bold", padding=(0, 1))
        for name, *_ in shown:
            table.add_column(name, justify="right")
        for record, *cells in zip(self.records, *(column[1:] for column in shown), strict=True):
            table.add_row(*cells, style="green" if record.epoch == self.best else None)
        return Group(table if self.names else Text(""), self.bar)


def columns(history: History) -> list[str]:
    """Return the names of the table's columns."""
    validated = history[-1].validation_loss is not None
    metric = {"accuracy": "accuracy", "r2": "R2"}.get(history.metric, history.metric)
    extra = ["val. loss", f"val. {metric}"] if validated else []
    return ["epoch", "loss", metric, *extra, "|gradient|", "rate", "seconds"]


def row(record: Record) -> list[str]:
    """Return the cells of an epoch."""
    extra = []
    if record.validation_loss is not None and record.validation_metric is not None:
        extra = [f"{record.validation_loss:.4f}", f"{record.validation_metric:.4f}"]
    return [
        str(record.epoch), f"{record.train_loss:.4f}", f"{record.train_metric:.4f}", *extra,
        f"{record.gradient_norm:.3g}", f"{record.rate:.3g}", f"{record.seconds:.1f}",
    ]  # fmt: skip


def clock(seconds: float) -> str:
    """Return a duration as m:ss or h:mm:ss.

    >>> clock(75), clock(3601)
    ('1:15', '1:00:01')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def watcher(console: Console, quiet: bool, epochs: int, steps_per_epoch: int) -> Iterator[Watcher]:
    """Return the watcher that suits the console; a live table is left standing when training ends."""
    if quiet:
        yield Silent()
    elif not console.is_terminal or console.is_dumb_terminal:
        yield Lines(console)
    else:
        with Live(console=console, auto_refresh=False, transient=False) as live:
            yield LiveTable(live, epochs, steps_per_epoch)


class Share:
    """Says how much is done; shows nothing itself."""

    def advance(self, done: float, rows: int) -> None:
        """Take note of the share that is done, and of rows that came with it."""


class ShareLines(Share):
    """A line every ten seconds, for logs and pipes."""

    def __init__(self, console: Console, what: str) -> None:
        self.console, self.what = console, what
        self.rows, self.started = 0, time.monotonic()
        self.next = self.started + 10

    def advance(self, done: float, rows: int) -> None:
        """Print a line if it is time for one."""
        self.rows += rows
        now = time.monotonic()
        if now >= self.next and 0 < done < 1:
            left = clock((now - self.started) / done * (1 - done))
            self.console.print(f"{self.what} {self.rows:,} rows, {done:.0%}, about {left} left", highlight=False)
            self.next = now + 10


class ShareBar(Share):
    """A bar with rows and the time left."""

    def __init__(self, bar: Progress, what: str) -> None:
        self.bar, self.what, self.rows = bar, what, 0
        self.task = bar.add_task("", total=1.0, said=f"{what} 0 rows")

    def advance(self, done: float, rows: int) -> None:
        """Move the bar."""
        self.rows += rows
        self.bar.update(self.task, completed=done, said=f"{self.what} {self.rows:,} rows")


@contextmanager
def share_watcher(console: Console, quiet: bool, what: str) -> Iterator[Share]:
    """Return what suits the console, for work whose share that is done is known; a bar is gone in the end."""
    if quiet:
        yield Share()
    elif not console.is_terminal or console.is_dumb_terminal:
        yield ShareLines(console, what)
    else:
        bar = Progress(
            TextColumn("{task.fields[said]}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
            TextColumn("left"), console=console, transient=True,
        )  # fmt: skip
        with bar:
            yield ShareBar(bar, what)
