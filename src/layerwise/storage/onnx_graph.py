"""Models as ONNX: the columns of a table in, probabilities and predictions out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from .. import __version__
from ..data.preparation import Preparation
from ..errors import SpecificationError
from ..network import Parameters
from ..program.program import Step
from ..rules.outputs.classes import exp_below
from .exported import IMAGE, INPUT, Classes, Exported, Numbers, YesOrNo, class_names, folded, refuse
from .onnx_formulas import Graph, formula_nodes

#: The oldest operators that have everything; LabelEncoder is from the second set.
OPSET, WORDS_OPSET, IR_VERSION = 17, 3, 8
WORDS_DOMAIN: Final = "ai.onnx.ml"
#: A protobuf holds 2 GiB; a little less is left for parameters.
MOST_BYTES: Final = 2**31 - 2**22


def onnx_model(model: Exported) -> Any:
    """Return a model as an ONNX one.

    Parameters
    ----------
    model : Exported

    Returns
    -------
    onnx.ModelProto
        Inputs: one for each column of the table, (N, 1), numbers in float64 with NaN for a missing one, words with ""
        for a missing one; or "image" (N, pixels); or "X" (N, inputs). Results: "probabilities" (N, C) and "prediction".

    Raises
    ------
    SpecificationError
        If something of it cannot be expressed; the message names it.
    """
    from onnx import helper

    size = sum(theta.vector.nbytes for theta in model.members)
    if size > MOST_BYTES:
        raise SpecificationError(
            where="onnx", expected="parameters of less than 2 GiB, which one file can hold", got=f"{size} bytes",
            remedy="train a smaller network, or in float32",
        )  # fmt: skip
    results = [name for pair in model.result_names() for name in pair if name]
    inputs = list(model.columns.values()) or [IMAGE if model.preparation else INPUT]
    for name in inputs:
        if name in results or inputs.count(name) > 1:
            raise SpecificationError(
                where=f"column {name!r}", expected="names that differ from each other and from " + ", ".join(results),
                got="it twice", remedy="rename the column and train anew",
            )  # fmt: skip
    graph = Graph(model.dtype, [*inputs, *results])
    X = _prepared(graph, model)
    fs = [_network(graph, theta, X, "" if len(model.members) == 1 else f"network {m}/")
          for m, theta in enumerate(model.members, 1)]  # fmt: skip
    f = fs[0]
    if len(fs) > 1:
        f = graph.node("Div", graph.node("Sum", *fs), graph.constant(float(len(fs))))
    made = helper.make_graph(
        graph.nodes, "layerwise", _inputs(model), _results(graph, model, f), graph.initializers,
        doc_string=f"Made by Layerwise {__version__}",
    )  # fmt: skip
    reads_words = model.preparation is not None and bool(model.preparation.words)
    domains = [helper.make_opsetid("", OPSET)] + [helper.make_opsetid(WORDS_DOMAIN, WORDS_OPSET)] * reads_words
    proto = helper.make_model(
        made, opset_imports=domains, ir_version=IR_VERSION, producer_name="layerwise", producer_version=__version__
    )
    helper.set_model_props(proto, _metadata(model))
    return proto


def _metadata(model: Exported) -> dict[str, str]:
    """Return what the file says of itself."""
    found = {"layerwise": __version__, "model": model.name, "target": model.target}
    if isinstance(model.answer, tuple):
        for (_, prediction), classes in zip(model.result_names(), model.answer, strict=True):
            found[prediction.replace("prediction", "classes")] = json.dumps(classes.names.tolist(), ensure_ascii=False)
    if model.preparation is not None and model.preparation.image_shape:
        rows, columns = model.preparation.image_shape
        found["image"] = f"{rows} x {columns} pixels from 0 to {model.preparation.pixel_max:g}"
    return {key: value for key, value in found.items() if value}


# --- before the networks ----------------------------------------------------------------------------------------------


def _value(name: str, dtype: Any, *shape: int, doc: str = "") -> Any:
    """Return what an input or a result is, N rows of it."""
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, ["N", *shape], doc_string=doc)


def _inputs(model: Exported) -> list[Any]:
    """Return what the inputs are."""
    preparation = model.preparation
    if preparation is None:
        return [_value(INPUT, model.dtype, model.inputs)]
    if preparation.image_shape:
        doc = f"Pixels from 0 to {preparation.pixel_max:g}, row after row"
        return [_value(IMAGE, model.dtype, model.inputs, doc=doc)]
    numbers, words = (
        [_value(model.columns[column.name], dtype, 1, doc=doc) for column in columns]
        for columns, dtype, doc in (
            (preparation.numbers, np.float64, "A number; NaN for a missing one"),
            (preparation.words, object, "A word; the empty string for a missing one"),
        )
    )
    return numbers + words


def _prepared(graph: Graph, model: Exported) -> str:
    """Add what turns the inputs into h^(0)."""
    preparation = model.preparation
    if preparation is None:
        return INPUT
    if preparation.image_shape:
        return graph.node("Div", IMAGE, graph.constant(preparation.pixel_max))
    parts = [_numbers(graph, model, preparation)] if preparation.numbers else []
    parts += [_one_hot(graph, model.columns[column.name], column.name, column.words, column.missing)
              for column in preparation.words]  # fmt: skip
    return parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)


def _numbers(graph: Graph, model: Exported, preparation: Preparation) -> str:
    """(x - mean) / scale in float64, with the median for NaN; 0 where the scale is 0, as division by infinity gives."""
    columns = preparation.numbers
    x = graph.node("Concat", *(model.columns[column.name] for column in columns), axis=1)
    median, mean, scale = (
        graph.constant([[getattr(column, name) for column in columns]], f"/{name}", np.float64)
        for name in ("median", "mean", "scale")
    )
    constant = [column.scale == 0 for column in columns]
    if any(constant):
        scales = [[column.scale or np.inf for column in columns]]
        scale = graph.constant(scales, "/scale", np.float64)
    x = graph.node("Where", graph.node("IsNaN", x), median, x)
    return graph.cast(graph.node("Div", graph.node("Sub", x, mean), scale), model.dtype)


def _one_hot(graph: Graph, given: str, name: str, words: Sequence[str], missing: bool) -> str:
    """A column for each word, 1 where the row has it; the last for missing words, if training had any."""
    known = [*words, ""] if missing else list(words)
    if len(set(known)) < len(known):
        raise SpecificationError(
            where=f"column {name!r}", expected="no empty word beside missing ones, which ONNX writes alike",
            got="both", remedy="replace one of them in the data and train anew",
        )  # fmt: skip
    if not known:
        raise SpecificationError(
            where=f"column {name!r}", expected="at least one word", got="none", remedy="train without the column"
        )
    code = graph.node(
        "LabelEncoder", given, domain=WORDS_DOMAIN, keys_strings=known, values_int64s=list(range(len(known))),
        default_int64=-1,
    )  # fmt: skip
    codes = graph.constant(np.arange(len(known))[None], "/codes", np.int64)
    return graph.cast(graph.node("Equal", code, codes), graph.dtype)


# --- the networks -----------------------------------------------------------------------------------------------------


def _network(graph: Graph, theta: Parameters, X: str, prefix: str) -> str:
    """Add the steps of the program that predicts; return f."""
    program, constants = folded(theta)
    values = {name: graph.constant(value, prefix + name) for name, value in constants.items()}
    (features,) = (buffer.name for buffer in program.buffers if buffer.role == "features")
    values[features] = X
    steps, i = list(program.steps), 0
    while i < len(steps):
        if _is_softmax(steps[i : i + 4], steps[i + 4 :]):
            values[steps[i + 3].results[0]] = graph.node("Softmax", values[str(steps[i].operands[0])], axis=1)
            i += 4
            continue
        operands = [values[o] if isinstance(o, str) else graph.constant(o) for o in steps[i].operands]
        results = _step(graph, steps[i], operands)
        if results is None:
            raise refuse(theta.network, steps[i].operation, "ONNX")
        values.update(zip(steps[i].results, results, strict=True))
        i += 1
    return values[dict(program.outputs)["f"]]


def _is_softmax(steps: Sequence[Step], later: Sequence[Step]) -> bool:
    """Whether steps are e^(a - max a) / sum e^(a - max a), which is one operator, if nothing else reads them."""
    if [step.operation for step in steps] != ["max_columns", "map", "sum_columns", "map"]:
        return False
    largest, e, total, quotient = steps
    parts = {*largest.results, *e.results, *total.results}
    return not any(parts.intersection(step.operands) for step in later) and (
        e.keywords["formula"] == exp_below and e.operands == (*largest.operands, *largest.results)
        and total.operands == e.results and quotient.operands == (*e.results, *total.results)
        and [kind for kind, *_ in quotient.keywords["formula"].steps] == ["input", "input", "divide"]
    )  # fmt: skip


def _step(graph: Graph, step: Step, operands: Sequence[str]) -> tuple[str, ...] | None:
    """Add the node of a step; None if there is none for it."""
    settings = step.keywords
    match step.operation:
        case "map":
            return formula_nodes(graph, settings["formula"], operands)
        case "matmul":
            a, b = int(settings["transpose_a"]), int(settings["transpose_b"])
            return (graph.node("Gemm", *operands, transA=a, transB=b),)
        case "sum_columns":
            return (graph.node("ReduceSum", *operands, graph.constant([1], "/axes", np.int64), keepdims=1),)
        case "max_columns":
            return (graph.node("ReduceMax", *operands, axes=[1], keepdims=1),)
        case "concatenate":
            return (graph.node("Concat", *operands, axis=1),)
        case "slice_columns":
            bounds = (graph.constant([settings[name]], "/bound", np.int64) for name in ("start", "stop"))
            return (graph.node("Slice", *operands, *bounds, graph.constant([1], "/axes", np.int64)),)
        case "split_columns" | "join_columns":
            shape = graph.constant([-1, int(step.shape[1])], "/shape", np.int64)
            return (graph.node("Reshape", *operands, shape),)
    return None


# --- after the networks -----------------------------------------------------------------------------------------------


def _results(graph: Graph, model: Exported, f: str) -> list[Any]:
    """Add what turns f into results; return what they are."""
    names = model.result_names()
    if isinstance(model.answer, Numbers):
        _values(graph, model, model.answer, f, names[0][1])
        return [_value(names[0][1], np.float64, *model.answer.shape)]
    if isinstance(model.answer, YesOrNo):
        probabilities, prediction = names[0]
        graph.node("Identity", f, out=probabilities)
        graph.cast(graph.node("Greater", f, graph.constant(0.5)), np.int64, out=prediction)
        return [_value(probabilities, model.dtype, model.outputs), _value(prediction, np.int64, model.outputs)]
    found = []
    for (probabilities, prediction), classes in zip(names, model.answer, strict=True):
        listed = class_names(classes.names)
        part = f
        if (classes.start, classes.stop) != (0, model.outputs):
            bounds = (graph.constant([bound], "/bound", np.int64) for bound in (classes.start, classes.stop))
            part = graph.node("Slice", f, *bounds, graph.constant([1], "/axes", np.int64))
        _probabilities(graph, classes, part, probabilities)
        code = graph.node("ArgMax", probabilities, axis=1, keepdims=0)
        graph.node("Gather", graph.constant(listed, "/classes", listed.dtype), code, out=prediction, axis=0)
        found += [_value(probabilities, model.dtype, len(listed)), _value(prediction, listed.dtype)]
    return found


def _probabilities(graph: Graph, classes: Classes, part: str, out: str) -> None:
    if not classes.single:
        graph.node("Identity", part, out=out)
    elif len(classes.names) == 1:  # training saw no other class
        graph.node("Expand", graph.constant(1.0), graph.node("Shape", part), out=out)
    else:
        graph.node("Concat", graph.node("Sub", graph.constant(1.0), part), part, out=out, axis=1)


def _values(graph: Graph, model: Exported, numbers: Numbers, f: str, out: str) -> None:
    """f scale + mean in float64, of the columns that are given."""
    if numbers.columns != tuple(range(model.outputs)):
        f = graph.node("Gather", f, graph.constant(numbers.columns, "/columns", np.int64), axis=1)
    f = graph.cast(f, np.float64)
    if (numbers.mean, numbers.scale) != (0.0, 1.0):
        scale, mean = (graph.constant(number, dtype=np.float64) for number in (numbers.scale, numbers.mean))
        f = graph.node("Add", graph.node("Mul", f, scale), mean)
    graph.node("Reshape", f, graph.constant([-1, *numbers.shape], "/shape", np.int64), out=out)
