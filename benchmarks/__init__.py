"""Benchmarks: Layerwise beside its peers, interleaved in one run and compared as ratios of medians.

``python -m benchmarks`` (``make bench``) measures on one thread, for the share of the floor, and on all cores, for the
ratios; see `benchmarks.__main__` for its options.
"""
