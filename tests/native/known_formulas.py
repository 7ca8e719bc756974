"""Write src/layerwise/engines/native/core/known_formulas.inc: the formulas that the compiler sees whole.

The engine runs any formula as bytecode. Of those listed here it also has code in which all values stay in registers;
a plan's bytecode is compared with them when it is loaded. They are the built-in updates under the usual penalties, and
the rectifier, as they stand in the program of a training step: nothing is written by hand.

Run it with `python tests/native/known_formulas.py`; test_known_formulas.py compares the file with what it would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import layerwise as lw
from layerwise.engines.native.bytecode import PRIMITIVES
from layerwise.engines.native.encoding import COVERS, MapCode, map_codes
from layerwise.network.programs import Setting, record
from layerwise.rules.updates import Update

TARGET = Path(lw.__file__).parent / "engines" / "native" / "core" / "known_formulas.inc"
UPDATES: dict[str, Update] = {
    "SGD": lw.SGD(), "SGD with momentum": lw.SGD(momentum=0.9), "SGD with Nesterov's momentum": lw.SGD(
        momentum=0.9, nesterov=True), "Adagrad": lw.Adagrad(), "RMSProp": lw.RMSProp(), "Adam": lw.Adam(),
    "AdamW": lw.AdamW(),
}  # fmt: skip
PENALTIES = {"": None, ", L2": lw.L2(1e-4), ", L1": lw.L1(1e-4)}
#: What is left under sanitizers: one with a sum and one with two, with and without memory, and one of rows.
FEW = ("SGD: W", "SGD with momentum, L1: W", "Adam, L2: W", "the rectifier: grad_a = grad_h (0 < h)")


def formulas() -> Iterator[tuple[str, MapCode]]:
    """Give each formula with what it is; operand `gradient` of an update of W may be an outer product."""
    for update_name, update in UPDATES.items():
        for penalty_name, penalty in PENALTIES.items():
            net = lw.Network(3, [4], 2)
            setting = Setting("train_step", update, penalty or lw.Penalty())
            codes = list(map_codes(record(net, setting), "float32"))
            yield f"{update_name}{penalty_name}: W", next(code for code in codes if code.gradient is not None)
    codes = list(map_codes(record(lw.Network(3, [4], 2), Setting("train_step")), "float32"))
    rows = [code for code in codes if code.of_rows and set(code.covers) == {COVERS.index("full")}]
    yield "the rectifier: h = max(a, 0)", rows[0]
    yield "the rectifier: grad_a = grad_h (0 < h)", rows[-1]


def text() -> str:
    """Return what the file should hold."""
    lines = ["// Written by tests/native/known_formulas.py; do not edit.", ""]
    known: dict[MapCode, str] = {}
    for name, code in formulas():
        if code not in known:
            known[code] = f"Formula{len(known)}"
            lines += [f"// {name}", f"struct {known[code]} {{", *_members(code), "};"]
    few = [known[code] for name, code in formulas() if name in FEW]
    lines += ["", "#if defined(LW_FEW_FORMULAS)  // code under sanitizers is large, and alike in all of them"]
    lines += [f"using KnownFormulas = FormulaList<{', '.join(few)}>;", "#else"]
    lines += [f"using KnownFormulas = FormulaList<{', '.join(known.values())}>;", "#endif", ""]
    return "\n".join(lines)


def _members(code: MapCode) -> Iterator[str]:
    covers = ", ".join(f"Cover::{COVERS[cover]}" for cover in code.covers)
    summed = ", ".join(str(flag).lower() for flag in code.summed)
    yield (
        f"    static constexpr int operands = {len(code.covers)}, constants = {code.constants}, "
        f"temporaries = {code.temporaries}, results = {len(code.summed)}, gradient = "
        f"{-1 if code.gradient is None else code.gradient};"
    )
    yield f"    static constexpr Cover cover[] = {{{covers}}};"
    yield f"    static constexpr bool summed[] = {{{summed}}};"
    yield "    static constexpr Instruction code[] = {"
    for primitive, *registers in code.instructions:
        assert primitive in PRIMITIVES
        yield f"        {{Primitive::{primitive}, {', '.join(map(str, registers))}}},"
    yield "    };"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
