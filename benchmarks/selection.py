"""Which cases and peers the options name."""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.errors import SpecificationError, closest

from .cases import CASES, Case
from .peers import NAMES, OWN, PEERS, Peer


def select_cases(substrings: Sequence[str]) -> list[Case]:
    """Return the cases that have one of these in their name; all if there are none."""
    chosen = [case for case in CASES if not substrings or any(text in case.name for text in substrings)]
    unknown = [text for text in substrings if not any(text in case.name for case in CASES)]
    if unknown:
        raise SpecificationError(
            where="--case", expected="a part of a case's name", got=repr(unknown[0]),
            remedy=closest(unknown[0], [case.name for case in CASES]),
        )  # fmt: skip
    return chosen


def select_peers(names: Sequence[str]) -> list[Peer]:
    """Return the peers of these names, and Layerwise before them; all if there are none."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise SpecificationError(
            where="--peers", expected="names of peers", got=repr(unknown[0]), remedy=closest(unknown[0], list(NAMES))
        )  # fmt: skip
    return [peer for peer in PEERS if not names or peer is OWN or peer.name in names]
