"""Models without Python: one C99 header with the preparation of numbers and the networks, and nothing else to link."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from .. import __version__
from ..errors import SpecificationError
from ..network import Parameters
from ..program.fusion import joined_maps
from ..program.operations import Operation, operations_of
from ..program.program import Shape
from .atomic import make_file
from .c_formulas import OWN, array, comment, formula_lines, identifier, number, string
from .exported import Classes, Exported, Numbers, YesOrNo, exported, folded, refuse

PREFIX: Final = "layerwise"


def export_c(model: Any, path: str | Path, *, prefix: str = PREFIX, overwrite: bool = False) -> None:
    """Write a model as one C99 header, which compiles as C++ too and needs nothing but <math.h>.

    It has PREFIX_predict(const double *row, f), which fills f with probabilities or with numbers in the units of the
    target, and PREFIX_class(const double *row) with the names of the classes in PREFIX_classes. A row has the numbers
    of the table in the order that the header lists, NAN for a missing one; or pixels; or the network's inputs.

    Parameters
    ----------
    model : SavedModel, Model, or a fitted estimator
    path : path
    prefix : str
        What all names in it begin with.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    SpecificationError
        If something of the model cannot be expressed, words for instance; the message names it.
    StorageError
        If the file exists or cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile, layerwise as lw
    >>> model = lw.fit(lw.Network(2, [3], 2), [[0.0, 1.0], [1.0, 0.0]], [0, 1], epochs=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_c(model, f"{folder}/net.h", prefix="net")
    ...     "void net_predict(const double *row, float *f)" in pathlib.Path(f"{folder}/net.h").read_text()
    True
    """
    make_file(Path(path), c_header(exported(model), prefix).encode(), overwrite)


def c_header(model: Exported, prefix: str = PREFIX) -> str:
    """Return the text of the header; see `export_c`."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", prefix):
        raise SpecificationError(
            where="--prefix", expected="letters, digits and underscores, a letter first", got=repr(prefix),
            remedy="choose such a name",
        )  # fmt: skip
    if model.preparation is not None and model.preparation.words:
        name = model.preparation.words[0].name
        raise SpecificationError(
            where=f"column {name!r}", expected="numbers, which C headers take", got="words",
            remedy="export to ONNX, or train without the column",
        )  # fmt: skip
    networks = [_Network(theta, prefix, f"{m}") for m, theta in enumerate(model.members, 1)]
    bodies = [line for network in networks for line in network.lines()]
    guard = f"{prefix.upper()}_H"
    return "\n".join([
        *_introduction(model, prefix), f"#ifndef {guard}", f"#define {guard}", "", "#include <math.h>", "",
        f"#define {prefix.upper()}_INPUTS {_row_size(model)}", f"#define {prefix.upper()}_OUTPUTS {_f_size(model)}", "",
        *_own_functions(bodies, prefix, model), *bodies, *_predict(model, prefix), *_class(model, prefix),
        f"#endif  /* {guard} */", "",
    ])  # fmt: skip


def _row_size(model: Exported) -> int:
    return len(model.columns) or model.inputs


def _f_size(model: Exported) -> int:
    if isinstance(model.answer, Numbers):
        return len(model.answer.columns)
    return model.outputs if isinstance(model.answer, YesOrNo) else sum(len(classes.names) for classes in model.answer)


def _type(model: Exported) -> str:
    return "float" if model.dtype == np.float32 else "double"


def _f_type(model: Exported) -> str:
    """Numbers in the target's units are computed and given in double, as Layerwise does."""
    return "double" if isinstance(model.answer, Numbers) else _type(model)


# --- what users read --------------------------------------------------------------------------------------------------


def _introduction(model: Exported, prefix: str) -> list[str]:
    sizes = "-".join(map(str, model.members[0].network.sizes))
    several = f"{len(model.members)} networks, averaged, each " * (len(model.members) > 1)
    lines = [
        f"{model.name}: {several}{sizes}, {_type(model)}. Made by Layerwise {__version__}.", "",
        f"void {prefix}_predict(const double *row, {_f_type(model)} *f)",
        f"  row[{_row_size(model)}]: {_row_text(model)}",
        *(f"    {place}: {name}" for place, name in enumerate(model.columns)),
        f"  f[{_f_size(model)}]: {_f_text(model)}",
    ]  # fmt: skip
    if _has_class(model):
        lines += ["", f"int {prefix}_class(const double *row)", f"  The likeliest class: a place in {prefix}_classes."]
    lines += ["", "No memory is allocated and nothing is written but f, so threads may share it. Do not compile with",
              "-ffast-math: it takes missing values for numbers."]  # fmt: skip
    indented = (" " * (len(line) - len(line.lstrip())) + comment(line) for line in lines)
    return ["/*", *(f" * {line}".rstrip() for line in indented), " */"]


def _row_text(model: Exported) -> str:
    if model.columns:
        return "numbers of the table, in this order; NAN for a missing one, 0 and 1 for false and true"
    if model.preparation is not None and model.preparation.image_shape:
        rows, columns = model.preparation.image_shape
        return f"pixels from 0 to {model.preparation.pixel_max:g}, {rows} rows of {columns}"
    return "inputs, as the network was trained on them"


def _f_text(model: Exported) -> str:
    of = f" of {model.target}" * bool(model.target)
    if isinstance(model.answer, Numbers):
        return "numbers" + of + ", in its units" * bool(of)
    if isinstance(model.answer, YesOrNo):
        return "probabilities, one a label"
    if len(model.answer) == 1:
        return f"probabilities, one a class{of}"
    return "probabilities: " + ", then ".join(f"{len(c.names)} of answer {t}" for t, c in enumerate(model.answer))


def _has_class(model: Exported) -> bool:
    return isinstance(model.answer, tuple) and len(model.answer) == 1


# --- functions --------------------------------------------------------------------------------------------------------


def _own_functions(bodies: Sequence[str], prefix: str, model: Exported) -> Iterator[str]:
    kind = _type(model)
    for name, formula in OWN.items():
        if any(f"{prefix}_{name}(" in line for line in bodies):
            yield f"static inline {kind} {prefix}_{name}({kind} x, {kind} y) {{ return {formula}; }}"
            yield ""


def _loop(size: int, body: Sequence[str], indent: str = "  ") -> list[str]:
    lines = [f"for (int j = 0; j < {size}; ++j) {{", *(f"  {line}" for line in body), "}"]
    return [indent + line for line in lines]


def _predict(model: Exported, prefix: str) -> Iterator[str]:
    """Give the function from a row to f, with the constants that it needs."""
    kind, preparation = _type(model), model.preparation
    body = []
    if preparation is not None and preparation.numbers:
        for name in ("median", "mean", "scale"):
            values = np.array([getattr(column, name) for column in preparation.numbers])
            yield from array(f"{prefix}_{name}", values, np.float64)
        yield ""
        body = [
            f"const double v = row[j] != row[j] ? {prefix}_median[j] : row[j];",
            f"x[j] = {prefix}_scale[j] > 0.0 ? ({kind})((v - {prefix}_mean[j]) / {prefix}_scale[j]) : "
            f"{number(0, model.dtype)};",
        ]
    elif preparation is not None:
        body = [f"x[j] = ({kind})row[j] / {number(preparation.pixel_max, model.dtype)};"]
    else:
        body = [f"x[j] = ({kind})row[j];"]
    yield f"static inline void {prefix}_predict(const double *row, {_f_type(model)} *f) {{"
    yield f"  {kind} x[{model.inputs}], g[{model.outputs}];"
    yield from _loop(model.inputs, body)
    yield f"  {prefix}_network_1(x, g);"
    if len(model.members) > 1:
        yield f"  {kind} more[{model.outputs}];"
        for m in range(2, len(model.members) + 1):
            yield f"  {prefix}_network_{m}(x, more);"
            yield from _loop(model.outputs, ["g[j] += more[j];"])
        yield from _loop(model.outputs, [f"g[j] /= {number(len(model.members), model.dtype)};"])
    if isinstance(model.answer, Numbers):
        mean, scale = (number(value, np.float64) for value in (model.answer.mean, model.answer.scale))
        for place, column in enumerate(model.answer.columns):
            yield f"  f[{place}] = (double)g[{column}] * {scale} + {mean};"
    elif isinstance(model.answer, tuple) and model.answer[0].single:
        yield from _of_one_column(model.answer[0], model)
    else:
        yield from _loop(model.outputs, ["f[j] = g[j];"])
    yield "}"
    yield ""


def _of_one_column(classes: Classes, model: Exported) -> list[str]:
    one = number(1, model.dtype)
    if len(classes.names) == 1:
        return ["  (void)g;", f"  f[0] = {one};"]
    return [f"  f[0] = {one} - g[0];", "  f[1] = g[0];"]


def _class(model: Exported, prefix: str) -> Iterator[str]:
    """Give the names of the classes, and the function that chooses one."""
    if not isinstance(model.answer, tuple) or not _has_class(model):
        return
    names = model.answer[0].names.tolist()
    yield f"static const char *const {prefix}_classes[{len(names)}] = {{"
    for name in names:
        yield f"  {string(str(name))},"
    yield from ("};", "", f"static inline int {prefix}_class(const double *row) {{")
    yield f"  {_type(model)} f[{len(names)}];"
    yield f"  {prefix}_predict(row, f);"
    yield "  int best = 0;"
    yield f"  for (int j = 1; j < {len(names)}; ++j) {{"
    yield from ("    if (f[j] > f[best]) best = j;", "  }", "  return best;", "}", "")


# --- networks ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Network:
    """One network as a function from h^(0) to f, with its constants before it."""

    theta: Parameters
    prefix: str
    number: str

    def lines(self) -> Iterator[str]:
        """Give its constants and its function."""
        program, constants = folded(self.theta)
        listed, shapes = operations_of(program)
        (last,) = (value for output, value in program.outputs if output == "f")
        operations, read = _needed(joined_maps(listed, {}), last)
        dtype = self.theta.vector.dtype
        names = {name: f"{self.prefix}_{self.number}_{identifier(name)}" for name in constants if name in read}
        for name, text in names.items():
            yield from array(text, constants[name], dtype)
        kind = "float" if dtype == np.float32 else "double"
        yield ""
        yield f"static inline void {self.prefix}_network_{self.number}(const {kind} *x, {kind} *f) {{"
        (features,) = (buffer.name for buffer in program.buffers if buffer.role == "features")
        names |= {features: "x", last: "f"}
        if features not in read:  # some formula is a constant
            yield "  (void)x;"
        for operation in operations:
            kept = [name for name in operation.results if name in read]
            for name in kept:
                if name != last:
                    names[name] = f"n_{identifier(name)}"
                    yield f"  {kind} {names[name]}[{_size(shapes[name])}];"
            for line in self._operation(operation, kept, names, shapes):
                yield f"  {line}"
        yield "}"
        yield ""

    def _operation(
        self, operation: Operation, kept: list[str], names: dict[str, str], shapes: dict[str, Shape]
    ) -> list[str]:  # fmt: skip
        """Return the statements of one operation, for a single row."""
        dtype = self.theta.vector.dtype
        out = names[kept[0]]
        size = _size(operation.shape)

        def at(operand: str | float, place: str = "j") -> str:
            if not isinstance(operand, str):
                return number(operand, dtype)
            return f"{names[operand]}[{'0' if _size(shapes[operand]) == 1 else place}]"

        operands = operation.operands
        match operation.kind:
            case "map":
                results = {operation.results.index(name): f"{names[name]}[j]" for name in kept}
                body = formula_lines(operation.formula, [at(o) for o in operands], results, self.prefix, dtype)
                return _loop(size, body, "")
            case "matmul" if shapes[str(operands[0])][0] == "n" != shapes[str(operands[1])][0]:
                turned = operation.attributes["transpose_b"]
                width = _size(shapes[str(operands[0])])
                entry = f"j * {width} + i" if turned else f"i * {size} + j"
                start = at(operands[2]) if len(operands) > 2 else number(0, dtype)
                kind = "float" if dtype == np.float32 else "double"
                product = f"{at(operands[0], 'i')} * {names[str(operands[1])]}[{entry}]"
                return _loop(size, [
                    f"{kind} sum = {start};", f"for (int i = 0; i < {width}; ++i) sum += {product};", f"{out}[j] = sum;"
                ], "")  # fmt: skip
            case "sum_columns" | "max_columns":
                width = _size(shapes[str(operands[0])])
                term = at(operands[0])
                larger = f"if ({term} > {out}[0]) {out}[0] = {term};"
                step = f"{out}[0] += {term};" if operation.kind == "sum_columns" else larger
                start = f"{out}[0] = {at(operands[0], '0')};"
                return [start, f"for (int j = 1; j < {width}; ++j) {{", f"  {step}", "}"]
            case "concatenate":
                lines, first = [], 0
                for operand in operands:
                    width = _size(shapes[str(operand)])
                    lines += _loop(width, [f"{out}[{first} + j] = {at(operand)};"], "")
                    first += width
                return lines
            case "slice_columns":
                source = names[str(operands[0])]
                return _loop(size, [f"{out}[j] = {source}[{operation.attributes['start']} + j];"], "")
        raise refuse(self.theta.network, operation.kind, "C")


def _needed(operations: Sequence[Operation], last: str) -> tuple[list[Operation], set[str]]:
    """Return the operations that the last value comes from, and all values that they read."""
    kept, read = [], {last}
    for operation in reversed(operations):
        if read.intersection(operation.results):
            kept.append(operation)
            read.update(operation.reads)
    return kept[::-1], read


def _size(shape: Shape) -> int:
    """Return the entries of a value for one row."""
    sizes = [int(size) for size in shape if not isinstance(size, str)]
    return int(np.prod(sizes, dtype=int))
