"""The floor: the least time that a step can take on this machine, by counted operations and bytes."""

from __future__ import annotations

from itertools import pairwise

from .cases import Case

#: Bytes of a float32, and of a class code.
SCALAR, LABEL = 4, 8


def flops(case: Case) -> int:
    """Return F, the operations of a step: 2B (3 sum n_(l-1) n_l - n_0 n_1), or 2B sum n_(l-1) n_l to predict.

    Three products a layer, but for the first one's gradient with respect to its input, which nobody needs.
    """
    products = sum(before * after for before, after in pairwise(case.sizes))
    if case.task == "predict":
        return 2 * case.batch_size * products
    return case.networks * 2 * case.batch_size * (3 * products - case.sizes[0] * case.sizes[1])


def weight_bytes(case: Case) -> int:
    """Return the bytes of parameters that a step moves: 3 s P with a fused update, and 4 s P for Adam's two averages.

    Forward reads theta, the update reads and writes it, and each of the averages. Prediction reads theta once.
    """
    passes = 1 if case.task == "predict" else 7 if case.update == "adam" else 3
    return case.networks * passes * SCALAR * case.n_parameters


def data_bytes(case: Case) -> int:
    """Return the bytes of rows and labels that a step reads; several networks share them."""
    return case.batch_size * (SCALAR * case.sizes[0] + (0 if case.task == "predict" else LABEL))


def floor_seconds(case: Case, peak: float, cache_bandwidth: float, memory_bandwidth: float) -> float:
    """Return the floor of a step: max(F / peak, bytes / bandwidth of each level).

    Parameters
    ----------
    case : Case
    peak : float
        Floating-point operations a second.
    cache_bandwidth : float
        Bytes a second of the cache level that holds the parameters.
    memory_bandwidth : float
        Bytes a second of memory, where the rows come from.
    """
    return max(
        flops(case) / peak, weight_bytes(case) / cache_bandwidth, data_bytes(case) / memory_bandwidth
    )  # fmt: skip
