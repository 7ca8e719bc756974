"""`lw.load`: whatever a model folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .storage.document import read_document
from .storage.model_folder import saved_model


def load(folder: str | Path) -> Any:
    """Read a model folder; nothing in it is run.

    Parameters
    ----------
    folder : path

    Returns
    -------
    estimator or SavedModel
        The estimator that wrote it with `save`, which predicts the same bits; else a `SavedModel`, of `lw.save` or
        ``layerwise train``.

    Raises
    ------
    StorageError
        If the folder is missing, damaged, hostile, or of an unknown version; one line says which file and why.

    Examples
    --------
    >>> import tempfile
    >>> import layerwise as lw
    >>> classifier = lw.MLPClassifier(3, solver="lbfgs", random_state=0).fit([[0.0], [1.0]], ["no", "yes"])
    >>> with tempfile.TemporaryDirectory() as place:
    ...     classifier.save(place + "/model")
    ...     lw.load(place + "/model").predict([[0.9]])
    array(['yes'], dtype='<U3')
    """
    folder = Path(folder)
    document = read_document(folder)
    if document.get("estimator") is None:
        return saved_model(folder, document)
    from .estimators.stored import load_estimator

    return load_estimator(folder, document)
