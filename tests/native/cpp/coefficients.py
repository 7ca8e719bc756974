"""Derive the constants of src/layerwise/engines/native/core/vector_*.hpp and print them as C++ arrays.

After range reduction every function is a known part plus a known factor times a smooth function q. Remez's exchange
algorithm finds the polynomial p of a given degree with the smallest greatest relative error of the whole function,
max |weight (p - q)| with weight = factor / function, computed with 60 digits. The coefficients, in ascending powers,
are then rounded to the type that they are used in, and the error is measured again with the rounded ones: it is printed
in units of 2^-24 (float) or 2^-53 (double), which is half a ulp of 1, what rounding the result costs anyway.

Constants of range reduction (log 2, pi / 2) are split into a sum of parts with so few bits each that their products
with the integers that occur are exact.

Run it with `python tests/native/cpp/coefficients.py` (needs mpmath); test_vector_math.py compares it with the headers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np

Function = Callable[[Any], Any]


mp.mp.dps = 60


@dataclass(frozen=True)
class Fit:
    """One polynomial: its array, type and degree, on which interval, to what, and how an error there weighs."""

    name: str
    dtype: type[np.floating[Any]]
    degree: int
    interval: tuple[Any, Any]
    target: Function
    weight: Function


def fits() -> list[Fit]:
    """Return all polynomials of the headers, where q of the headers is `target`."""
    half_log2, quarter_pi = mp.log(2) / 2 * mp.mpf("1.0001"), mp.pi / 4
    single, double = np.float32, np.float64

    def exp_rest(r: Any) -> Any:
        return (mp.expm1(r) - r) / r**2

    def exp_weight(r: Any) -> Any:
        return abs(r**2 / mp.expm1(r))  # relative to expm1, which is stricter than exp needs

    def log_rest(f: Any) -> Any:
        return (mp.log1p(f) - f) / f**2

    def log_of_square(z: Any) -> Any:
        return 2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z)  # log(1 + f) / s with z = s^2, s = f / (2 + f)

    def sine_of_square(z: Any) -> Any:
        return mp.sin(mp.sqrt(z)) / mp.sqrt(z)

    def cosine_of_square(z: Any) -> Any:
        return mp.cos(mp.sqrt(z))

    def erf_rest(a: Any) -> Any:
        return (-mp.log(mp.erfc(a)) - a) / a

    def erf_weight(a: Any) -> Any:
        return mp.erfc(a) * a / mp.erf(a)

    def sine(dtype: type[np.floating[Any]], degree: int, end: Any) -> Fit:
        return Fit(
            "sin", dtype, degree, (0, end**2), lambda z: (sine_of_square(z) - 1) / z, lambda z: z / sine_of_square(z)
        )

    def cosine(dtype: type[np.floating[Any]], degree: int, end: Any) -> Fit:
        return Fit(
            "cos",
            dtype,
            degree,
            (0, end**2),
            lambda z: (cosine_of_square(z) - 1 + z / 2) / z**2,
            lambda z: z**2 / cosine_of_square(z),
        )

    wider = mp.mpf("0.004"), mp.mpf("1e-6")  # x / (pi / 2) is rounded before it is rounded to an integer
    return [
        Fit("exp q", single, 4, (-half_log2, half_log2), exp_rest, exp_weight),
        Fit("exp q", double, 9, (-half_log2, half_log2), exp_rest, exp_weight),
        Fit("log q", single, 8, ("-0.25", "0.5"), log_rest, lambda f: abs(f**2 / mp.log1p(f))),
        Fit("log q", double, 6, (0, "0.0400001"), lambda z: (log_of_square(z) - 2) / z, lambda z: z / log_of_square(z)),
        Fit("erf q", single, 8, (0, 4), erf_rest, erf_weight),
        Fit("erf q", double, 23, (0, "5.95"), erf_rest, erf_weight),
        sine(single, 2, quarter_pi + wider[0]),
        sine(double, 5, quarter_pi + wider[1]),
        cosine(single, 2, quarter_pi + wider[0]),
        cosine(double, 5, quarter_pi + wider[1]),
    ]  # fmt: skip


def remez(fit: Fit, rounds: int = 12) -> list[Any]:
    """Return the coefficients (ascending powers) that make the greatest weighted error smallest."""
    low, high = (mp.mpf(end) for end in fit.interval)
    unknowns = fit.degree + 2  # the coefficients and the error itself
    middle, half = (low + high) / 2, (high - low) / 2
    # An even number of grid points never meets the middle, where some targets read 0 / 0.
    grid = [middle - half * mp.cospi(mp.mpf(2 * i + 1) / (80 * unknowns)) for i in range(40 * unknowns)]
    targets, weights = [fit.target(x) for x in grid], [fit.weight(x) for x in grid]
    reference = [40 * i + 20 for i in range(unknowns)]
    for _ in range(rounds):
        system = mp.matrix(unknowns, unknowns)
        for row, i in enumerate(reference):
            for power in range(unknowns - 1):
                system[row, power] = grid[i] ** power
            system[row, unknowns - 1] = (-1) ** row / weights[i]
        solution = list(mp.lu_solve(system, mp.matrix([targets[i] for i in reference])))
        coefficients = solution[:-1]
        errors = [w * (mp.polyval(coefficients[::-1], x) - t) for x, t, w in zip(grid, targets, weights, strict=True)]
        exchanged = extremes(errors, unknowns)
        if exchanged == reference:
            break
        reference = exchanged
    return coefficients


def extremes(errors: list[Any], count: int) -> list[int]:
    """Return where the error is greatest in each stretch of one sign: `count` places with alternating signs."""
    places: list[int] = []
    for i, error in enumerate(errors):
        if places and mp.sign(error) == mp.sign(errors[places[-1]]):
            if abs(error) > abs(errors[places[-1]]):
                places[-1] = i
        else:
            places.append(i)
    while len(places) > count:
        places.pop(0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1)
    return places


def rounded(value: Any, dtype: type[np.floating[Any]]) -> np.floating[Any]:
    """Return the number of the type nearest to a number of many digits."""
    with mp.workprec(np.finfo(dtype).nmant + 1):
        return dtype(float(+value))


def greatest_error(fit: Fit, coefficients: list[Any]) -> Any:
    """Return the greatest weighted error with rounded coefficients, in units of half a ulp of 1."""
    low, high = (mp.mpf(end) for end in fit.interval)
    grid = [low + (high - low) * (i + mp.mpf(1) / 3) / 2000 for i in range(2000)]
    exact = [mp.mpf(float(c)) for c in reversed(coefficients)]
    unit = mp.mpf(2) ** -(np.finfo(fit.dtype).nmant + 1)
    return max(abs(fit.weight(x) * (mp.polyval(exact, x) - fit.target(x))) for x in grid) / unit


def parts(value: Any, bits: list[int]) -> list[float]:
    """Return numbers of so many significant bits each (53: a double, 24: a float) that add up to a value."""
    found = []
    for count in bits:
        with mp.workprec(count):
            found.append(float(+value))
        value -= mp.mpf(found[-1])
    return found


def splits() -> dict[str, list[float]]:
    """Return log 2 and pi / 2 as sums: integers up to 2^8 (2^11) meet log 2, and up to 2^30 pi / 2."""
    return {
        "log2_high and log2_low, float": parts(mp.log(2), [15, 24]),
        "log2_high and log2_low, double": parts(mp.log(2), [36, 53]),
        "half_pi, float": parts(mp.pi / 2, [24, 24, 24]),
        "half_pi, double with fma": parts(mp.pi / 2, [53, 53, 53]),
        "half_pi, double without": parts(mp.pi / 2, [23, 23, 23, 23, 53]),
    }


def cpp_numbers(coefficients: list[np.floating[Any]]) -> str:
    """Return the shortest decimal texts that read back as the same numbers."""
    suffix = "f" if isinstance(coefficients[0], np.float32) else ""
    return ", ".join(np.format_float_scientific(c, trim="-", exp_digits=1) + suffix for c in coefficients)


def main() -> None:
    """Print everything."""
    for name, numbers in splits().items():
        print(f"// {name}\n{{{', '.join(number.hex() for number in numbers)}}}")
    for fit in fits():
        coefficients = [rounded(c, fit.dtype) for c in remez(fit)]
        error = mp.nstr(greatest_error(fit, coefficients), 2)
        print(f"// {fit.name}, {fit.dtype.__name__}: {error} half ulp\n{{{cpp_numbers(coefficients)}}}")


if __name__ == "__main__":
    main()
