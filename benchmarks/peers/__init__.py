"""Who is timed."""

from . import jax_peers, numpy_loop, own, pytorch, scikit_learn
from .interface import Peer, Work

__all__ = ["NAMES", "OWN", "PEERS", "Peer", "Work"]

#: Layerwise, which everybody is compared with.
OWN = own.PEER
#: All, in the order of the table's columns and of each round.
PEERS = (
    OWN, numpy_loop.PEER, scikit_learn.PEER, pytorch.EAGER, pytorch.COMPILED, jax_peers.STEP, jax_peers.SCAN,
)  # fmt: skip
NAMES = tuple(peer.name for peer in PEERS)
