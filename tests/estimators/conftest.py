"""Real data that scikit-learn brings along, small enough to train on in a moment."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_iris


@pytest.fixture(scope="session")
def digits():
    """500 digits with pixels from 0 to 1."""
    X, y = load_digits(return_X_y=True)
    return X[:500] / 16, y[:500]


@pytest.fixture(scope="session")
def iris():
    """Standardised lengths and widths of 150 flowers, in an order by chance, and their kinds."""
    X, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(150)
    return ((X - X.mean(axis=0)) / X.std(axis=0))[order], y[order]


@pytest.fixture(scope="session")
def diabetes():
    """Ten standardised columns, and a target with mean 0 and variance 1."""
    X, y = load_diabetes(return_X_y=True)
    return X / X.std(axis=0), (y - y.mean()) / y.std()


@pytest.fixture(scope="session")
def labels(digits):
    """Three yes-or-no questions about a digit: is it even, below 5, a prime?"""
    X, y = digits
    return X, np.column_stack([y % 2 == 0, y < 5, np.isin(y, [2, 3, 5, 7])]).astype(int)
