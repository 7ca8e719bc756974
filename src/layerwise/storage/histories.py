"""history.csv back as a History."""

from __future__ import annotations

from pathlib import Path

from ..training.history import History
from .document import HISTORY, MOST_EPOCHS, MOST_HISTORY, read_document
from .reading import read, refusing


def load_history(folder: str | Path) -> History:
    """Read what happened in each epoch of the training of a network.

    Parameters
    ----------
    folder : path
        A model folder of ``layerwise train`` or `save`.

    Returns
    -------
    History

    Raises
    ------
    StorageError
        If the folder is no model, or its history is missing or damaged.
    """
    folder = Path(folder)
    return read_history(folder, HISTORY, None, read_document(folder)["sha256"].get(HISTORY))


def read_history(
    folder: Path, name: str, metric: str | None, digest: str | None, most: int = MOST_EPOCHS
) -> History:  # fmt: skip
    """Return the history that `History.to_csv` wrote, every number to the last bit.

    Parameters
    ----------
    folder : Path
    name : str
    metric : {"accuracy", "r2"}, optional
        What the metric columns have to hold.
    digest : str, optional
        The file's checksum.
    most : int
        Epochs, at most.

    Raises
    ------
    StorageError
        If it is no such file, or not the one that was saved.
    """
    content = read(folder, name, MOST_HISTORY, digest or "")
    with refusing(folder / name, "a history"):
        if (epochs := content.count(b"\n") - 1) > most:
            raise ValueError(f"{epochs} epochs where {most} may be")
        history = History.from_csv(content.decode("utf-8"))
        if metric is not None and history.metric != metric:
            raise ValueError(f"columns of {history.metric}")
    return history
