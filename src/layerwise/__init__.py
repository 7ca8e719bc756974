"""Layerwise: feed-forward neural networks with every layer open and every layer fast.

Names are loaded when they are first used, so that ``import layerwise`` stays quick.

>>> import layerwise as lw
>>> net = lw.Network(2, [3], 2, hidden="tanh", output="softmax")
>>> net.sizes
(2, 3, 2)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: Every public name, and the module that it comes from.
_HOME = {
    "Network": "network",
    "Layer": "network",
    "Parameters": "network",
    "Trace": "network",
    "Expression": "ops",
    "expression": "ops",
    "Activation": "rules.activations",
    "Output": "rules.outputs",
    "Softmax": "rules.outputs",
    "Sigmoid": "rules.outputs",
    "SoftmaxGroups": "rules.outputs",
    "Huber": "rules.outputs",
    "Quantile": "rules.outputs",
    "GaussianNLL": "rules.outputs",
    "Penalty": "rules.penalties",
    "L1": "rules.penalties",
    "L2": "rules.penalties",
    "SGD": "rules.updates",
    "Adagrad": "rules.updates",
    "RMSProp": "rules.updates",
    "Adam": "rules.updates",
    "AdamW": "rules.updates",
    "OwnUpdate": "rules.updates",
    "Constant": "rules.schedules",
    "StepDecay": "rules.schedules",
    "InverseTime": "rules.schedules",
    "Cosine": "rules.schedules",
    "CosLog4": "rules.schedules",
    "check_gradient": "gradients",
    "per_example_gradients": "gradients",
    "input_gradient": "gradients",
    "jacobian": "gradients",
    "hessian_vector_product": "gradients",
    "loss_gradient_at_output": "gradients",
    "loss_gradient_at_preactivation": "gradients",
    "fit": "training.fit",
    "fit_many": "training.many",
    "Model": "training.fit",
    "start": "training.state",
    "TrainingState": "training.state",
    "History": "training.history",
    "ActivationDisplay": "reports",
    "DecisionBoundary": "reports",
    "FilterDisplay": "reports",
    "FlowGraphDisplay": "reports",
    "GradientFlowDisplay": "reports",
    "HiddenSpaceDisplay": "reports",
    "LossCurveDisplay": "reports",
    "LossSurfaceDisplay": "reports",
    "NetworkDisplay": "reports",
    "RidgeDisplay": "reports",
    "TensorBoard": "reports.tensorboard",
    "analysis": "analysis",
    "proofs": "proofs",
    "load": "loading",
    "Checkpoint": "storage",
    "save": "storage",
    "LayerwiseError": "errors",
    "DivergenceError": "errors",
    "DivergenceWarning": "errors",
    "Autoencoder": "estimators",
    "MLPClassifier": "estimators",
    "MLPRegressor": "estimators",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        from .errors import closest

        raise AttributeError(f"layerwise has no name {name!r}; {closest(name, list(_HOME))}")
    module = import_module(f".{_HOME[name]}", __name__)
    value = module if name == _HOME[name] else getattr(module, name)  # analysis and proofs are modules
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:
    from . import analysis, proofs
    from .errors import DivergenceError, DivergenceWarning, LayerwiseError
    from .estimators import Autoencoder, MLPClassifier, MLPRegressor
    from .gradients import (
        check_gradient,
        hessian_vector_product,
        input_gradient,
        jacobian,
        loss_gradient_at_output,
        loss_gradient_at_preactivation,
        per_example_gradients,
    )
    from .loading import load
    from .network import Layer, Network, Parameters, Trace
    from .ops import Expression, expression
    from .reports import (
        ActivationDisplay,
        DecisionBoundary,
        FilterDisplay,
        FlowGraphDisplay,
        GradientFlowDisplay,
        HiddenSpaceDisplay,
        LossCurveDisplay,
        LossSurfaceDisplay,
        NetworkDisplay,
        RidgeDisplay,
    )
    from .reports.tensorboard import TensorBoard
    from .rules.activations import Activation
    from .rules.outputs import GaussianNLL, Huber, Output, Quantile, Sigmoid, Softmax, SoftmaxGroups
    from .rules.penalties import L1, L2, Penalty
    from .rules.schedules import Constant, Cosine, CosLog4, InverseTime, StepDecay
    from .rules.updates import SGD, Adagrad, Adam, AdamW, OwnUpdate, RMSProp
    from .storage import Checkpoint, save
    from .training.fit import Model, fit
    from .training.history import History
    from .training.many import fit_many
    from .training.state import TrainingState, start
