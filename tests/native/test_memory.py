"""What training takes of memory: data + 2 x parameters + 64 MiB at most, and no more with every epoch."""

from __future__ import annotations

import json
import os

import pytest

MIB = 2**20
SCRIPT = """
import json, sys
import numpy as np
import layerwise as lw
lw.fit, lw.Network, lw.Adam  # loaded when they are first used

def status(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))
"""
pytestmark = [
    pytest.mark.skipif(
        not os.path.isfile("/proc/self/status"), reason="only Linux tells the memory of a process there"
    ),
    pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="sanitizers need memory of their own"),
]


@pytest.mark.parametrize(
    ("sizes", "rows", "kind", "settings", "threads"),
    [
        ((784, 100, 10), 60_000, "uint8", "update='sgd', batch_size=32", None),
        ((784, 100, 10), 60_000, "float32", "update='adam', batch_size=32", "8"),
        ((784, 100, 10), 60_000, "float16", "update='adam', batch_size=512", None),
        ((784, 100, 10), 60_000, "uint8", "update='sgd', batch_size=128, validation=0.1, patience=3", None),
        ((784, 2000, 10), 8_000, "uint8", "update='sgd', batch_size=32", "8"),
        ((784, 2000, 10), 8_000, "float32", "update='adam', batch_size=32", None),
    ],
)
def test_most_at_any_time(sizes, rows, kind, settings, threads, child, record_property):
    inputs, hidden, outputs = sizes
    splits = "import sklearn.model_selection" if "validation" in settings else ""  # 96 MiB for its code alone
    script = (
        SCRIPT
        + f"""
{splits}
before = status("VmRSS")
X = np.zeros(({rows}, {inputs}), {kind!r})
for i in range(0, {rows}, 1000):
    X[i : i + 1000] = np.random.default_rng(i).integers(0, 2, (1000, {inputs}), np.uint8)
y = np.arange({rows}) % {outputs}
model = lw.fit(lw.Network({inputs}, [{hidden}], {outputs}), X, y, epochs=2, {settings})
data = X.nbytes + y.nbytes
print(json.dumps([before, status("VmHWM"), data, model.parameters.vector.nbytes]))
"""
    )
    before, most, data, parameters = json.loads(child(script, 120, LAYERWISE_THREADS=threads))
    beyond = most - before - data
    record_property("MiB beyond the data", beyond / MIB)
    print(f"{sizes} {kind} {settings}: {beyond / MIB:.1f} MiB beyond the data, parameters {parameters / MIB:.1f} MiB")
    assert beyond <= 2 * parameters + 64 * MIB


def test_none_grows_with_epochs(child, record_property):
    script = (
        SCRIPT
        + """
X, y = np.random.default_rng(0).normal(size=(200, 20)), np.arange(200) % 3
seen = {}
def look(state):
    if state.epoch in (100, 1000):
        seen[state.epoch] = status("VmRSS")
net = lw.Network(20, [32, 16], 3, dropout=0.1, batch_norm=True)
lw.fit(net, X, y, epochs=1000, batch_size=16, validation=0.2, callbacks=look, progress=lambda state: None)
print(json.dumps([seen[100], seen[1000]]))
"""
    )
    early, late = json.loads(child(script))
    record_property("KiB in 900 epochs", (late - early) / 1024)
    print(f"{(late - early) / 1024:.0f} KiB more after 900 epochs")
    assert late - early <= 2 * MIB  # their history is about half of it


def test_none_grows_with_runs(child):
    """Networks, their programs and plans go when nobody has them any more."""
    script = (
        SCRIPT
        + """
import gc
X, y = np.random.default_rng(0).normal(size=(200, 20)), np.arange(200) % 3
def train():
    lw.fit(lw.Network(20, [150], 3), X, y, epochs=1, batch_size="all").predict(X)
seen = []
for _ in range(2):
    for _ in range(50):
        train()
    gc.collect()
    seen.append(status("VmRSS"))
print(json.dumps(seen))
"""
    )
    early, late = json.loads(child(script))
    print(f"{(late - early) / 1024:.0f} KiB more after 50 networks")
    assert late - early <= 4 * MIB
