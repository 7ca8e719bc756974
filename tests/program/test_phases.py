"""Schedules: which operations run together, and that they may run so: block by block, phases of one level in any order.

`Interpreter` runs a schedule in NumPy as an engine would. Values are NaN until their rows are computed, so whatever is
read before it is there shows in the results.
"""

import numpy as np
import pytest

import layerwise as lw
from layerwise.ops import Expression, NumpyOps, Purpose
from layerwise.ops.numpy_ops import evaluate
from layerwise.program import Recorder
from layerwise.program.operations import ROW_COUNT
from layerwise.program.phases import follows_rows, schedule

ROWS = 7
UPDATES = {
    "SGD": lw.SGD(0.1), "momentum": lw.SGD(0.1, momentum=0.9), "nesterov": lw.SGD(0.1, momentum=0.9, nesterov=True),
    "Adam": lw.Adam(),
}  # fmt: skip
PLAIN = {
    "course": lw.Network(11, [6], 4, hidden="sigmoid", output="softmax"),
    "linear": lw.Network(5, [], 2, output="identity"),
    "equal layers": lw.Network(6, [6, 6], 6, hidden="relu", dropout=0.3),
    "own": lw.Network(5, [6], 3, hidden=lambda s, a: a * s.cos(a), output="sigmoid"),
}
NORMALISED = {
    "normalised": lw.Network(5, [6, 4], 2, hidden="tanh", output="identity", batch_norm=True),
    "all": lw.Network(5, [6, 6], 3, hidden="gelu", batch_norm=True, dropout=0.3),
}
NETWORKS = PLAIN | NORMALISED
PENALTIES = {"none": None, "sums": lw.L1(0.01) + lw.L2(0.02)}


class Interpreter:
    """Runs a schedule in NumPy, in blocks of some rows, forwards or backwards."""

    def __init__(self, plan, given, block, backwards):
        self.plan, self.given, self.block, self.order = plan, given, block, -1 if backwards else 1
        sizes = [
            len(given[b.name]) // times(b.shape[0]) for b in plan.program.buffers
            if b.shape and isinstance(b.shape[0], str)
        ]  # fmt: skip
        self.n = sizes[0] if sizes else 0
        self.values = dict(given) | {ROW_COUNT: self.n}
        for phase in plan.phases:
            for operation in phase.operations:
                for result in operation.results:  # what is written is kept where it is written, and nowhere else
                    new = np.full([self.size(s) for s in plan.shapes[result]], np.nan)
                    self.values[result] = given[operation.writes[result]] if result in operation.writes else new

    def size(self, size):
        return times(size) * self.n if isinstance(size, str) else size

    def run(self):
        by_level = {}
        for phase in self.plan.phases:
            by_level.setdefault(phase.level, []).append(phase)
        for level in sorted(by_level):
            for phase in by_level[level][:: self.order]:
                self.run_phase(phase)
        return {name: self.value(value) for name, value in self.plan.program.outputs}

    def value(self, name):
        if name in self.plan.aliases:
            whole = self.values[self.plan.aliases[name]]
            return whole.reshape([self.size(s) for s in self.plan.shapes[name]])
        return self.values[name]

    def run_phase(self, phase):
        rows = {"n": self.n, None: 1}.get(phase.space, phase.space)
        step = 1 if phase.space is None else self.block
        sums = {}
        for first in range(0, rows, step)[:: self.order]:
            for operation in phase.operations:
                self.run_operation(operation, phase.space, first, min(first + step, rows), sums)
        for name, total in sums.items():
            self.values[name][...] = total

    def run_operation(self, operation, space, first, last, sums):
        def block(shape):
            factor = times(shape[0]) if isinstance(shape[0], str) else 1
            return slice(first * factor, last * factor)

        operands = []
        for place, operand in enumerate(operation.operands):
            value = self.value(operand)
            shape = self.plan.shapes.get(operand, ())
            is_array = len(shape) > 0 and operand != "key"
            if space is not None and is_array and follows_rows(operation, place, self.plan.shapes):
                value = value[block(shape)]
            operands.append(value)
        results = computed(operation, operands)
        if operation.attributes.get("transpose_a"):
            results = [results[0][first:last]]
        for name, result in zip(operation.results, results, strict=True):
            if name in operation.summed:
                sums[name] = sums.get(name, 0) + result.sum()
                continue
            place = ... if space is None else block(operation.shape)
            self.values[name][place] = result


def computed(operation, operands):
    """What an operation means in NumPy."""
    ops, attributes = NumpyOps(), dict(operation.attributes)
    if operation.kind == "map":
        results = evaluate(operation.formula, operands)
        return [np.asarray(r) for r in (results if isinstance(results, tuple) else (results,))]
    if operation.kind == "copy":
        return [operands[0].copy()]
    if operation.kind == "uniform":
        return [ops.uniform(operands[0], key=operands[1], **attributes)]
    if operation.kind == "columns":
        known = dict(zip(operation.operands, operands, strict=True))
        for part in operation.parts:
            known |= zip(part.results, computed(part, [known[operand] for operand in part.operands]), strict=True)
        return [known[result] for result in operation.results]
    bias = operands[2] if operation.kind == "matmul" and len(operands) == 3 else 0.0
    operands = operands[:2] if operation.kind == "matmul" else operands
    return [getattr(ops, operation.kind)(*operands, **attributes) + bias]


def times(size):
    return int(size[:-1] or 1) if isinstance(size, str) else 1


def drawn(program, n=ROWS, seed=0):
    generator = np.random.default_rng(seed)
    given = {}
    for buffer in program.buffers:
        shape = [times(size) * n if isinstance(size, str) else size for size in buffer.shape]
        if buffer.role == "scalar":
            given[buffer.name] = 0.5
        elif buffer.role == "key":
            given[buffer.name] = (3, 4)
        elif buffer.role in ("codes", "rows"):
            given[buffer.name] = generator.integers(0, 2, shape)
        else:
            given[buffer.name] = generator.uniform(0.5, 1.5, shape)
    return given


def assert_runs_like_the_program(program, n=ROWS):
    plan = schedule(program)
    expected = drawn(program, n)
    results = program.run(NumpyOps(), expected)
    for block in (1, 3, 100):
        for backwards in (False, True):
            given = drawn(program, n)
            found = Interpreter(plan, given, block, backwards).run()
            for name, value in results.items():
                np.testing.assert_allclose(found[name], value, rtol=1e-11, atol=1e-12, err_msg=name)
            for name, value in expected.items():
                if isinstance(value, np.ndarray):
                    np.testing.assert_allclose(given[name], value, rtol=1e-11, atol=1e-12, err_msg=name)


def train_steps(networks):
    return [
        pytest.param(net, update, PENALTIES[penalty], id=f"{name}-{of_update}-{penalty}")
        for name, net in networks.items() for of_update, update in UPDATES.items() for penalty in PENALTIES
    ]  # fmt: skip


@pytest.mark.parametrize(("net", "update", "penalty"), train_steps(NETWORKS))
def test_a_training_step_in_blocks_is_the_program(net, update, penalty):
    assert_runs_like_the_program(net.program("train_step", update=update, penalty=penalty, weighted=True))


@pytest.mark.parametrize("name", ["loss_and_gradient", "evaluate", "predict", "update"])
@pytest.mark.parametrize("net", NETWORKS.values(), ids=NETWORKS)
def test_the_other_programs(net, name):
    assert_runs_like_the_program(net.program(name))


@pytest.mark.parametrize(("net", "update", "penalty"), train_steps(PLAIN))
def test_a_training_step_is_one_phase_over_rows_and_one_for_each_matrix(net, update, penalty):
    plan = net.program("train_step", update=update, penalty=penalty).fused
    assert [phase.space for phase in plan.phases].count("n") == 1
    matrices = [phase for phase in plan.phases if isinstance(phase.space, int)]
    written = [
        {target for o in phase.operations for target in o.writes.values() if target.startswith("W")}
        for phase in matrices
    ]
    assert sorted(map(sorted, written)) == [[f"W^({s.k})"] for s in net.segments if s.name == "W"]
    assert len({phase.level for phase in matrices}) == 1  # none waits for another


@pytest.mark.parametrize(("net", "update", "penalty"), train_steps(NETWORKS))
def test_every_step_is_in_one_phase(net, update, penalty):
    program = net.program("train_step", update=update, penalty=penalty, weighted=True)
    plan = program.fused
    operations = [part for phase in plan.phases for operation in phase.operations for part in operation.parts]
    made = [result for operation in operations for result in operation.results]
    assert len(made) == len(set(made))
    readers = {}
    for step in program.steps:
        for operand in step.operands:
            readers.setdefault(operand, []).append(step)
    for step in program.steps:
        if step.operation in ("write", "row_count"):
            continue
        for result in step.results:
            with_bias = [s.results[0] for s in readers.get(result, ()) if step.operation == "matmul"]
            assert result in made or result in plan.aliases or with_bias[0] in made
    writes = sorted(target for operation in operations for target in operation.writes.values())
    assert writes == sorted(str(step.operands[0]) for step in program.steps if step.operation == "write")


@pytest.mark.parametrize(("net", "update", "penalty"), train_steps(NETWORKS))
def test_a_buffer_is_written_after_all_that_reads_it(net, update, penalty):
    """In a training step, which reads no buffer after it wrote it."""
    plan = net.program("train_step", update=update, penalty=penalty).fused
    writers = {
        target: (phase, i) for phase in plan.phases
        for i, operation in enumerate(phase.operations) for target in operation.writes.values()
    }  # fmt: skip
    assert writers
    for phase in plan.phases:
        for i, operation in enumerate(phase.operations):
            for buffer in writers.keys() & set(operation.reads):
                writer, place = writers[buffer]
                assert phase.level < writer.level or (phase is writer and i <= place)


def test_phases_of_one_level_do_not_depend_on_each_other():
    for net in NETWORKS.values():
        plan = net.program("train_step", penalty=PENALTIES["sums"]).fused
        level_of = {r: phase.level for phase in plan.phases for o in phase.operations for r in o.results}
        for phase in plan.phases:
            own = {r for o in phase.operations for r in o.results}
            for read in {plan.aliases.get(r, r) for o in phase.operations for r in o.reads} - own:
                assert level_of.get(read, -1) < phase.level


@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
def test_the_printed_schedule_has_every_line_of_the_program(update):
    net = lw.Network(784, [100], 10, hidden="sigmoid", output="softmax")
    program = net.program("train_step", update=update, penalty=lw.L2(1e-5))
    printed = [line.strip() for line in str(program.fused).splitlines()]
    lines = [line.strip() for line in str(program).splitlines()]
    assert printed[0] == lines[0]
    assert "a^(1) = b^(1) + W^(1) h^(0)" in printed
    for line in lines:
        assert printed.count(line) == 1, line
    headings = [line for line in printed if line not in lines]
    assert headings.count("for each block of rows:") == 1
    assert all(line.startswith(("for each block of ", "once:")) for line in headings)


# --- programs with the difficulties that networks do not have ---------------------------------------------------------


def _split_of_a_result(r, h, W, b):
    doubled = r.map(Expression.trace(lambda s, x: 2 * x), h)
    split = r.split_columns(doubled, 2)
    return {"sum": r.sum_rows(split), "product": r.matmul(split, W, transpose_b=True), "split": split, "all": doubled}


def _views_of_the_same_shape(r, h, W, b):
    doubled = r.map(Expression.trace(lambda s, x: 2 * x), h)
    back = r.join_columns(r.split_columns(doubled, 2), 2)
    tripled = r.map(Expression.trace(lambda s, x: 3 * x), r.split_columns(back, 1))
    return {"tripled": tripled, "sum": r.add(tripled, r.sum_columns(back))}


def _split_of_what_is_written(r, h, W, b):
    split = r.split_columns(h, 3)
    r.write(h, r.map(Expression.trace(lambda s, x: x * x), h))
    return {"sum": r.sum_rows(split), "old": split, "new": r.split_columns(h, 1)}


def _written_and_read_again(r, h, W, b):
    before = r.matmul(r.split_columns(h, 2), W, transpose_b=True)
    r.write(W, r.map(Expression.trace(lambda s, x, y: x - y), W, r.matmul(before, before, transpose_a=True)))
    r.write(b, r.sum_rows(before))
    return {"before": before, "after": r.matmul(before, W), "b": r.add(before, b)}


def _read_as_a_whole_and_written_by_rows(r, h, W, b):
    squared = r.matmul(W, W)
    r.write(W, r.map(Expression.trace(lambda s, x: -x), W))
    return {"squared": squared, "again": r.matmul(W, W)}


def _written_twice(r, h, W, b):
    first = r.map(Expression.trace(lambda s, x: x + 1), W)
    r.write(W, first)
    r.write(W, r.map(Expression.trace(lambda s, x, y: x * y), W, first))
    r.write(b, r.sum_rows(W))
    r.write(b, r.map(Expression.trace(lambda s, x: 3 * x), b))
    r.write(W, first)
    r.write(W, r.map(Expression.trace(lambda s, x: x / 2), first))
    return {"first": first, "sum": r.sum_all(W)}


def _read_between_its_new_value_and_its_write(r, h, W, b):
    new = r.map(Expression.trace(lambda s, x: (x * x, x + 1)), W)
    shifted = r.map(Expression.trace(lambda s, x: 3 * x), b)
    old = r.matmul(r.slice_columns(h, 0, 3), W, transpose_b=True)
    third = r.map(Expression.trace(lambda s, x, y: x - y), W, b)
    r.write(W, new[0])
    r.write(b, shifted)
    return {"old": old, "third": third, "b": r.add(old, b), "shifted": new[1]}


def _bias_written_before_it_is_added(r, h, W, b):
    product = r.matmul(r.slice_columns(h, 0, 3), W)
    other = r.matmul(r.slice_columns(h, 3, 6), W)
    r.write(b, r.sum_rows(W))
    added = r.add(product, b)
    r.write(b, r.sum_rows(added))
    late = r.matmul(W, W)
    return {"added": added, "other": r.add(b, other), "late": r.add(late, r.multiply(b, b))}


def _product_with_and_without_bias(r, h, W, b):
    product = r.matmul(W, W)
    return {"product": product, "added": r.add(product, b)}


def _formulas_around_each_other(r, h, W, b):
    one = r.map(Expression.trace(lambda s, x: 2 * x), W)
    two = r.add(one, r.sum_columns(one))
    r.write(W, r.map(Expression.trace(lambda s, x, y: x * y), one, two))
    three = r.map(Expression.trace(lambda s, x, y: x - y), W, r.max_columns(two))
    four = r.map(Expression.trace(lambda s, x, y: x * y), one, W)
    return {"three": three, "four": r.subtract(four, r.sum_columns(three)), "sum": r.sum_all(r.multiply(one, three))}


def _row_to_all_rows(r, h, W, b):
    r.write(W, b)
    r.write(b, r.sum_rows(W))
    return {"W": r.matmul(W, W, transpose_b=True)}


def _means_of_means(r, h, W, b):
    centred = r.subtract(h, r.divide(r.sum_rows(h), r.row_count(h)))
    scaled = r.divide(centred, r.divide(r.sum_rows(r.multiply(centred, centred)), r.row_count(h)))
    return {"scaled": scaled, "sum": r.sum_all(scaled), "norm": r.sum_all(r.multiply(scaled, r.sum_all(scaled)))}


def _rows_chosen(r, h, W, b):
    y, rows, key = r.buffer("y", ("n",), "codes"), r.buffer("rows", ("n",), "rows"), r.buffer("key", (2,), "key")
    noise = r.uniform(rows, 3, Purpose.DROPOUT, 1, key)
    gathered = r.gather_rows(W, y)
    r.write(W, r.scatter_add_rows(r.multiply(gathered, noise), y, 3))
    return {"gathered": gathered, "W": r.matmul(r.gather_rows(W, y), W), "pick": r.pick(h, y)}


PROGRAMS = [
    _split_of_a_result, _views_of_the_same_shape, _split_of_what_is_written, _written_and_read_again,
    _read_as_a_whole_and_written_by_rows,
    _written_twice, _read_between_its_new_value_and_its_write, _bias_written_before_it_is_added,
    _product_with_and_without_bias, _formulas_around_each_other, _row_to_all_rows, _means_of_means, _rows_chosen,
]  # fmt: skip


@pytest.mark.parametrize("rows", ["n", "fixed"])
@pytest.mark.parametrize("rule", PROGRAMS, ids=lambda rule: rule.__name__.strip("_"))
def test_hard_programs(rule, rows):
    for n in (1, 4):
        recorder = Recorder()
        symbolic = rows == "n" or rule is _means_of_means or rule is _rows_chosen
        h = recorder.buffer("h", ("n" if symbolic else n, 6), "input")
        W, b = recorder.buffer("W", (3, 3), "parameter"), recorder.buffer("b", (3,), "parameter")
        assert_runs_like_the_program(recorder.program("hard", rule(recorder, h, W, b)), n)
