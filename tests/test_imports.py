"""The house of DESIGN.md: which part may import which, what `import layerwise` loads, and the public names."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import layerwise

PACKAGE = Path(layerwise.__file__).parent
#: The house from the roof down; parts on one floor do not import each other.
HOUSE = [
    {"__main__"}, {"cli"}, {"notes", "pages"}, {"loading"}, {"estimators"}, {"tabular"},
    {"reports", "proofs", "analysis"},
    {"storage"}, {"training"}, {"gradients"}, {"network"}, {"engines"}, {"program"}, {"rules"}, {"ops"}, {"data"},
    {"errors"},
]  # fmt: skip
FLOOR = {part: floor for floor, parts in enumerate(HOUSE) for part in parts}
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
TOP = Path("__init__.py")
HEAVY = ("sklearn", "polars", "scipy", "matplotlib", "sympy", "jax", "rich", "typer")


def part_of(path):
    return path.parts[0].removesuffix(".py")


def imports_of(path):
    """Every module that a file imports, by its full name, wherever in the file that is."""
    package = ["layerwise", *path.parent.parts]
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            if name == "layerwise":  # from .. import rules
                yield from (f"layerwise.{alias.name}" for alias in node.names)
            else:
                yield name


def own(names):
    """The parts of Layerwise among imported modules."""
    return {name.split(".")[1] for name in names if name.startswith("layerwise.")}


def outside(names):
    """The packages of others among imported modules."""
    return {name.split(".")[0] for name in names} - {"layerwise", "__future__"}


def test_the_package_is_looked_at():
    assert len(MODULES) > 25
    assert own(imports_of(Path("training/state.py"))) >= {"engines", "network", "rules", "errors"}
    assert "errors" in own(imports_of(Path("network/layers.py")))
    assert "numpy" in outside(imports_of(Path("ops/numpy_ops.py")))
    assert "data" in own(imports_of(Path("training/examples.py")))  # inside a function


@pytest.mark.parametrize("path", [path for path in MODULES if path != TOP], ids=str)
def test_imports_go_down(path):
    assert part_of(path) in FLOOR, "a part that DESIGN.md does not know"
    for part in own(imports_of(path)) - {part_of(path), "__version__"}:
        assert part in FLOOR
        assert FLOOR[part] > FLOOR[part_of(path)], f"{path} imports {part}, which is not below it"


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) == "rules"], ids=str)
def test_rules_know_the_vocabulary_only(path):
    names = list(imports_of(path))
    assert own(names) <= {"rules", "ops", "errors"}
    assert outside(names) <= sys.stdlib_module_names


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) == "engines"], ids=str)
def test_engines_know_no_networks(path):
    assert own(imports_of(path)) <= {"engines", "program", "ops", "errors"}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_scikit_learn_stays_with_tables_and_estimators(path):
    packages = outside(imports_of(path))
    assert "sklearn" not in packages or part_of(path) in ("estimators", "tabular", "data")
    assert not packages & {"torch", "tensorflow"}  # peers, for tests and benchmarks only


def loaded_by(code, *options):
    """Run code in a fresh interpreter; return what it prints, and its log of imports."""
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [sys.executable, *options, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout, done.stderr


def test_import_layerwise_is_light():
    _, log = loaded_by("import layerwise", "-X", "importtime")
    modules = [line.split("|")[2].strip() for line in log.splitlines() if line.count("|") == 2]
    assert "layerwise" in modules
    assert not [name for name in modules if name.split(".")[0] in (*HEAVY, "numpy")]
    assert [name for name in modules if name.startswith("layerwise")] == ["layerwise"]  # names are lazy


@pytest.mark.parametrize(
    "code",
    [
        "import layerwise",
        "import layerwise as lw; lw.fit(lw.Network(2, [3], 2), [[0.0, 1.0], [1.0, 0.0]], [0, 1], epochs=2)",
        "import layerwise as lw; net = lw.Network(2, [3], 2); lw.check_gradient(net, net.initialize(), [[0, 1]], [0])",
    ],
    ids=["import", "fit", "check_gradient"],
)
def test_nothing_heavy_is_loaded(code):
    printed, _ = loaded_by(f"{code}\nimport sys\nprint(sorted({{name.split('.')[0] for name in sys.modules}}))")
    names = ast.literal_eval(printed)
    assert "layerwise" in names
    assert not set(HEAVY) & set(names)


PUBLIC = [
    "Activation", "ActivationDisplay", "Adagrad", "Adam", "AdamW", "Autoencoder", "Checkpoint", "Constant", "CosLog4",
    "Cosine", "DecisionBoundary", "DivergenceError", "DivergenceWarning", "Expression", "FilterDisplay",
    "FlowGraphDisplay", "GaussianNLL", "GradientFlowDisplay", "HiddenSpaceDisplay", "History", "Huber", "InverseTime",
    "L1", "L2", "Layer", "LayerwiseError", "LossCurveDisplay", "LossSurfaceDisplay", "MLPClassifier", "MLPRegressor",
    "Model", "Network", "NetworkDisplay", "Output", "OwnUpdate", "Parameters", "Penalty", "Quantile", "RMSProp",
    "RidgeDisplay", "SGD", "Sigmoid", "Softmax", "SoftmaxGroups", "StepDecay", "TensorBoard", "Trace", "TrainingState",
    "__version__", "analysis", "check_gradient", "expression", "fit", "fit_many", "hessian_vector_product",
    "input_gradient", "jacobian", "load", "loss_gradient_at_output", "loss_gradient_at_preactivation",
    "per_example_gradients", "proofs", "save", "start",
]  # fmt: skip
PUBLIC_MODULES = ["analysis", "proofs"]


def test_public_names():
    assert sorted(layerwise.__all__) == PUBLIC
    assert len(set(layerwise.__all__)) == len(layerwise.__all__)
    assert set(PUBLIC) <= set(dir(layerwise))


@pytest.mark.parametrize("name", [name for name in PUBLIC if name not in ("__version__", *PUBLIC_MODULES)])
def test_every_public_name_is_there_and_says_what_it_is(name):
    value = getattr(layerwise, name)
    assert callable(value)
    assert value.__doc__
    assert not value.__doc__.startswith(f"{name}(")  # what a dataclass writes by itself
    first = value.__doc__.strip().splitlines()[0]
    assert first.rstrip().endswith((".", ":", ")")), first


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_a_public_module_says_what_it_is(name):
    module = getattr(layerwise, name)
    assert module.__name__ == f"layerwise.{name}"
    assert module.__doc__.strip().splitlines()[0].endswith(".")
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(getattr(module, public).__doc__ for public in module.__all__)


def test_names_for_type_checkers_are_the_same():
    tree = ast.parse((PACKAGE / TOP).read_text(encoding="utf-8"))
    (guarded,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed == set(PUBLIC) - {"__version__"}


def test_version():
    assert layerwise.__version__.split(".")[0].isdigit()


@pytest.mark.parametrize(
    ("name", "hint"),
    [("Netwrk", "did you mean 'Network' or 'NetworkDisplay'?"), ("xyz", "choose one of 'Network'")],
)
def test_unknown_names(name, hint):
    with pytest.raises(AttributeError, match=f"layerwise has no name '{name}'; ") as caught:
        getattr(layerwise, name)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)
