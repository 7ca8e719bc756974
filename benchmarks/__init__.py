"""Benchmarks: Layerwise beside its peers, interleaved in one run and compared as ratios of medians."""
