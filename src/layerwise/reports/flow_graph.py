"""Backpropagation as a flow graph: values go up, gradients come down (course-map row 18)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ..errors import InputError, check_number
from ..network import Network, Parameters
from ..network.inputs import check_inputs, check_parameters
from .figures import TRAINING, VALIDATION, add_formula, axes_to_draw_on, part_of_matplotlib, png
from .flow_steps import FlowStep, Node, nodes_of, steps_of, value_of, with_values, written

#: Inches from one node to the next, and for the whole across.
HIGH, ACROSS = 0.84, 7.0
#: The middle of parameters and of nodes, and where gradients are written.
LEFT, MIDDLE, RIGHT = 1.0, 3.9, 4.65
#: Half of the width and of the height of boxes: nodes and parameters.
NODE: Final = (1.3, 0.29)
PARAMETER: Final = (0.72, 0.19)
#: Sizes of text, in points.
LARGE, MEDIUM, SMALL = 10.8, 9.0, 7.4
#: What is still to come.
PENDING: Final = "0.78"
#: Backgrounds of what is computed, and of what was computed last.
DONE, LATEST = "#E3EFF7", "#FFE9A8"


@dataclass
class FlowGraphDisplay:
    """The flow graph of a network: nodes from x up to the loss, parameters entering, gradients on the way down.

    It is best made by `from_network`.

    Parameters
    ----------
    nodes : list of Node
        x, a^(1), h^(1), ..., f, l.
    steps : list of FlowStep
        First those of fprop, then those of bprop, with values where a row was given.
    step : int
        How many of them are done.
    x : str
        The value of x, or how many numbers it has.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : Figure
    boxes_ : list of FancyBboxPatch
        One for each node.
    arrows_ : list of FancyArrowPatch
        One for each step.

    Examples
    --------
    >>> net = Network(2, [3], 2, hidden="tanh")
    >>> display = FlowGraphDisplay.from_network(net)
    >>> [node.symbol for node in display.nodes]
    ['x', 'a^{(1)}', 'h^{(1)}', 'a^{(2)}', 'f', 'l']
    >>> len(display.steps), display.step
    (11, 11)
    >>> display.steps[6].formulas  # grad_a^(2)
    ('f - e(y)',)
    """

    nodes: list[Node]
    steps: list[FlowStep]
    step: int
    x: str = ""
    ax_: Any = None
    figure_: Any = None
    boxes_: list[Any] = field(default_factory=list)
    arrows_: list[Any] = field(default_factory=list)

    @classmethod
    def from_network(
        cls, net: Network, theta: Parameters | None = None, X: Any = None, y: Any = None, *, step: int | None = None,
        ax: Any = None, **options: Any,
    ) -> FlowGraphDisplay:  # fmt: skip
        """Draw the flow graph of a network.

        Parameters
        ----------
        net : Network
        theta : Parameters, optional
            With X, values are written at the nodes: up to three numbers, or the norm of more.
        X : array (inputs,) or (1, inputs), optional
            One row.
        y : optional
            Its target; without one there are no values of the loss and of gradients.
        step : int, optional
            How many steps are done: 0 for none, up to the number of `steps`, which is all, the default.
        ax : Axes, optional
            A new figure is made if not given.
        **options
            For `plot`.

        Returns
        -------
        FlowGraphDisplay

        Raises
        ------
        InputError
            If theta, X and y do not fit the network, or only one of theta and X is given, or X has more rows.
        SpecificationError
            If there is no such step.
        MissingExtraError
            If matplotlib is not installed.
        """
        nodes = nodes_of(net)
        steps = steps_of(net, nodes)
        x = _counted(net.inputs)
        if theta is not None or X is not None or y is not None:
            if theta is None or X is None:
                raise InputError(
                    where="theta and X", expected="both, or neither", got="theta alone" if X is None else "no theta",
                    remedy="give theta and one row of X for values",
                )  # fmt: skip
            check_parameters(theta, net)
            row = check_inputs(np.atleast_2d(np.asarray(X)), net)
            if len(row) != 1:
                raise InputError(where="X", expected="one row", got=f"{len(row)}", remedy="write X[:1], say")
            target = _some_target(net) if y is None else np.atleast_1d(np.asarray(y))
            trace = net.trace(
                theta, row, target if target.ndim == 2 or net.output.target == "classes" else target[None]
            )
            steps = with_values(steps, trace, forward_only=y is None)
            x = written(value_of(trace, "h", 0))
        return cls(nodes, steps, _check_step(step, len(steps)), x).plot(ax, **options)

    def plot(
        self, ax: Any = None, *, step: int | None = None, formulas: bool = True, title: str | None = None
    ) -> FlowGraphDisplay:
        """Draw nodes, arrows and gradients; what comes after `step` is grey.

        Parameters
        ----------
        ax : Axes, optional
            A new figure is made if not given.
        step : int, optional
            Another one than before.
        formulas : bool
            Write what each quantity is computed as.
        title : str, optional
            By default the step.

        Raises
        ------
        SpecificationError
            If there is no such step.
        """
        self.step = self.step if step is None else _check_step(step, len(self.steps))
        self.ax_ = ax = axes_to_draw_on(ax, (ACROSS, HIGH * len(self.nodes) + 0.4))
        self.figure_, self.boxes_, self.arrows_ = ax.figure, [], []
        ax.set_xlim(0.0, ACROSS)
        ax.set_ylim(-0.7, len(self.nodes) - 0.6)
        ax.set_axis_off()
        forward = {step.node: i for i, step in enumerate(self.steps) if step.phase == "fprop"}
        for row, node in enumerate(self.nodes):
            self._draw_node(row, node, forward.get(row, -1), formulas)
        for i, one in enumerate(self.steps):
            self._draw_arrow(i, one)
            if one.phase == "bprop":
                self._write_gradient(i, one, formulas)
        ax.set_title(self._said() if title is None else title, fontsize="medium")
        return self

    def png(self) -> bytes:
        """Return the figure as a PNG file."""
        return png(self.figure_)

    def _draw_node(self, row: int, node: Node, i: int, formulas: bool) -> None:
        done = i < self.step
        self.boxes_.append(self._box(MIDDLE, row, NODE, i, TRAINING))
        formula = f" = {node.formula}" if formulas and node.formula else ""
        values = self.steps[i].values if i >= 0 else ()
        below = self.x if i < 0 else written(values[0]) if values else _counted(node.size)
        if not done and values:
            below = ""
        self._formula(MIDDLE, row + 0.1, node.symbol + formula, done, LARGE, "black", "center")
        self._number(MIDDLE, row - 0.15, below, done, "black", "center")
        if node.parameters:
            self._box(LEFT, row, PARAMETER, -1, "0.45")
            self._formula(LEFT, row, r",\ ".join(node.parameters), True, LARGE, "black", "center")
            self._arrow((LEFT + PARAMETER[0], row + 0.08), (MIDDLE - NODE[0], row + 0.08), i, TRAINING)

    def _draw_arrow(self, i: int, step: FlowStep) -> None:
        row = step.node
        if step.phase == "fprop":
            start, end = (MIDDLE - 0.3, row - 1 + NODE[1]), (MIDDLE - 0.3, row - NODE[1])
        elif step.of_parameters:
            start, end = (MIDDLE - NODE[0], row - 0.1), (LEFT + PARAMETER[0], row - 0.1)
        else:
            start, end = (MIDDLE + 0.55, row + 1 - NODE[1]), (MIDDLE + 0.55, row + NODE[1])
        self.arrows_.append(self._arrow(start, end, i, TRAINING if step.phase == "fprop" else VALIDATION))

    def _write_gradient(self, i: int, step: FlowStep, formulas: bool) -> None:
        done = i < self.step
        lines = [
            symbol + (f" = {formula}" if formulas and formula else "")
            for symbol, formula in zip(step.symbols, step.formulas, strict=True)
        ]
        values = step.values if done else ()
        if not step.of_parameters:
            shift = 0.08 if values else 0.0
            self._formula(RIGHT, step.node + 0.5 + shift, lines[0], done, LARGE, VALIDATION, "left")
            for value in values:
                self._number(RIGHT, step.node + 0.375, written(value), done, VALIDATION, "left")
            return
        for place, line in enumerate(lines):
            y = step.node - 0.35 - 0.26 * place
            self._formula(0.05, y, line, done, MEDIUM, VALIDATION, "left")
            if values:
                self._number(MIDDLE - NODE[0] - 0.05, y, written(values[place], most=1), done, VALIDATION, "right")

    def _box(self, x: float, y: float, half: tuple[float, float], i: int, colour: str) -> Any:
        """Draw the box of what step i computes; -1 is there from the start."""
        patches = part_of_matplotlib("patches")
        latest = i == self.step - 1 and i >= 0
        done = i < self.step
        return self.ax_.add_artist(
            patches.FancyBboxPatch(
                (x - half[0], y - half[1]), 2 * half[0], 2 * half[1], boxstyle="round,pad=0,rounding_size=0.12",
                facecolor=LATEST if latest else DONE if done and i >= 0 else "white",
                edgecolor=colour if done else PENDING, linewidth=2.0 if latest else 1.0, in_layout=False,
            )
        )  # fmt: skip

    def _arrow(self, start: tuple[float, float], end: tuple[float, float], i: int, colour: str) -> Any:
        patches = part_of_matplotlib("patches")
        latest, done = i == self.step - 1, i < self.step
        return self.ax_.add_artist(
            patches.FancyArrowPatch(
                start, end, arrowstyle="-|>", mutation_scale=13 if latest else 10, shrinkA=0, shrinkB=0,
                color=colour if done else PENDING, linewidth=2.4 if latest else 1.2, in_layout=False,
            )
        )  # fmt: skip

    def _formula(self, x: float, y: float, said: str, done: bool, size: float, colour: str, align: Any) -> None:
        shown = colour if done else "0.7"
        add_formula(self.ax_, x, y, f"${said}$", size=size * self._scale(), colour=shown, align=align)

    def _number(self, x: float, y: float, said: str, done: bool, colour: str, align: str) -> None:
        style = {"fontsize": SMALL * self._scale(), "va": "center", "ha": align, "color": colour if done else "0.7"}
        self.ax_.text(x, y, said, in_layout=False, **style)

    def _scale(self) -> float:
        """Return how much smaller than a figure of its own the picture is."""
        width, height = self.ax_.get_window_extent().size / self.ax_.figure.dpi
        return float(min(1.0, width / (0.9 * ACROSS), height / (0.9 * HIGH * len(self.nodes))))

    def _said(self) -> str:
        if not self.step:
            return f"step 0 of {len(self.steps)}: x is given"
        return f"step {self.step} of {len(self.steps)}, {self.steps[self.step - 1]}"


def _check_step(step: int | None, count: int) -> int:
    if step is None:
        return count
    check_number("step", step, at_least=0, at_most=count, whole=True)
    return int(step)


def _counted(size: int) -> str:
    return f"{size} number{'s' * (size > 1)}"


def _some_target(net: Network) -> Any:
    """Return a target that can be, where only the forward pass is looked at."""
    if net.output.target == "classes":
        return np.zeros(1, np.int64)
    return np.zeros((1, net.targets))
