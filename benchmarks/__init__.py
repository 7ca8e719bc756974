"""Benchmarks: Layerwise beside its peers, interleaved in one run and compared as ratios of medians.

``python -m benchmarks`` (``make bench``) measures on one thread, for the share of the floor, on all cores, for ratios,
and what a second thread gains. Options: `benchmarks.__main__`; what is measured, and how: docs/performance.md.
"""
