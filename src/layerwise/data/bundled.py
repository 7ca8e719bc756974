"""Small data sets that come with scikit-learn: no file, no download."""

from __future__ import annotations

from typing import Any

import numpy as np

from .dataset import DataSet, Part

#: Name -> scikit-learn's loader and what the target is called here.
_SETS = {
    "digits": ("load_digits", "digit"),
    "iris": ("load_iris", "species"),
    "wine": ("load_wine", "cultivar"),
    "breast-cancer": ("load_breast_cancer", "diagnosis"),
    "diabetes": ("load_diabetes", "progression"),
}
BUNDLED = tuple(_SETS)


def load_bundled(name: str) -> DataSet:
    """Read a bundled data set.

    Parameters
    ----------
    name : str
        One of `BUNDLED`.

    Returns
    -------
    DataSet
        With the one part "all". digits: (1797, 64) uint8 pixels from 0 to 16. The others are tables, classes as words;
        diabetes in its measured units, not in scikit-learn's scaled ones, which were computed from all rows.

    Examples
    --------
    >>> iris = load_bundled("iris")
    >>> iris.parts["all"].features.shape, iris.parts["all"].target.unique().sort().to_list()
    ((150, 4), ['setosa', 'versicolor', 'virginica'])
    """
    from sklearn import datasets

    loader, target_name = _SETS[name]
    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(datasets, loader)(**options)
    note = f"{name}: bundled with scikit-learn; target: {target_name}"
    if name == "digits":
        part = Part(bunch.data.astype(np.uint8), bunch.target.astype(np.int64))
        return DataSet(name, "images", {"all": part}, target_name, (note,), pixel_max=16.0, image_shape=(8, 8))
    return DataSet(name, "table", {"all": _table(bunch, target_name)}, target_name, (note,))


def _table(bunch: Any, target_name: str) -> Part:
    import polars as pl

    features = pl.DataFrame({str(name): bunch.data[:, k] for k, name in enumerate(bunch.feature_names)})
    if "target_names" in bunch:
        return Part(features, pl.Series(target_name, [str(bunch.target_names[k]) for k in bunch.target]))
    return Part(features, pl.Series(target_name, bunch.target))
